"""Disentanglement of known factors: functions of codes (n, L) and factors (n, F) with few values.

The best score is 1; independent noise scores about 0. Mutual information is the plug-in estimate in nats
from a histogram, with each code in `bins` equal-width bins (Locatello et al. 2019, appendix C).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

Array = NDArray[Any]


class DCI(NamedTuple):
    """Disentanglement, completeness, and informativeness (held-out accuracy)."""

    disentanglement: float
    completeness: float
    informativeness: float


def _checked(codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array]:
    """Codes (n, L) as float64 and factors (n, F) as numbers 0, 1, ... of their values."""
    z, raw = np.asarray(codes, dtype=np.float64), np.asarray(factors)
    if z.ndim != 2 or raw.ndim != 2 or len(z) != len(raw) or not len(z):
        raise DataError(f"codes (n, L) and factors (n, F) are needed, not {z.shape} and {raw.shape}")
    if not np.isfinite(z).all():
        raise DataError("codes hold NaN or infinity: fit the model again, or leave those rows out")
    v = np.stack([np.unique(column, return_inverse=True)[1] for column in raw.T], 1)
    if (v.max(0) == 0).any():
        raise DataError(f"factor {int(v.max(0).argmin())} has one value: leave it out")
    return z, v


def _binned(column: Array, bins: int) -> Array:
    edges = np.linspace(column.min(), column.max(), bins + 1)[1:-1]
    return np.digitize(column, edges)


def mutual_information(codes: ArrayLike, factors: ArrayLike, bins: int = 20) -> Array:
    """I(z_j; v_f) in nats, (L, F), by the plug-in estimate."""
    from sklearn.metrics import mutual_info_score

    z, v = _checked(codes, factors)
    return np.array([[mutual_info_score(f, _binned(c, bins)) for f in v.T] for c in z.T])


def mig(codes: ArrayLike, factors: ArrayLike, bins: int = 20) -> float:
    """Of codes (n, L) and factors (n, F), the mutual information gap,

    mean_f (I(z_(1); v_f) - I(z_(2); v_f)) / H(v_f), over the two best codes (Chen et al. 2018, eq. 6)."""
    _, v = _checked(codes, factors)
    said = np.sort(mutual_information(codes, factors, bins), 0)
    second = said[-2] if len(said) > 1 else 0.0
    return float(((said[-1] - second) / np.array([_entropy(np.bincount(f)) for f in v.T])).mean())


def modularity(codes: ArrayLike, factors: ArrayLike, bins: int = 20) -> float:
    """Of codes (n, L) and factors (n, F), with I in nats,

    mean_j 1 - sum_{f not best} I_jf^2 / (I_j,best^2 (F - 1)) (Ridgeway and Mozer 2018, equation 2).

    Over codes with more than 0.01 nat of information on some factor; 0 if there are none.
    """
    square = mutual_information(codes, factors, bins) ** 2
    best = square.max(1)
    if square.shape[1] < 2:
        raise DataError("modularity compares factors: give 2 or more")
    each = 1 - (square.sum(1) - best) / np.maximum(best * (square.shape[1] - 1), 1e-300)
    return float(each[best > 1e-4].mean()) if (best > 1e-4).any() else 0.0


def sap(codes: ArrayLike, factors: ArrayLike) -> float:
    """Of codes (n, L) and factors (n, F), the mean_f of the gap between the two codes that alone best predict
    v_f (Kumar et al. 2018, section 3).

    The score of a code is the balanced held-out accuracy of a tree of depth 8, minus that of chance.
    """
    from sklearn.tree import DecisionTreeClassifier

    z, v = _checked(codes, factors)
    scores = [
        [_predictability(DecisionTreeClassifier(max_depth=8), c[:, None], f)[0] for c in z.T] for f in v.T
    ]
    ranked = np.sort(np.array(scores), 1)
    return float((ranked[:, -1] - (ranked[:, -2] if ranked.shape[1] > 1 else 0.0)).mean())


def dci(codes: ArrayLike, factors: ArrayLike) -> DCI:
    """Entropies of the importances R (L, F) of forests that predict factors (n, F) from codes (n, L)
    (Eastwood and Williams 2018):

    D = sum_j w_j (1 - H_F(R_j.)), C = mean_f 1 - H_L(R_.f), I the mean held-out accuracy above chance.
    R is weighted by that accuracy, so that codes without information score 0.
    """
    from sklearn.ensemble import RandomForestClassifier

    z, v = _checked(codes, factors)
    forest = RandomForestClassifier(50, max_depth=10, max_features=None, random_state=0)
    found = [_predictability(forest, z, f) for f in v.T]
    skill = np.array([score for score, _ in found])
    R = np.stack([weights for _, weights in found], 1) * skill
    if not R.sum():
        return DCI(0.0, 0.0, 0.0)
    by_code = 1 - np.array([_entropy(row) for row in R]) / np.log(max(R.shape[1], 2))
    by_factor = 1 - np.array([_entropy(column) for column in R.T]) / np.log(max(R.shape[0], 2))
    share = R.sum(1) / R.sum() * skill.mean()
    return DCI(float(share @ by_code), float((by_factor * skill).mean()), float(skill.mean()))


def factor_vae(
    codes: ArrayLike, factors: ArrayLike, votes: int = 800, batch: int = 64, random_state: int = 0
) -> float:
    """The FactorVAE score of codes (n, L) and factors (n, F) (Kim and Mnih 2018, section 4).

    A vote is the code of least relative variance among rows that share one factor's value; the score is the
    held-out accuracy of the majority vote for that factor, scaled so that chance is 0. Codes
    with a standard deviation below 0.05 of the largest do not vote.
    """
    z, v = _checked(codes, factors)
    rng, spread = np.random.default_rng(random_state), z.std(0)
    if not spread.any():
        return 0.0
    z = z[:, spread > 0.05 * spread.max()] / spread[spread > 0.05 * spread.max()]
    ballots = np.zeros((2, z.shape[1], v.shape[1]))
    for vote in range(votes):
        f = vote // 2 % v.shape[1]
        rows = np.flatnonzero(v[:, f] == v[rng.integers(len(v)), f])
        ballots[vote % 2, z[rng.choice(rows, batch)].var(0).argmin(), f] += 1
    right = ballots[1][np.arange(z.shape[1]), ballots[0].argmax(1)].sum() / ballots[1].sum()
    return float(max(0.0, (right - 1 / v.shape[1]) / (1 - 1 / v.shape[1]))) if v.shape[1] > 1 else 1.0


def _predictability(classifier: Any, z: Array, factor: Array) -> tuple[float, Array]:
    """Balanced accuracy above chance, in [0, 1], on a held-out half; and importance of each code, (L,)."""
    from sklearn.metrics import balanced_accuracy_score

    order = np.random.default_rng(0).permutation(len(z))
    seen, held = order[: len(z) // 2], order[len(z) // 2 :]
    classifier.fit(z[seen], factor[seen])
    known = np.isin(factor[held], factor[seen])
    guess, truth = classifier.predict(z[held][known]), factor[held][known]
    right = balanced_accuracy_score(truth, guess)
    chance = 1 / max(2, len(np.unique(truth)))
    return max(0.0, float((right - chance) / (1 - chance))), classifier.feature_importances_


def _entropy(weights: Array) -> float:
    """-sum p log p of weights, in nats; the maximum where all weights are 0."""
    total = weights.sum()
    if not total:
        return float(np.log(max(len(weights), 2)))
    p = weights[weights > 0] / total
    return float(-(p * np.log(p)).sum())
