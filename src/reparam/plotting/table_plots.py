"""The plots of a model of a data frame."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.codecs.table import to_pandas
from ..data.stream import taken
from ..evaluation.column_distances import is_number, numbers
from .associations import associations, correlation_ratio
from .cells import texts
from .fitted import Array, Rows, samples_of
from .score_figures import score_histogram, strangest, strangest_cells
from .table_figures import ASSOCIATED, correlations, distance, marginals

SCORED = 1000  # the most rows that are scored
DRAWN = 2000  # the rows that are drawn
GROUPS = range(2, 11)  # numbers of classes that colour a map


class TablePlots:
    """`pictures` yields the name and the plot of everything that applies to a model and some rows."""

    def __init__(self, model: Any, rows: Rows) -> None:
        columns = model.codec_.columns
        self.model, self.rows = model, rows
        self.kinds = {column.name: str(column.kind) for column in columns if column.modelled}
        self.names = list(self.kinds)
        self.all_names = [column.name for column in columns]
        self.score = "log p(x)" if model.posterior_.has_density else "log p(x|z)"
        frame = to_pandas(rows.X, self.all_names)
        keys = [column.name for column in columns if column.kind == "key" and column.name in frame]
        self.index = frame[keys[0]] if keys else frame.index
        self.real = pd.DataFrame({column.name: typed(frame, column) for column in columns if column.modelled})

    def pictures(self) -> Iterator[tuple[str, Figure]]:
        yield "marginals", marginals(self.real, self.drawn)
        if len(self.names) > 1:
            yield "correlations", correlations(self.real, self.drawn)
        step = -(-len(self.real) // SCORED)
        some = Rows(self.rows.X[::step], given=None if self.rows.given is None else self.rows.given[::step])
        scores = self.model.score_samples(some.X, *some.condition)
        yield "score_histogram", score_histogram(scores, name=self.score)
        yield "strangest_cells", self.strangest(some, scores, step)

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """DRAWN rows from the model."""
        return to_pandas(samples_of(self.model, DRAWN, self.rows), self.names)[self.names]

    def distances(self) -> dict[str, tuple[str, float]]:
        """How far the marginals of real and drawn rows differ, as in `table_figures.distance`."""
        return {name: distance(self.real[name], self.drawn[name]) for name in self.names}

    def changed_pairs(self, n: int) -> list[tuple[str, str, float, float]]:
        """The pairs of columns whose association in real and in drawn rows differs the most."""
        names = self.names[:ASSOCIATED]
        real, drawn = associations(self.real[names]), associations(self.drawn[names])
        rows, columns = np.tril_indices(len(names), -1)
        change = np.nan_to_num(np.abs(drawn - real)[rows, columns])
        found = [(rows[i], columns[i]) for i in np.argsort(-change, kind="stable")[:n]]
        return [(names[j], names[i], float(real[i, j]), float(drawn[i, j])) for i, j in found]

    def strangest(self, some: Rows, scores: Array, step: int) -> Figure:
        """The least likely rows; what was expected in a cell is inferred from the others of its row."""
        cells = np.asarray(self.model.score_cells(some.X, *some.condition))
        found = strangest(scores, cells)
        blanked = to_pandas(some.X, self.all_names).iloc[found.rows].copy()
        for name, marked in zip(self.names, found.cells.T, strict=True):
            blanked[name] = blanked[name].mask(marked)
        given = [taken(label, found.rows) for label in some.condition]
        expected = to_pandas(self.model.impute(blanked, *given), self.all_names)
        shown = self.real.iloc[::step].set_axis(self.index[::step])
        return strangest_cells(shown, scores, cells, expected[self.names], name=self.score)

    def colouring(self, points: Array) -> tuple[Array | None, str]:
        """The column with few classes that lie furthest apart in a plane (n, 2), and its name."""
        best, labels, chosen = 0.0, None, ""
        for name, values in self.real.items():
            if values.nunique() not in GROUPS or (is_number(values) and (numbers(values.dropna()) % 1).any()):
                continue
            known, words = values.notna().to_numpy(), np.array(texts(values), dtype=object)
            codes = np.unique(words, return_inverse=True)[1]
            apart = sum(correlation_ratio(axis, codes) for axis in points[known].T)
            if apart > best:
                best, labels, chosen = apart, np.full(len(values), None, dtype=object), str(name)
                labels[known] = words
        return labels, chosen


def typed(frame: pd.DataFrame, column: Any) -> Any:
    """A column as the model understands it: dates as dates, numbers as numbers."""
    values = frame[column.name]
    if column.kind == "date":
        return pd.to_datetime(values, errors="coerce", format="ISO8601")
    levels = column.kind == "ordinal" and not column.dtype.startswith("category")
    if is_number(values) or (column.categories and not levels):
        return values
    return pd.to_numeric(values, errors="coerce")
