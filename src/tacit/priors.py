"""What stands at the top of the ladder: a family conditioned on nothing, or the aggregate of q itself."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from .errors import SpecError
from .families import (
    Family,
    Flow,
    FullGaussian,
    Gaussian,
    LowRankGaussian,
    Mixture,
    Point,
    PowerSpherical,
    Sphere,
    StandardNormal,
)
from .labels import LabelHead
from .spec import Spec


@dataclass(frozen=True, repr=False)
class VampPrior(Spec):
    """p(z) = 1/K sum_k q(z | u_k), with K learned pseudo-inputs u_k (Tomczak and Welling 2018).

    They live in the encoder's input space and start at rows of the data.
    """

    components: int = 500
    factorises: ClassVar[bool] = False

    def check(self) -> None:
        if self.components < 1:
            raise SpecError(f"VampPrior.components must be 1 or more, not {self.components}")


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
]
PLACES = {
    "real": ("R^L", "StandardNormal()", "Gaussian()"),
    "sphere": ("the unit sphere", "Sphere()", "PowerSpherical()"),
    "codes": ("a set of codes", "one over codes", "one over codes"),
}
"""Of each support its name, a prior and a posterior on it."""


def fit_together(
    posterior: Family, prior: Family | VampPrior, dims: tuple[int, ...], labels: LabelHead | None
) -> None:
    """Refuse a posterior and a prior that have no KL, or no pseudo-inputs: SpecError, both named."""
    if not posterior.reparametrised:
        raise SpecError(
            f"posterior={posterior}: its draws carry no gradient. Use Flow() for a law of several peaks"
        )
    if len(dims) > 1 and posterior.support != "real":
        raise SpecError(
            f"posterior={posterior} with latent_dim={dims}: the rungs below the top have Gaussian priors. "
            "Use one rung, or posterior=Gaussian()"
        )
    if isinstance(prior, VampPrior):
        if isinstance(posterior, Point) or not posterior.tractable:
            raise SpecError(
                f"{prior} with posterior={posterior}: a mixture of posteriors needs their density. "
                "Use prior=Mixture(Gaussian(), 10), or posterior=Gaussian()"
            )
        if labels is not None and labels.to_encoder:
            raise SpecError(
                f"{prior} with labels={labels}: the encoder reads y, and pseudo-inputs have no label. "
                "Use prior=Mixture(Gaussian(), 10), or labels=Auxiliary(classes)"
            )
        return
    if isinstance(prior, Point) or not prior.tractable:
        raise SpecError(
            f"prior={prior} has no density at another's draws. "
            "Use Mixture(Gaussian(), 10) or Flow(steps=(MAF(), MAF()))"
        )
    if prior.support != posterior.support:
        here, there = PLACES[posterior.support], PLACES[prior.support]
        raise SpecError(
            f"posterior={posterior} lies on {here[0]}, prior={prior} on {there[0]}: their KL is infinite. "
            f"Use prior={here[1]}, or posterior={there[2]}"
        )
