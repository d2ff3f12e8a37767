"""Peers that fill or draw a table, with their own defaults; `table_process` runs them.

FILL[peer](train, seen, n, seed): None and `n` completions of `seen`; DRAW[peer](train, n, seed): `n` rows.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

Filled = tuple[None, list[pd.DataFrame]]
MISSING = "(missing)"
FEW = 10
"""Whole numbers with fewer values than this, and than a tenth of the rows, are categories, as for SDV."""

DECIMALS = 15
"""The most decimals of a column that are rounded."""


def is_text(values: pd.Series) -> bool:
    return values.dtype.kind not in "iuf"


def is_discrete(values: pd.Series) -> bool:
    known = values.dropna()
    few = known.nunique() < min(round(len(values) / 10), FEW)
    return is_text(values) or bool(few and (known % 1 == 0).all())


class Complete:
    """A table without missing cells, for peers that take none, and the way back. As SDV does by default:
    numbers are filled by their mean, and drawn ones go missing at random, as often as real ones; of a
    discrete column "missing" is one more category. Numbers have the decimals and the range of real ones."""

    def __init__(self, train: pd.DataFrame, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.train = train
        self.discrete = [name for name in train if is_discrete(train[name])]
        self.numbers = [name for name in train if name not in self.discrete]

    def rows(self) -> pd.DataFrame:
        words = self.train[self.discrete].astype(object)
        filled = self.train[self.numbers].fillna(self.train[self.numbers].mean())
        return words.where(words.notna(), MISSING).astype(str).astype(object).join(filled)[self.train.columns]

    def back(self, drawn: pd.DataFrame) -> pd.DataFrame:
        drawn = drawn.reset_index(drop=True)
        for name in self.discrete:
            known = drawn[name].astype(object).where(drawn[name] != MISSING)
            drawn[name] = known if is_text(self.train[name]) else known.astype(float)
        for name in self.numbers:
            absent = self.random.random(len(drawn)) < self.train[name].isna().mean()
            known = self.train[name].dropna()
            decimals = next((d for d in range(DECIMALS) if np.allclose(known, known.round(d), 0, 1e-9)), None)
            numbers = drawn[name].astype(float).clip(known.min(), known.max())
            drawn[name] = (numbers if decimals is None else numbers.round(decimals)).mask(absent)
        return drawn


def by_ctgan(kind: str) -> Callable[[pd.DataFrame, int, int], pd.DataFrame]:
    def draw(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
        import ctgan

        table, model = Complete(train, seed), getattr(ctgan, kind)()
        model.set_random_state(seed)
        model.fit(table.rows(), table.discrete)
        return table.back(model.sample(n))

    return draw


def by_arfpy(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    from arfpy.arf import arf

    np.random.seed(seed)
    table = Complete(train, seed)
    model = arf(table.rows(), verbose=False, random_state=seed)
    model.forde()
    return table.back(model.forge(n))


def by_forest_diffusion(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Numbers keep their missing cells: this peer trains each tree on the cells that are there."""
    from ForestDiffusion import ForestDiffusionModel

    table = Complete(train, seed)
    names = table.discrete + table.numbers
    words = table.rows()[table.discrete].astype("category")
    codes = words.apply(lambda column: column.cat.codes).astype(float)
    sizes = [len(words[name].cat.categories) for name in table.discrete]
    whole = [names.index(name) for name in table.numbers if train[name].dtype.kind in "iu"]
    model = ForestDiffusionModel(
        codes.join(train[table.numbers]).to_numpy(float),
        bin_indexes=[j for j, size in enumerate(sizes) if size <= 2],
        cat_indexes=[j for j, size in enumerate(sizes) if size > 2],
        int_indexes=whole,
        seed=seed,
    )
    drawn = pd.DataFrame(model.generate(batch_size=n), columns=names)
    for name in table.discrete:
        values = words[name].cat.categories
        drawn[name] = values[drawn[name].astype(int).clip(0, len(values) - 1)]
    return table.back(drawn[train.columns])


def by_tabular_argn(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    from mostlyai.engine import TabularARGN

    return TabularARGN(random_state=seed).fit(train).sample(n_samples=n)


def fill_by_tabular_argn(train: pd.DataFrame, seen: pd.DataFrame, n: int, seed: int) -> Filled:
    from mostlyai.engine import TabularARGN

    model = TabularARGN(random_state=seed).fit(train)
    return None, [model.impute(seen) for _ in range(n)]


def fill_by_miceforest(train: pd.DataFrame, seen: pd.DataFrame, n: int, seed: int) -> Filled:
    """A chain of five iterations for each completion. Rows with gaps stand among those that it learns from:
    its `impute_new_data` after whole rows fills no better than means. Categories are drawn by their
    probabilities: the default matches their logits, which are not finite where a category is rare."""
    from miceforest import ImputationKernel

    both = pd.concat([train, seen], ignore_index=True)
    for name in both:
        words = both[name].astype(object)
        text = is_text(train[name])
        both[name] = (
            words.where(words.isna(), words.astype(str)).astype("category") if text else words.astype(float)
        )
    drawn = {name: "fast" if is_text(train[name]) else "normal" for name in both}
    kernel = ImputationKernel(both, num_datasets=n, mean_match_strategy=drawn, random_state=seed)
    kernel.mice(5)
    completed = [kernel.complete_data(i)[len(train) :].reset_index(drop=True) for i in range(n)]
    return None, [rows.astype({name: object for name in rows if is_text(train[name])}) for rows in completed]


FILL: dict[str, Callable[[pd.DataFrame, pd.DataFrame, int, int], Filled]] = {
    "miceforest": fill_by_miceforest,
    "TabularARGN": fill_by_tabular_argn,
}
DRAW = {
    "TVAE": by_ctgan("TVAE"),
    "CTGAN": by_ctgan("CTGAN"),
    "arfpy": by_arfpy,
    "ForestDiffusion": by_forest_diffusion,
    "TabularARGN": by_tabular_argn,
}
PACKAGES = {
    "miceforest": "miceforest",
    "TabularARGN": "mostlyai-engine",
    "TVAE": "ctgan",
    "CTGAN": "ctgan",
} | {name: name for name in ("arfpy", "ForestDiffusion")}
"""The package of each peer."""
