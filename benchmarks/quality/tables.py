"""Tables of $REPARAM_DATA without an option: gaps filled beside imputers, and drawn rows beside real ones.

Gaps: 30 % of the known cells of held-out rows are hidden; models see whole rows in training. Draws: as many
as there are held-out rows, compared with these.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from reparam import VAE
from reparam.evaluation.draw_quality import Kinds, draw_quality

from ..markdown import Figures, Rows
from .data import folder, table
from .imputation import by_sklearn, errors, holes

SEEDS = (0, 1, 2)
HIDDEN = 0.3
IMPUTERS_SEE = 5_000
"""The most rows that scikit-learn's imputers are fitted to: KNNImputer's time grows with their product."""
DRAWS = 20
"""Multiple imputations, whose 5 % and 95 % quantiles are the ends of an interval."""
OURS = "reparam, VAE()"
REAL = "chance from the training rows"
"""As many real rows: what the likeness of two samples of one distribution is."""
VERBS = {"gaps": "filled", "draws": "drawn"}
IMPUTERS: dict[str, Callable[[int], object]] = {
    "KNNImputer(10)": lambda seed: KNNImputer(n_neighbors=10),
    "IterativeImputer()": lambda seed: IterativeImputer(max_iter=10, random_state=seed),
    "IterativeImputer(ExtraTreesRegressor())": lambda seed: IterativeImputer(
        ExtraTreesRegressor(100, random_state=seed), max_iter=5, random_state=seed
    ),
}


def names(only: str | None) -> list[str]:
    return [only] if only else sorted(path.stem for path in (folder() / "tabular").glob("*.csv"))


def coverage(tables: list[pd.DataFrame], truth: pd.DataFrame, seen: pd.DataFrame) -> float:
    """The share of hidden numbers within the 90 % interval of the draws, the mean over columns.

    The interval is between order statistics at p (n + 1) of n draws, interpolated: if the truth is one more
    draw of the same distribution, it is inside with probability .95 - .05. numpy's usual quantiles of 20
    draws would hold 81 %.
    """
    each = []
    for name in truth.select_dtypes("number"):
        asked = (seen[name].isna() & truth[name].notna()).to_numpy()
        if asked.any():
            drawn = np.stack([table[name][asked].to_numpy(dtype=float) for table in tables])
            low, high = np.quantile(drawn, [0.05, 0.95], axis=0, method="weibull")
            real = truth[name][asked].to_numpy(dtype=float)
            each.append(((low <= real) & (real <= high)).mean())
    return float(np.mean(each))


def gaps(name: str, seed: int) -> dict[str, dict[str, float]]:
    """The figures of each way to fill the held-out rows of a table, identifiers apart."""
    train, test = table(name)()
    start = time.monotonic()
    vae = VAE(random_state=seed).fit(train)
    names = vae.codec_.column_names()
    seen = test.assign(**holes(test[names], seed, HIDDEN))
    filled, drawn = vae.impute(seen), vae.impute(seen, draws=DRAWS, random_state=seed)
    seconds = time.monotonic() - start
    train, test, seen, filled = (rows[names] for rows in (train, test, seen, filled))
    few = train[:IMPUTERS_SEE]
    error, right = errors(filled, test, seen, train)
    covered = coverage(drawn, test, seen)
    found = {OURS: {"error": error, "right": right, "covered": covered, "seconds": seconds}}
    for way, imputer in IMPUTERS.items():
        start = time.monotonic()
        error, right = errors(by_sklearn(imputer(seed))(few, seen), test, seen, train)
        found[way] = {"error": error, "right": right, "seconds": time.monotonic() - start}
    return found


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


def draws(name: str, seed: int) -> dict[str, dict[str, float]]:
    """The figures of drawn rows of a table, whose last column is the target."""
    train, test = table(name)()

    def ours(n: int) -> pd.DataFrame:
        return VAE(random_state=seed).fit(train).sample(n, random_state=seed)

    def rows_of_training(n: int) -> pd.DataFrame:
        return train.sample(n, random_state=seed).reset_index(drop=True)

    ways = {OURS: ours, "Gaussian copula": lambda n: copula(train, n, seed), REAL: rows_of_training}
    found = {}
    for way, drawn in ways.items():
        start = time.monotonic()
        rows = drawn(len(test))
        seconds = time.monotonic() - start
        shared = [column for column in train if column in rows]
        target = shared[-1]
        each = draw_quality(test[shared], rows[shared], training=train[shared], target=target, seed=seed)
        assert each.efficacy is not None and each.privacy is not None and each.pairs is not None
        found[way] = {
            "shape": each.shape,
            "pairs": each.pairs,
            "detection": each.detection,
            "efficacy": each.efficacy.drawn - each.efficacy.real,
            "closer": each.privacy.closer_to_training,
            "copies": each.privacy.copies,
            "seconds": seconds,
        }
    return found


def tables(
    task: Callable[[str, int], dict[str, dict[str, float]]],
    kind: str,
    seeds: tuple[int, ...] = SEEDS,
    only: str | None = None,
) -> Rows:
    """A row for each table and way: means over seeds, and the spread where there are several."""
    rows: Rows = {}
    for name in names(only):
        each = [task(name, seed) for seed in seeds]
        for way in each[0]:
            row: Figures = {"tables": [kind], "seeds": len(seeds)}
            for key in each[0][way]:
                held = [found[way][key] for found in each]
                spread = f" ± {np.std(held):.3f}" if len(held) > 1 else ""
                row[key] = round(np.mean(held)) if key == "seconds" else f"{np.mean(held):.3f}{spread}"
            rows[f"{name}, {VERBS[kind]} by {way}"] = row
            print(name, way, row, flush=True)
    return rows
