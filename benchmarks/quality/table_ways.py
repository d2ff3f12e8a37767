"""Ways of our own environment to fill the gaps of a table and to draw rows of one; `table_process` runs them.

FILL[way](train, seen, n, seed): the best value of each gap, and `n` completions or none; DRAW[way](train, n,
seed): `n` rows.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from reparam.evaluation.draw_quality import Kinds

from .imputation import by_sklearn, miss_forest, simple
from .table_ranks import REAL

Filled = tuple[pd.DataFrame, list[pd.DataFrame]]
OURS = "reparam, VAE()"
IMPUTERS: dict[str, Callable[[int], object]] = {
    "KNNImputer(10)": lambda seed: KNNImputer(n_neighbors=10),
    "IterativeImputer()": lambda seed: IterativeImputer(max_iter=10, random_state=seed),
}


def fill(train: pd.DataFrame, seen: pd.DataFrame, n: int, seed: int) -> Filled:
    from reparam import VAE

    vae = VAE(random_state=seed).fit(train)
    return vae.impute(seen), vae.impute(seen, draws=n, random_state=seed)


def draw(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    from reparam import VAE

    return VAE(random_state=seed).fit(train).sample(n, random_state=seed)


def fill_by(way: str) -> Callable[[pd.DataFrame, pd.DataFrame, int, int], Filled]:
    return lambda train, seen, n, seed: (by_sklearn(IMPUTERS[way](seed))(train, seen), [])


def copula(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """A Gaussian copula with the empirical margins: normal scores of ranks, categories by their frequency."""
    rng, kinds = np.random.default_rng(seed), Kinds(train)
    numbers = kinds.numbers(train)
    filled = np.where(np.isnan(numbers), np.nanmax(numbers, 0) + 1, numbers)
    scores = norm.ppf(np.apply_along_axis(rankdata, 0, filled) / (len(train) + 1))
    drawn = rng.multivariate_normal(np.zeros(train.shape[1]), np.corrcoef(scores.T), n)
    places = (norm.cdf(drawn) * len(train)).astype(int).clip(0, len(train) - 1)
    columns = {}
    for j, name in enumerate(train.columns):
        order = np.argsort(filled[:, j], kind="stable")
        columns[name] = train[name].iloc[order[places[:, j]]].to_numpy()
    return pd.DataFrame(columns)


def rows_of_training(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Other rows than `draw_quality` takes with the same seed."""
    rng = np.random.default_rng([seed, 1])
    return train.sample(n, replace=n > len(train), random_state=rng).reset_index(drop=True)


FILL = {
    OURS: fill,
    "means and modes": lambda train, seen, n, seed: (simple(train, seen), []),
    **{way: fill_by(way) for way in IMPUTERS},
    "MissForest, ExtraTrees": lambda train, seen, n, seed: (miss_forest(train, seen, seed), []),
}
DRAW = {OURS: draw, "Gaussian copula": copula, REAL: rows_of_training}
