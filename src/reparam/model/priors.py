"""The prior of the top layer: an unconditional family, or a mixture of posteriors (VampPrior)."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ..errors import SpecError
from ..families import (
    AutoregressiveCodes,
    CodePrior,
    Family,
    Flow,
    FullGaussian,
    Gaussian,
    LowRankGaussian,
    Mixture,
    PowerSpherical,
    Sphere,
    StandardNormal,
    Support,
)
from ..specs.spec import Count, Spec
from ..tensors import Shape, numel
from .label_head import LabelHead


@dataclass(frozen=True, repr=False)
class VampPrior(Spec):
    """p(z) = 1/K sum_k q(z | u_k), with K learned pseudo-inputs u_k (Tomczak and Welling 2018).

    They are in the encoder's input space and start at rows of the data. Nothing anchors q, so an encoder that
    can saturate (tanh) may collapse in the first steps: use "relu".
    """

    components: Count = 500
    factorises: ClassVar[bool] = False
    spatial: ClassVar[bool] = False
    has_density: ClassVar[bool] = True


Prior = Annotated[
    Family | VampPrior,
    Gaussian,
    StandardNormal,
    FullGaussian,
    LowRankGaussian,
    PowerSpherical,
    Sphere,
    Mixture,
    Flow,
    VampPrior,
    CodePrior,
    AutoregressiveCodes,
]
DEFAULTS: dict[Support, Family] = {"real": StandardNormal(), "sphere": Sphere(), "codes": CodePrior()}
"""The default prior of a posterior on each support."""
PLACES: dict[Support, str] = {"real": "real numbers", "sphere": "points of a sphere", "codes": "codes"}
POSTERIORS: dict[Support, str] = {
    "real": "Gaussian()",
    "sphere": "PowerSpherical()",
    "codes": "GumbelSoftmax(), FSQ() or VQ()",
}


def check_compatible(
    posterior: Family, prior: Family | VampPrior, shapes: tuple[Shape, ...], labels: LabelHead
) -> None:
    """SpecError, naming both, where posterior, prior and sizes are incompatible."""
    named, support = f"posterior={posterior}", posterior.support
    if not posterior.reparametrised:
        raise SpecError(f"{named}: its samples have no gradient. Use Flow() for several modes")
    sizes = [numel(shape) for shape in shapes]
    if len(shapes) > 1 and support != "real":
        raise SpecError(
            f"{named} with latent_dim={tuple(sizes)}: layers below the top are Gaussian, "
            f"{PLACES[support]} are not. Use one layer, say latent_dim={sum(sizes)}, or posterior=Gaussian()"
        )
    for role, part, spatial in (("posterior", posterior, shapes), ("prior", prior, shapes[:1])):
        if any(len(shape) == 3 for shape in spatial) and not part.spatial:
            raise SpecError(
                f"{role}={part} with latent maps {shapes}: maps are Gaussian. "
                f"Use {role}=Gaussian(), or flat sizes, say latent_dim={tuple(sizes)}"
            )
    if isinstance(prior, VampPrior):
        if not posterior.has_density or not posterior.tractable or support == "codes":
            raise SpecError(
                f"{named} with prior={prior}: a mixture of posteriors needs their density. "
                f"Use prior={'CodePrior()' if support == 'codes' else 'Mixture(Gaussian(), 10)'}, "
                "or posterior=Gaussian()"
            )
        if labels.to_encoder:
            raise SpecError(
                f"{prior} with labels={labels}: the encoder reads y, and pseudo-inputs have no label. "
                "Use prior=Mixture(Gaussian(), 10), or labels=Auxiliary(classes)"
            )
        return
    if not prior.has_density or not prior.tractable:
        raise SpecError(
            f"prior={prior} has no density at samples of another distribution. "
            "Use Mixture(Gaussian(), 10) or Flow(steps=(MAF(), MAF()))"
        )
    if prior.support != support:
        raise SpecError(
            f"{named} with prior={prior}: the posterior gives {PLACES[support]}, the prior is over "
            f"{PLACES[prior.support]}, and their KL is infinite. "
            f"Use prior={DEFAULTS[support]}, or posterior={POSTERIORS[prior.support]}"
        )
    if posterior.atoms and sizes and sizes[0] % posterior.atoms[1]:
        size = posterior.atoms[1]
        raise SpecError(
            f"{named} with latent_dim={sizes[0]}: a code is {size} numbers. "
            f"Use a multiple, say latent_dim={math.ceil(sizes[0] / size) * size}"
        )
