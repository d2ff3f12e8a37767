"""An objective is a sum of terms, exactly one of them a bound. Add a new term to this union."""

from typing import Annotated

from ..specs.spec import rows
from .adversarial import Critic, FactorTC, LatentCritic
from .base import Bound, Term, names_of, needs_density, needs_dimensions, needs_replay, terms_of, with_value
from .bounds import CIWAE, ELBO, IWAE, MIWAE, PIWAE, Renyi
from .consistency import Consistency, MutualInformation
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
    Consistency,
    MutualInformation,
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


def title_of(name: str) -> tuple[str, str]:
    """What a figure calls the term of that name in a record, and its unit; a term of one's own by its name.

    >>> title_of("ELBO"), title_of("MMD(1.0, 'rbf')")[0]
    (('negative ELBO', 'nats per datum'), "maximum mean discrepancy (weighted) (1.0, 'rbf')")
    """
    cls, bracket, rest = name.partition("(")
    term = next((row for row in rows(AnyTerm) if row.__name__ == cls.partition(" #")[0]), Term)
    title = (term.label or f"{cls} (weighted)") + (f" {bracket}{rest}" if bracket else "")
    return title, term.unit
