"""What stands at the top of the ladder: a family conditioned on nothing, or the aggregate of q itself."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from .errors import SpecError
from .families import AutoregressiveCodes, CodePrior, Family, Gaussian, StandardNormal
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


Prior = Annotated[Family | VampPrior, Gaussian, StandardNormal, VampPrior, CodePrior, AutoregressiveCodes]
