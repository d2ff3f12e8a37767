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
        Bernoulli,
        Family,
        Fixed,
        Gaussian,
        Identity,
        Local,
        LogScale,
        LogVariance,
        Point,
        Shared,
        Sigmoid,
        Softplus,
        Square,
        StandardNormal,
    )
    from .labels import Auxiliary, Given
    from .networks import MLP, Conv, Network
    from .objective import ELBO, CrossEntropy, Term
    from .schedule import Cosine, Cyclic, Linear
    from .spec import Spec
    from .train import Adam, Progress, RMSprop, Training

__version__ = "0.1.0"

__all__ = [
    "ELBO",
    "MLP",
    "VAE",
    "Adam",
    "Auxiliary",
    "Bernoulli",
    "Conv",
    "Cosine",
    "CrossEntropy",
    "Cyclic",
    "DataError",
    "DivergedError",
    "Evaluation",
    "Family",
    "Fixed",
    "FormatError",
    "Gaussian",
    "Given",
    "Identity",
    "Linear",
    "Local",
    "LogScale",
    "LogVariance",
    "Network",
    "Point",
    "Progress",
    "RMSprop",
    "Shared",
    "Sigmoid",
    "Softplus",
    "Spec",
    "SpecError",
    "Square",
    "StandardNormal",
    "TacitError",
    "Term",
    "Training",
]

_HOMES = {
    "errors": ("DataError", "DivergedError", "FormatError", "SpecError", "TacitError"),
    "estimator": ("VAE",),
    "evaluate": ("Evaluation",),
    "families": (
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
    "labels": ("Auxiliary", "Given"),
    "networks": ("MLP", "Conv", "Network"),
    "objective": ("ELBO", "CrossEntropy", "Term"),
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
