"""Gaps of tables: hidden cells, scikit-learn's ways to fill them, and errors."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from reparam.recipes import recipe


def is_number(values: pd.Series) -> bool:
    """Whether a column holds numbers; yes and no are categories."""
    return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))


def holes(table: pd.DataFrame, seed: int, share: float) -> pd.DataFrame:
    """A share of the known cells, hidden at random."""
    hidden = np.random.default_rng(seed).random(table.shape) < share
    return table.mask(hidden & table.notna().to_numpy())


def errors(
    filled: pd.DataFrame, truth: pd.DataFrame, seen: pd.DataFrame, train: pd.DataFrame
) -> tuple[float, float]:
    """Root mean squared error of numbers in standard deviations, and share of categories filled right, each
    the mean over columns."""
    deviations, right = [], []
    for name in truth.columns:
        asked = (seen[name].isna() & truth[name].notna()).to_numpy()
        ours, real = filled[name][asked], truth[name][asked]
        if is_number(truth[name]):
            deviations.append(np.sqrt((((ours - real) / train[name].std()).astype(float) ** 2).mean()))
        else:
            right.append((ours.astype(str) == real.astype(str)).mean())
    return float(np.mean(deviations)), float(np.mean(right))


def simple(train: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    best = {n: c.mean() if is_number(c) else c.mode()[0] for n, c in train.items()}
    return seen.fillna(best)


def by_sklearn(imputer: object) -> Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    """Numbers in standard deviations beside one-hot categories; the largest of a category's numbers wins."""

    def fill(train: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
        numbers = [n for n, c in train.items() if is_number(c)]
        words = [n for n in train if n not in numbers]
        train, seen = (
            rows.assign(
                **{n: rows[n].astype(object).where(rows[n].isna(), rows[n].astype(str)) for n in words}
            )
            for rows in (train, seen)
        )
        coder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(train[words].dropna())
        mean, spread = train[numbers].mean(), train[numbers].std()

        def coded(table: pd.DataFrame) -> np.ndarray:
            hot = coder.transform(table[words].fillna("missing"))
            start = 0
            for name, values in zip(words, coder.categories_, strict=True):
                hot[table[name].isna().to_numpy(), start : start + len(values)] = np.nan
                start += len(values)
            return np.hstack([(table[numbers] - mean) / spread, hot])

        full = imputer.fit(coded(train)).transform(coded(seen))
        filled, start = seen.copy(), len(numbers)
        filled[numbers] = seen[numbers].fillna(
            pd.DataFrame(full[:, :start] * spread.to_numpy() + mean.to_numpy(), seen.index, numbers)
        )
        for name, values in zip(words, coder.categories_, strict=True):
            best = values[full[:, start : start + len(values)].argmax(1)]
            filled[name] = seen[name].astype(object).fillna(pd.Series(best, seen.index))
            start += len(values)
        return filled

    return fill


def miss_forest(train: pd.DataFrame, seen: pd.DataFrame, seed: int, rounds: int = 10) -> pd.DataFrame:
    """MissForest (Stekhoven and Bühlmann, 2012) with extremely randomised trees, fitted to both tables.

    Each column in turn is predicted from the others by the rows where it is known, until neither the numbers
    nor the categories change less than in the round before.
    """
    rows = pd.concat([train, seen], ignore_index=True)
    number = np.array([is_number(train[name]) for name in train])
    coded = {name: pd.factorize(rows[name].astype(object)) for name in rows.columns[~number]}
    cells = np.stack([coded[n][0] if n in coded else rows[n].astype(float) for n in rows], axis=1)
    cells = np.where(~number & (cells < 0), np.nan, cells)
    known = ~np.isnan(cells)
    first = [np.nanmean(c) if n else pd.Series(c).mode()[0] for c, n in zip(cells.T, number, strict=True)]
    filled, change = np.where(known, cells, first), np.array([np.inf, np.inf])
    for _ in range(rounds):
        before, change_before = filled.copy(), change
        for j in np.argsort((~known).sum(0), kind="stable"):
            if known[:, j].all():
                continue
            forest = ExtraTreesRegressor if number[j] else ExtraTreesClassifier
            trees = forest(100, max_features="sqrt", random_state=seed)
            others = np.delete(filled, j, axis=1)
            trees.fit(others[known[:, j]], cells[known[:, j], j])
            filled[~known[:, j], j] = trees.predict(others[~known[:, j]])
        moved = filled - before
        change = np.array(
            [(moved[:, number] ** 2).sum() / (filled[:, number] ** 2).sum(), (moved[:, ~number] != 0).sum()]
        )
        if (change >= change_before).all():
            filled = before
            break
    values = filled[len(train) :]
    return pd.DataFrame(
        {
            name: coded[name][1].take(values[:, j].astype(int)) if name in coded else values[:, j]
            for j, name in enumerate(rows)
        },
        index=seen.index,
    )


def breast_cancer() -> None:
    """Mean squared error of hidden cells, in standard deviations: Mattei and Frellsen (2019), table 2."""
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    errors = []
    print("| mask | mean squared error | seconds |\n|---|---|---|")
    for mask in range(5):
        hidden = np.random.default_rng(mask).random(X.shape) < 0.5
        seen, start = np.where(hidden, np.nan, X), time.monotonic()
        vae = recipe("missing-iwae").model.set_params(random_state=0).fit(seen)
        filled = vae.impute(seen, n_samples=1000)
        errors.append(float(((filled - X)[hidden] ** 2).mean()))
        print(f"| {mask} | {errors[-1]:.3f} | {time.monotonic() - start:.0f} |", flush=True)
    print(f"| mean | {np.mean(errors):.3f} | |")
