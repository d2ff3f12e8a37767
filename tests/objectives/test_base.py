"""What every objective is asked: the names of its terms in the record, and how many draws a bound wants."""

from dataclasses import dataclass

import numpy as np
import pytest
from torch import Tensor

from reparam import CIWAE, ELBO, IWAE, MIWAE, MMD, PIWAE, VAE, LatentNorm, Renyi, Training
from reparam.model.trace import Trace
from reparam.objectives import Bound, names_of
from reparam.specs.schedules import Now
from reparam.specs.spec import Count

X = np.random.default_rng(0).normal(size=(60, 3))


def test_two_terms_of_one_class_are_both_in_the_record() -> None:
    terms = (ELBO(), MMD(1.0), MMD(1.0, kernel="rbf"))
    vae = VAE(2, objective=terms, training=Training(epochs=1), random_state=0).fit(X)
    recorded = vae.history_[0]["terms"]
    assert list(recorded) == ["ELBO", "MMD(1.0)", "MMD(1.0, 'rbf')"]
    assert recorded["MMD(1.0)"] != recorded["MMD(1.0, 'rbf')"]
    assert vae.history_[0]["loss"] == pytest.approx(sum(recorded.values()), rel=1e-5)


def test_equal_terms_are_numbered() -> None:
    assert names_of((ELBO(), LatentNorm(), LatentNorm())) == ("ELBO", "LatentNorm()", "LatentNorm() #2")
    assert names_of((ELBO(), LatentNorm())) == ("ELBO", "LatentNorm")


@pytest.mark.parametrize(
    ("bound", "draws"),
    [(ELBO(samples=3), 3), (IWAE(7), 7), (MIWAE(2, 3), 6), (PIWAE(2, 4), 8), (CIWAE(5), 5), (Renyi(k=4), 4)],
    ids=repr,
)
def test_a_bound_says_how_many_draws_it_wants(bound: Bound, draws: int) -> None:
    assert bound.draws == draws


@dataclass(frozen=True, repr=False)
class NeighbourBound(Bound):
    """A bound of one's own, whose field k has nothing to do with draws."""

    k: Count = 9

    @property
    def draws(self) -> int:
        return 1

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        return -trace.bound.mean()


def test_draws_are_not_read_from_the_names_of_fields() -> None:
    vae = VAE(2, objective=NeighbourBound(), training=Training(epochs=1), random_state=0).fit(X)
    assert NeighbourBound().draws == 1 and len(vae.history_) == 1
