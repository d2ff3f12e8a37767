"""A step in mixed precision is finite, whatever the posterior, the prior and the objective."""

import math

import pytest

from reparam import (
    ELBO,
    IWAE,
    PIWAE,
    FullGaussian,
    Gaussian,
    LowRankGaussian,
    Mixture,
    PowerSpherical,
    Sphere,
    StandardNormal,
    Term,
    Training,
    VampPrior,
)
from reparam.families import Family
from reparam.training.trainer import Trainer
from tests.models import IAFS, MAFS, Top, X, small


@pytest.mark.parametrize(
    ("q", "p"),
    [
        (Gaussian(), StandardNormal()),
        (Gaussian(), VampPrior(3)),
        (Gaussian(), MAFS),
        (FullGaussian(), FullGaussian()),
        (FullGaussian(), Mixture(FullGaussian(), 2)),
        (LowRankGaussian(1), StandardNormal()),
        (PowerSpherical(), Sphere()),
        (PowerSpherical(), VampPrior(3)),
        (PowerSpherical(), Mixture(PowerSpherical(), 2)),
        (IAFS, StandardNormal()),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "objective", [ELBO(), IWAE(3), ELBO(gradient="path"), IWAE(3, "dreg"), PIWAE(2, 2)], ids=repr
)
def test_a_step_in_mixed_precision(q: Family, p: Top, objective: Term) -> None:
    model = small(q, p, (3,)).float()
    x = X.repeat(4, 1).float()
    training = Training(epochs=1, batch_size=6, precision="bf16-mixed")
    (progress,) = Trainer(model, (objective,), training, 0).run((x, None))
    assert math.isfinite(progress.loss) and all(bool(w.isfinite().all()) for w in model.parameters())
