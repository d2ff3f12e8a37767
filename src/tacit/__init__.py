"""Variational autoencoders: any of the literature as one line, every number in nats and right.

A name is imported when it is first used, so that `tacit --help` need not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import DataError, DivergedError, FormatError, SpecError, TacitError
    from .estimator import VAE
    from .evaluate import Evaluation
    from .families import (
        IAF,
        MAF,
        Bernoulli,
        Family,
        Fixed,
        Flow,
        FullGaussian,
        Gaussian,
        Identity,
        Local,
        LogScale,
        LogVariance,
        LowRankGaussian,
        Mixture,
        Planar,
        Point,
        PowerSpherical,
        Shared,
        Sigmoid,
        Softplus,
        Sphere,
        Spline,
        Square,
        StandardNormal,
    )
    from .labels import Auxiliary, Enumerated, Given
    from .networks import MLP, Conv, Network
    from .objective import CIWAE, ELBO, IWAE, MIWAE, PIWAE, Renyi, Term
    from .penalties import (
        MMD,
        CrossEntropy,
        Decorrelation,
        FactorTC,
        GradientPenalty,
        LatentCritic,
        LatentNorm,
        TotalCorrelation,
    )
    from .priors import VampPrior
    from .schedule import Cosine, Cyclic, Linear
    from .spec import Spec
    from .train import Adam, Progress, RMSprop, Training

__version__ = "0.1.0"

__all__ = [
    "CIWAE",
    "ELBO",
    "IAF",
    "IWAE",
    "MAF",
    "MIWAE",
    "MLP",
    "MMD",
    "PIWAE",
    "VAE",
    "Adam",
    "Auxiliary",
    "Bernoulli",
    "Conv",
    "Cosine",
    "CrossEntropy",
    "Cyclic",
    "DataError",
    "Decorrelation",
    "DivergedError",
    "Enumerated",
    "Evaluation",
    "FactorTC",
    "Family",
    "Fixed",
    "Flow",
    "FormatError",
    "FullGaussian",
    "Gaussian",
    "Given",
    "GradientPenalty",
    "Identity",
    "LatentCritic",
    "LatentNorm",
    "Linear",
    "Local",
    "LogScale",
    "LogVariance",
    "LowRankGaussian",
    "Mixture",
    "Network",
    "Planar",
    "Point",
    "PowerSpherical",
    "Progress",
    "RMSprop",
    "Renyi",
    "Shared",
    "Sigmoid",
    "Softplus",
    "Spec",
    "SpecError",
    "Sphere",
    "Spline",
    "Square",
    "StandardNormal",
    "TacitError",
    "Term",
    "TotalCorrelation",
    "Training",
    "VampPrior",
]

_HOMES = {
    "errors": ("DataError", "DivergedError", "FormatError", "SpecError", "TacitError"),
    "estimator": ("VAE",),
    "evaluate": ("Evaluation",),
    "families": (
        "Mixture",
        "FullGaussian",
        "LowRankGaussian",
        "IAF",
        "MAF",
        "Flow",
        "Planar",
        "Spline",
        "PowerSpherical",
        "Sphere",
        "Bernoulli",
        "Family",
        "Fixed",
        "Gaussian",
        "Identity",
        "Local",
        "LogScale",
        "LogVariance",
        "Point",
        "Shared",
        "Sigmoid",
        "Softplus",
        "Square",
        "StandardNormal",
    ),
    "labels": ("Auxiliary", "Enumerated", "Given"),
    "networks": ("MLP", "Conv", "Network"),
    "objective": ("CIWAE", "ELBO", "IWAE", "MIWAE", "PIWAE", "Renyi", "Term"),
    "penalties": (
        "MMD",
        "CrossEntropy",
        "Decorrelation",
        "FactorTC",
        "GradientPenalty",
        "LatentCritic",
        "LatentNorm",
        "TotalCorrelation",
    ),
    "priors": ("VampPrior",),
    "schedule": ("Cosine", "Cyclic", "Linear"),
    "spec": ("Spec",),
    "train": ("Adam", "Progress", "RMSprop", "Training"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module 'tacit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
