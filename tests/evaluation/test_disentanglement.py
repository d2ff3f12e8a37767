"""Scores of disentanglement against oracles: perfect codes, turned ones, noise."""

import numpy as np
import pytest

from reparam import DataError
from reparam.evaluation import disentanglement

SCORES = {
    "mig": disentanglement.mig,
    "modularity": disentanglement.modularity,
    "sap": disentanglement.sap,
    "disentanglement": lambda z, v: disentanglement.dci(z, v).disentanglement,
    "completeness": lambda z, v: disentanglement.dci(z, v).completeness,
    "factor_vae": disentanglement.factor_vae,
}
rng = np.random.default_rng(0)
FACTORS = np.stack(np.meshgrid(range(5), range(4), range(6)), -1).reshape(-1, 3).repeat(25, 0)
PERFECT = FACTORS / FACTORS.std(0) + 1e-3 * rng.normal(size=FACTORS.shape)
TURN = np.array([[1, -1, 0], [1, 1, 0], [0, 0, 2**0.5]]) / 2**0.5  # by 45 degrees, two factors
NOISE = rng.normal(size=(len(FACTORS), 3))


@pytest.mark.parametrize("name", SCORES)
def test_perfect_codes_score_one_turned_ones_less_and_noise_nothing(name: str) -> None:
    score = SCORES[name]
    assert score(PERFECT, FACTORS) == pytest.approx(1, abs=0.02)
    assert score(PERFECT[:, [2, 0, 1]] * [-3, 1, 0.2], FACTORS) == pytest.approx(1, abs=0.02)
    assert score(PERFECT @ TURN, FACTORS) < 0.9
    assert score(NOISE, FACTORS) < (0.6 if name == "modularity" else 0.15)


def test_mutual_information_is_that_of_the_table() -> None:
    said = disentanglement.mutual_information(PERFECT, FACTORS)
    np.testing.assert_allclose(np.diag(said), np.log([5, 4, 6]), atol=0.005)
    np.testing.assert_allclose(said - np.diag(np.diag(said)), 0, atol=0.005)


def test_a_code_of_two_factors_is_complete_but_not_disentangled() -> None:
    both = (FACTORS[:, :1] * 4 + FACTORS[:, 1:2]) / 6.0
    found = disentanglement.dci(np.hstack([both, FACTORS[:, 2:], NOISE[:, :1]]), FACTORS)
    assert found.completeness > 0.9 and found.disentanglement < 0.85 and found.informativeness > 0.9


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(DataError, match="codes \\(n, L\\)"):
        disentanglement.mig(PERFECT[:5], FACTORS)
    with pytest.raises(DataError, match="factor 1 has one value"):
        disentanglement.sap(PERFECT, FACTORS * [1, 0, 1])
    with pytest.raises(DataError, match="NaN or infinity"):
        disentanglement.mig(PERFECT * np.nan, FACTORS)
    assert disentanglement.factor_vae(PERFECT * 0, FACTORS) == 0
