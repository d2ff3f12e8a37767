"""What is refused when the model is built, both parts named.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

from dataclasses import replace

import numpy as np
import pytest

from reparam import (
    CIWAE,
    ELBO,
    MIWAE,
    MLP,
    MMD,
    PIWAE,
    VAE,
    Auxiliary,
    Bernoulli,
    Categorical,
    Decorrelation,
    Enumerated,
    FactorTC,
    Gaussian,
    GradientPenalty,
    LatentCritic,
    Point,
    Renyi,
    SpecError,
    StandardNormal,
    Term,
    TotalCorrelation,
    Training,
)
from reparam.model.model import ModelConfig
from reparam.objectives import terms_of
from tests.models import X, small


def refuse(objective: Term | tuple[Term, ...], **parts: object) -> None:
    base = ModelConfig((2,), MLP((4,)), MLP((4,)), Gaussian(), StandardNormal(), Bernoulli())
    terms_of(objective, replace(base, **parts))  # type: ignore[arg-type]


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
        refuse(objective, labels=Enumerated(3))
    assert repr(culprit) in str(caught.value) and "labels=Enumerated(3)" in str(caught.value)
    if not isinstance(culprit, PIWAE):
        refuse(objective, labels=Auxiliary(3))
    refuse(objective)


@pytest.mark.parametrize("term", [TotalCorrelation(), Decorrelation(of="samples")], ids=repr)
def test_refused_with_a_point(term: Term) -> None:
    with pytest.raises(SpecError) as caught:
        refuse((ELBO(0), term), posterior=Point())
    assert repr(term) in str(caught.value) and "posterior=Point()" in str(caught.value)
    refuse((ELBO(0), Decorrelation()), posterior=Point())


@pytest.mark.parametrize("labels", [Auxiliary(2), Enumerated(2), None], ids=repr)
def test_nothing_to_decode_is_refused(labels: object) -> None:
    bits, y = (np.arange(40).reshape(10, 4) % 3 > 0).astype(float), np.arange(10) % 2
    with pytest.raises(SpecError, match=r"latent_dim=0.*labels=Given\(classes\)"):
        VAE(0, labels=labels, training=Training(epochs=1)).fit(bits, None if labels is None else y)  # type: ignore[arg-type]


def test_gradient_penalty_of_classes_is_refused() -> None:
    model = small(likelihood=Categorical(3))
    with pytest.raises(SpecError, match=r"GradientPenalty\(.*likelihood=Categorical\(3\)"):
        GradientPenalty()(model(X), 0)
