"""The data beside a model: rows by number, labels as class numbers, keys, and scores that are kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.stream import taken
from ..errors import DataError
from .wire import Array

if TYPE_CHECKING:
    from .. import VAE, Dataset

BLOCK = 65_536
"""The most rows that are read, encoded or scored at once."""
MOST_CLASSES = 200
"""The most distinct labels of the data that are taken for classes."""


class DataView:
    """DATA for one model, of n rows.

    `classes`: those of the model, else the labels of the data; `y` (n,) their numbers, -1 where unknown.
    `scores` (n,): log p(x) in nats, NaN where not yet computed.
    """

    def __init__(self, vae: "VAE", dataset: "Dataset") -> None:
        self.vae, self.X, self.dataset = vae, dataset.X, dataset
        self.n = int(dataset.X.shape[0])
        labels = None if hasattr(dataset.y, "columns") else dataset.y  # a frame holds covariates, no classes
        self.classes = classes_of(vae, labels)
        self.y = np.full(self.n, -1, np.int32) if labels is None else numbers_of(self.classes, labels)
        self.scores = np.full(self.n, np.nan, np.float64)
        self.scored = np.zeros(self.n, bool)
        self.kl_sum, self.kl_known = np.zeros(vae.latent_dim_), np.zeros(self.n, bool)

    def bounds(self, start: int, stop: int | None) -> tuple[int, int]:
        """Rows start to stop of the data, BLOCK at most."""
        stop = self.n if stop is None else stop
        if not 0 <= start <= stop:
            raise DataError(f"rows {start} to {stop}: start is 0 or more and stop not less than start")
        stop = min(stop, self.n, start + BLOCK)
        return min(start, stop), stop

    def index(self, rows: Array) -> Array:
        """Row numbers, checked."""
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or len(rows) > BLOCK:
            raise DataError(f"index takes at most {BLOCK} whole numbers, (m,)")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < self.n:
            raise DataError(f"row {int(rows.min())} to {int(rows.max())}: the rows are 0 to {self.n - 1}")
        return rows.astype(np.int64)

    def part(self, start: int, stop: int) -> Any:
        """Rows as the model takes them."""
        return self.X.iloc[start:stop] if hasattr(self.X, "iloc") else self.X[start:stop]

    def take(self, rows: Array) -> Any:
        """Rows by number."""
        return taken(self.X, rows)

    def labels(self, start: int, stop: int) -> Any:
        """Labels of rows as the model takes them, where it is conditional on them."""
        held = self.dataset.y
        return held[start:stop] if held is not None and self.vae.labels_.observed else None

    def chosen_labels(self, rows: Array) -> Any:
        """As `labels`, of rows by number."""
        return self.vae.preprocessor_.targets.chosen(self.dataset.y, self.n, rows)

    def keys(self, rows: Array, X: Any) -> list[str] | None:
        """The name of each row: its file, time or the first key column; `X` are those rows."""
        if self.dataset.keys is not None:
            return [str(key) for key in self.dataset.keys[rows]]
        name = self.key_column
        if name is None or not hasattr(X, "columns"):
            return None
        return [str(key) for key in X[name].tolist()]

    @property
    def key_column(self) -> str | None:
        codec: Any = self.vae.codec_
        named = [column.name for column in getattr(codec, "columns", ()) if column.kind == "key"]
        found: str | None = getattr(codec, "time", None) or next(iter(named), None)
        return found

    @property
    def has_keys(self) -> bool:
        return self.dataset.keys is not None or self.key_column is not None

    def score(self, start: int, stop: int) -> Array:
        """log p(x) of rows, nats, computed once; a series is scored as a whole, for its noise is that of the
        position."""
        if not self.scored[start:stop].all():
            first, last = (0, self.n) if self.vae.window_ is not None else (start, stop)
            self.scores[first:last] = self.vae.score_samples(self.part(first, last), self.labels(first, last))
            self.scored[first:last] = True
        return self.scores[start:stop]

    def score_some(self, rows: Array) -> Array:
        """The scores of some rows, not of a series."""
        new = rows[~self.scored[rows]]
        if len(new):
            self.scores[new] = self.vae.score_samples(self.take(new), self.chosen_labels(new))
            self.scored[new] = True
        return self.scores[rows]

    def score_all(self) -> Array:
        """The scores of all rows, block by block."""
        for start in range(0, self.n, BLOCK // 16):
            self.score(start, min(self.n, start + BLOCK // 16))
        return self.scores


def classes_of(vae: "VAE", y: Any) -> list[Any]:
    """The classes of the model, else the distinct labels of the data where they are few."""
    if vae.classes_ is not None:
        return list(vae.classes_.tolist())
    if y is None:
        return []
    held = np.asarray(y)
    known = held[[value is not None and value == value for value in held.tolist()]]
    distinct: list[Any] = sorted(set(known.tolist()), key=lambda value: (str(type(value)), value))
    return distinct if len(distinct) <= MOST_CLASSES else []


def numbers_of(classes: Sequence[Any], y: Any) -> Array:
    """Labels (n,) as class numbers, -1 where a label is none of the classes."""
    known = {label: i for i, label in enumerate(classes)}
    return np.array([known.get(label, -1) for label in np.asarray(y).tolist()], np.int32)
