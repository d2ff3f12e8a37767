"""Objectives that are refused: both parts named, with the cure."""

import pytest

from reparam import (
    CIWAE,
    ELBO,
    IWAE,
    MIWAE,
    MMD,
    PIWAE,
    VQ,
    Auxiliary,
    Categorical,
    CrossEntropy,
    Decorrelation,
    Enumerated,
    FactorTC,
    GradientPenalty,
    LatentCritic,
    Point,
    Renyi,
    Sparsity,
    SpecError,
    Term,
    TotalCorrelation,
    Training,
    VampPrior,
)
from tests.models import X, combine, small

PENALTIES = [
    MMD(),
    FactorTC(),
    LatentCritic(),
    TotalCorrelation(),
    Decorrelation(),
    Decorrelation(of="samples"),
]


@pytest.mark.parametrize(
    "objective",
    [MIWAE(2, 3), CIWAE(4), Renyi(0.5, 4), PIWAE(2, 3), *[(ELBO(), term) for term in PENALTIES]],
    ids=repr,
)
def test_refused_with_a_code_for_every_class(objective: Term | tuple[Term, ...]) -> None:
    """The message names term and head; with an Auxiliary head in its place (PIWAE apart) it is taken."""
    culprit = objective[-1] if isinstance(objective, tuple) else objective
    with pytest.raises(SpecError) as caught:
        combine(objective, labels=Enumerated(3))
    assert repr(culprit) in str(caught.value) and "labels=Enumerated(3)" in str(caught.value)
    if not isinstance(culprit, PIWAE):
        combine(objective, labels=Auxiliary(3))
    combine(objective)


@pytest.mark.parametrize("term", [TotalCorrelation(), Decorrelation(of="samples")], ids=repr)
def test_refused_with_a_point(term: Term) -> None:
    with pytest.raises(SpecError) as caught:
        combine((ELBO(0), term), posterior=Point())
    assert repr(term) in str(caught.value) and "posterior=Point()" in str(caught.value)
    combine((ELBO(0), Decorrelation()), posterior=Point())


def test_gradient_penalty_of_classes_is_refused() -> None:
    model = small(likelihood=Categorical(3))
    with pytest.raises(SpecError, match=r"GradientPenalty\(.*likelihood=Categorical\(3\)"):
        GradientPenalty()(model(X), 0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: IWAE(5, gradient="path"), "biased.*dreg"),
        (lambda: combine(IWAE(5, gradient="dreg"), latent_dim=(2, 2)), "DReG is biased.*total"),
        (lambda: combine(IWAE(5, gradient="dreg"), labels=Enumerated(2)), "DReG is biased"),
        (lambda: combine((IWAE(5, gradient="dreg"), MMD())), "Leave them out"),
        (lambda: combine((ELBO(), IWAE())), "exactly one bound"),
        (lambda: combine(MMD()), "exactly one bound, not none"),
        (lambda: combine(ELBO(), posterior=Point()), "ELBO.*Point.*ELBO\\(beta=0\\)"),
        (lambda: combine(IWAE(), posterior=Point()), "IWAE with posterior=Point"),
        (lambda: combine(ELBO(free_bits=0.1), prior=VampPrior(5)), "VampPrior.*free_per='layer'"),
        (lambda: combine((ELBO(), TotalCorrelation()), prior=VampPrior(5)), "TotalCorrelation.*VampPrior"),
        (lambda: combine(PIWAE(), latent_dim=(2, 2)), "PIWAE.*Use MIWAE"),
        (lambda: combine((ELBO(), CrossEntropy())), "no classifier to train"),
        (lambda: combine((ELBO(), Sparsity()), posterior=VQ()), "Sparsity.*VQ.*no sparsity.*Gaussian"),
        (lambda: ELBO(free_bits=0.1, capacity=3.0), "leave one out"),
        (lambda: Renyi(1.0), "alpha = 1 use ELBO"),
        (lambda: MIWAE(0, 3), "MIWAE.m must be 1 or more"),
        (lambda: Training(ema=1.5), r"in \(0, 1\)"),
    ],
)
def test_refused_for_its_terms(make, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()
