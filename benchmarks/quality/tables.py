"""Tables of $REPARAM_DATA without an option: gaps filled beside imputers, and drawn rows beside real ones.

Gaps: 30 % of the known cells of held-out rows are hidden; models see whole rows in training. Draws: as many
as there are held-out rows, compared with these. Each way is a process of its own on one thread.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from reparam.data.codecs.kinds import column_of
from reparam.evaluation.draw_quality import draw_quality

from .. import table_process
from ..markdown import Figures, Rows
from ..peers import environment, tables as peers
from . import table_ways
from .data import folder, table
from .imputation import errors, holes, is_number

Found = dict[str, float]
SEEDS = (0, 1, 2)
HIDDEN = 0.3
FEWER = {"miceforest": 5_000, "MissForest, ExtraTrees": 20_000}
"""The most rows, at random, for ways that take longer than LIMIT for all of a large table."""
DRAWS = 20
"""Multiple imputations, whose 5 % and 95 % quantiles are the ends of an interval."""
LIMIT = 600
"""Seconds of a processor that a way may take for a table."""
SAMPLES, ROWS = 5, 1_000
"""The most samples of one fit, each as large as the held-out rows, and the rows that are enough together."""
VERBS = {"gaps": "filled", "draws": "drawn"}
WAYS: dict[str, list[str]] = {
    "gaps": [*table_ways.FILL, *peers.FILL],
    "draws": [*table_ways.DRAW, *peers.DRAW],
}


def names(only: str | None) -> list[str]:
    return [only] if only else sorted(path.stem for path in (folder() / "tabular").glob("*.csv"))


def split(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows and held-out rows of a table without its identifiers."""
    train, test = table(name)()
    columns = [column for column in train if column_of(column, train[column]).kind != "key"]
    return train[columns], test[columns]


def measured(
    verb: table_process.Verb, way: str, tables: dict[str, pd.DataFrame], n: int, seed: int, limit: int
) -> table_process.Done:
    """What a way gives, from our environment or from the peers'; PeerError where it cannot be had."""
    if way in getattr(table_ways, verb):
        python, module = Path(sys.executable), table_ways.__name__
    else:
        package = peers.PACKAGES[way]
        environment.installed(package)
        python, module = environment.python_of(package), peers.__name__
    return table_process.measured(python, module, verb, way, tables, n, seed, limit)


def plain(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float and categories as objects, however a peer types them."""
    return pd.DataFrame(
        {name: rows[name].astype(float if is_number(like[name]) else object) for name in like if name in rows}
    )


def pooled(draws: list[pd.DataFrame], like: pd.DataFrame) -> pd.DataFrame:
    """The mean of completions for numbers, their mode for categories."""
    columns = {}
    for name in like:
        values = pd.concat([rows[name] for rows in draws], axis=1)
        columns[name] = values.mean(axis=1) if is_number(like[name]) else values.astype(str).mode(axis=1)[0]
    return pd.DataFrame(columns)


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


def gaps(name: str, way: str, seed: int, limit: int = LIMIT) -> Found:
    """The figures of one way to fill the held-out rows of a table."""
    train, test = split(name)
    seen = holes(test, seed, HIDDEN)
    few = FEWER.get(way, len(train))
    some = train if len(train) <= few else train.sample(few, random_state=seed, ignore_index=True)
    done = measured("FILL", way, {"train": some, "seen": seen}, DRAWS, seed, limit)
    draws = [plain(rows, train) for rows in done.draws]
    best = pooled(draws, train) if done.best is None else plain(done.best, train)
    error, right = errors(best, test, seen, train)
    covered = {"covered": coverage(draws, test, seen)} if draws else {}
    return {"error": error, "right": right, **covered, "seconds": done.seconds, "megabytes": done.megabytes}


def draws(name: str, way: str, seed: int, limit: int = LIMIT) -> Found:
    """The figures of drawn rows of a table, whose last column is the target: means over samples of a fit."""
    train, test = split(name)
    samples = min(SAMPLES, -(-ROWS // len(test)))
    done = measured("DRAW", way, {"train": train}, samples * len(test), seed, limit)
    drawn = plain(done.draws[0], train)
    shared = list(drawn)
    each: list[Found] = []
    for i in range(samples):
        rows = drawn[i * len(test) : (i + 1) * len(test)].reset_index(drop=True)
        found = draw_quality(test[shared], rows, training=train[shared], target=shared[-1], seed=seed)
        assert found.efficacy is not None and found.privacy is not None and found.pairs is not None
        each.append(
            {
                "shape": found.shape,
                "pairs": found.pairs,
                "detection": found.detection,
                "efficacy": found.efficacy.drawn - found.efficacy.real,
                "closer": found.privacy.closer_to_training,
                "copies": found.privacy.copies,
            }
        )
    means = {key: float(np.mean([found[key] for found in each])) for key in each[0]}
    return {**means, "seconds": done.seconds, "megabytes": done.megabytes}


def row(task: Callable[[int], Found], kind: str, seeds: tuple[int, ...]) -> Figures:
    """Means over seeds, and the spread where there are several; or why a way did not come to an end."""
    each: list[Found] = []
    figures: Figures = {"tables": [kind], "seeds": len(seeds)}
    for seed in seeds:
        try:
            each.append(task(seed))
        except environment.PeerError as error:
            return figures | {"note": str(error)}
    for key in each[0]:
        held = [found[key] for found in each]
        spread = f" ± {np.std(held):.3f}" if len(held) > 1 else ""
        whole = key in ("seconds", "megabytes")
        figures[key] = round(np.mean(held)) if whole else f"{np.mean(held):.3f}{spread}"
    return figures


def tables(
    kind: str,
    seeds: tuple[int, ...] = SEEDS,
    only: str | None = None,
    ways: list[str] | None = None,
    limit: int = LIMIT,
) -> Rows:
    """A row for each table and way."""
    task = {"gaps": gaps, "draws": draws}[kind]
    rows: Rows = {}
    for name in names(only):
        for way in WAYS[kind]:
            if not ways or way in ways:
                found = row(lambda seed, n=name, w=way: task(n, w, seed, limit), kind, seeds)
                rows[f"{name}, {VERBS[kind]} by {way}"] = found
                print(name, way, found, flush=True)
    return rows
