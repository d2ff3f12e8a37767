"""An objective is a sum of terms, exactly one of them a bound. A new term is a row of this union."""

from typing import Annotated

from .adversarial import Critic, FactorTC, LatentCritic
from .base import Bound, Term, names_of, needs_density, needs_dimensions, needs_replay, terms_of, with_value
from .bounds import CIWAE, ELBO, IWAE, MIWAE, PIWAE, Renyi
from .penalties import (
    L2,
    MMD,
    Commitment,
    CrossEntropy,
    Decorrelation,
    GradientPenalty,
    LatentNorm,
    PriorShare,
    TotalCorrelation,
    decomposition,
)
from .sparsity import Sparsity

AnyTerm = Annotated[
    Term,
    ELBO,
    IWAE,
    MIWAE,
    CIWAE,
    PIWAE,
    Renyi,
    CrossEntropy,
    TotalCorrelation,
    FactorTC,
    Decorrelation,
    MMD,
    Commitment,
    LatentCritic,
    LatentNorm,
    Sparsity,
    GradientPenalty,
    PriorShare,
    L2,
]
Objective = AnyTerm | tuple[AnyTerm, ...]
