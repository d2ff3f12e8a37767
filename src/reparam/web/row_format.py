"""Rows as arrays of numbers that JavaScript reads, and back: images, vectors, tables and series.

Images are (n, H, W, C) float32 in [0, 1]; vectors (n, D) float32; tables (n, modelled columns) float64, a
category as its index and a time in seconds since 1970; series (n, 1) float64, one row a time step, and
(n, window, 1) where a model gives windows. NaN is missing.
"""

import abc
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DataError
from ..plotting.mosaic import is_picture
from .wire import Array

if TYPE_CHECKING:
    from .. import VAE

DAY = 86_400.0


class RowFormat(abc.ABC):
    """The form of the rows of one model; `kind` is its name in the page."""

    kind: str

    def __init__(self, vae: "VAE") -> None:
        self.vae, self.codec = vae, vae.codec_

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one datum as the page shows it."""
        return self.vae.event_

    @abc.abstractmethod
    def numbers(self, X: Any) -> Array:
        """Rows as the model takes or gives them -> an array (n, ...)."""

    @abc.abstractmethod
    def rows(self, x: Array) -> Any:
        """The inverse of `numbers`, as the model takes rows; DataError at numbers that it cannot hold."""

    def cells(self, scores: Array) -> Array:
        """Numbers by cell of the model (n, *shape) in the layout of `numbers`."""
        return scores.astype(np.float32)

    def columns(self, some: Any) -> list[dict[str, Any]]:
        """Name, kind and range of each column; `some` are rows of the data, or None."""
        return []


class Vectors(RowFormat):
    kind = "vector"

    def numbers(self, X: Any) -> Array:
        dense: Array = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
        return dense.astype(np.float32).reshape(len(dense), *self.vae.event_)

    def rows(self, x: Array) -> Any:
        if x.shape[1:] != self.vae.event_:
            raise DataError(f"each row of x has shape {x.shape[1:]}; this model takes {self.vae.event_}")
        return x.astype(np.float32)

    def columns(self, some: Any) -> list[dict[str, Any]]:
        names = self.codec.names() if len(self.vae.event_) == 1 else []
        if some is None:
            return [{"name": name, "kind": "real"} for name in names]
        x = self.numbers(some)
        low, high = np.nanmin(x, 0, initial=np.inf), np.nanmax(x, 0, initial=-np.inf)
        return [
            {"name": name, "kind": "real", "low": float(low[i]), "high": float(high[i])}
            for i, name in enumerate(names)
        ]


class Images(RowFormat):
    kind = "image"

    def __init__(self, vae: "VAE") -> None:
        super().__init__(vae)
        self.top = max(getattr(vae.likelihood_, "top", None) or 1.0, 1.0)

    @property
    def first(self) -> bool:
        """Whether the user's channels stand first."""
        return len(self.vae.event_) == 3 and not getattr(self.codec, "channels_last", False)

    @property
    def shape(self) -> tuple[int, ...]:
        event = self.vae.event_
        return (*event, 1) if len(event) == 2 else (*event[1:], event[0]) if self.first else event

    def laid_out(self, X: Array) -> Array:
        """(n, *event) -> (n, H, W, C)."""
        if X.ndim == 3:
            return X[..., None]
        return X.transpose(0, 2, 3, 1) if self.first else X

    def numbers(self, X: Any) -> Array:
        return self.laid_out(np.asarray(X, dtype=np.float32)) / np.float32(self.top)

    def rows(self, x: Array) -> Any:
        event = self.vae.event_
        if x.shape[1:] != self.shape:
            raise DataError(f"each image has shape {x.shape[1:]}; this model takes {self.shape}")
        x = x.astype(np.float32)
        x = x if self.top == 1 else (x * np.float32(self.top)).round()
        if len(event) == 2:
            return x[..., 0]
        return x.transpose(0, 3, 1, 2) if self.first else x

    def cells(self, scores: Array) -> Array:
        x = torch.as_tensor(scores.reshape(len(scores), *self.codec.shape))
        return self.laid_out(np.asarray(self.codec.decode(x), dtype=np.float32))


class Series(RowFormat):
    kind = "series"

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.vae.event_, 1)

    def numbers(self, X: Any) -> Array:
        if hasattr(X, "columns"):
            frame = self.codec.pair(X)  # type: ignore[attr-defined]
            values: Array = frame.iloc[:, 1:].to_numpy(np.float64, na_value=np.nan)
            return values
        return np.asarray(X, dtype=np.float64)[..., None]

    def rows(self, x: Array) -> Any:
        import pandas as pd

        if x.ndim != 2 or x.shape[1] != 1:
            raise DataError(f"x has shape {x.shape}; a series has one row for each time step, (n, 1)")
        held = self.codec.header()
        times = np.arange(len(x)) * held["step"]
        return pd.DataFrame({held["time"]: times, held["value"]: x[:, 0].astype(np.float64)})

    def cells(self, scores: Array) -> Array:
        return scores.astype(np.float32)[..., None]

    def columns(self, some: Any) -> list[dict[str, Any]]:
        found: dict[str, Any] = {"name": self.codec.header()["value"], "kind": "real"}
        if some is not None:
            x = self.numbers(some)
            found |= {"low": float(np.nanmin(x)), "high": float(np.nanmax(x))}
        return [found]


class Tables(RowFormat):
    kind = "table"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.modelled),)

    @property
    def modelled(self) -> list[Any]:
        """The columns that the model has, in their order."""
        return self.codec.modelled  # type: ignore[attr-defined, no-any-return]

    @property
    def categories(self) -> list[int]:
        """How many each column has, 0 for a number."""
        return [len(column.categories) for column in self.modelled]

    def numbers(self, X: Any) -> Array:
        from ..data.codecs.table import to_pandas

        frame = to_pandas(X, [column.name for column in self.codec.columns])  # type: ignore[attr-defined]
        return np.stack([numbers_of(column, frame) for column in self.modelled], 1)

    def rows(self, x: Array) -> Any:
        import pandas as pd

        if x.ndim != 2 or x.shape[1] != len(self.modelled):
            names = ", ".join(column.name for column in self.modelled[:8])
            raise DataError(f"x has shape {x.shape}; this table has {len(self.modelled)} columns: {names}")
        held = {column.name: values_of(column, x[:, j]) for j, column in enumerate(self.modelled)}
        every = self.codec.columns  # type: ignore[attr-defined]
        return pd.DataFrame({c.name: held.get(c.name, c.value) for c in every}, index=range(len(x)))

    def columns(self, some: Any) -> list[dict[str, Any]]:
        return [self.described(column, some) for column in self.modelled]

    def described(self, column: Any, some: Any) -> dict[str, Any]:
        from ..plotting.cells import decimals

        found = {"name": column.name, "kind": column.kind, "low": column.low, "high": column.high}
        if column.categories:
            return found | {"categories": [str(category) for category in column.categories]}
        if column.kind == "date":
            first = start_of(column)
            return found | {"low": first + column.low * DAY, "high": first + column.high * DAY}
        digits = 0 if column.integer else 2 if some is None else decimals(some[column.name])
        return found | {"decimals": digits}


def start_of(column: Any) -> float:
    """The first date of a column, seconds since 1970."""
    import pandas as pd

    return float(pd.Timestamp(column.value).timestamp())


def numbers_of(column: Any, frame: Any) -> Array:
    """A column as float64 (n,)."""
    encoded: Array = column.encode(frame)
    return start_of(column) + DAY * encoded if column.kind == "date" else encoded + column.origin


def values_of(column: Any, x: Array) -> Any:
    """Numbers (n,) as values that the column takes."""
    import pandas as pd

    if column.kind == "date":
        times = pd.to_datetime(pd.Series(x), unit="s", utc=True, errors="coerce")
        zone = pd.Timestamp(column.value).tz
        return times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)
    if not column.categories:
        return x
    hole, most = np.isnan(x), len(column.categories) - 1
    if (wrong := ~hole & ~np.isin(x, np.arange(most + 1))).any():
        raise DataError(
            f"column {column.name!r} holds {x[wrong][0]:g}: give the index of a category, 0 to {most}"
        )
    held = np.array([*column.categories, None], dtype=object)
    return pd.Series(held[np.where(hole, -1, x).astype(int)], dtype=object)


def format_of(vae: "VAE") -> RowFormat:
    """The form of a fitted model's rows."""
    if vae.window_ is not None:
        return Series(vae)
    if vae.codec_.takes_frames:
        return Tables(vae)
    return Images(vae) if is_picture(vae.event_) else Vectors(vae)
