"""Time series: each time step is a row, and the model reads the window that ends in it.

Timestamps are mapped to a regular grid. Grid points without data are missing, and so are those before the
first time step: every time step has a window, and the first windows have missing cells.
"""

import math
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.lib.stride_tricks import sliding_window_view
from pandas.api import types
from torch import Tensor

from ...errors import DataError
from .array import ArrayCodec
from .table import to_pandas

Array = np.ndarray[Any, Any]
SPARSEST = 1000
"""A grid with this many times more steps than there are points means wrong timestamps."""


class SeriesCodec:
    """The codec of a time series: frames with a `time` and a `value` column -> (n, window), newest last.

    `step` is the most common difference of the training timestamps, in seconds where they are dates.

    >>> frame = pd.DataFrame({"timestamp": [0, 60, 180, 240], "value": [1.0, 2.0, 3.0, 4.0]})
    >>> SeriesCodec.learn(frame, window=3).encode(frame)
    tensor([[nan, nan, 1.],
            [nan, 1., 2.],
            [2., nan, 3.],
            [nan, 3., 4.]])
    """

    takes_frames = True

    def __init__(self, window: int, step: float, time: str, value: str) -> None:
        self.window, self.step, self.time, self.value = window, step, time, value
        self.event: tuple[int, ...] = (window,)
        if type(window) is not int or window < 2 or not 0 < step < math.inf:
            raise ValueError(f"a time series with window {window!r} and step {step!r}")
        self.windows = ArrayCodec(self.event, "float32")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.event

    @classmethod
    def learn(cls, X: Any, window: int) -> Self:
        """From the columns `timestamp` and `value`, or the only two, and the most common step."""
        frame = _frame(X)
        names = list(frame.columns)
        if not {"timestamp", "value"} <= set(names) and len(names) != 2:
            raise DataError(
                f"a time series has a time and a value column; this one has {', '.join(names)}. "
                "Name them timestamp and value, and pass labels with --label or as y"
            )
        time, value = ("timestamp", "value") if "timestamp" in names and "value" in names else names
        steps = np.diff(np.unique(_seconds(frame[time])))
        if len(frame) < 2 or not len(steps):
            raise DataError(f"a time series needs two different timestamps; column {time!r} has one")
        found, count = np.unique(steps, return_counts=True)
        return cls(window, float(found[count.argmax()]), time, value)

    def pair(self, X: Any) -> pd.DataFrame:
        """The time and the value of X, other columns left out."""
        frame = _frame(X, (self.time, self.value))
        absent = [name for name in (self.time, self.value) if name not in frame.columns]
        if absent:
            raise DataError(f"the time series lacks the column {absent[0]!r} of the training data")
        return frame[[self.time, self.value]]

    def encode(self, X: Any) -> Tensor:
        frame = self.pair(X)
        try:
            values = pd.to_numeric(frame[self.value]).to_numpy(np.float32, na_value=np.nan)
        except (ValueError, TypeError):
            raise DataError(f"column {self.value!r} holds text; a time series has numbers") from None
        slot = self._slots(_seconds(frame[self.time]))
        grid = np.full(self.window + slot.max(), np.nan, np.float32)
        grid[self.window - 1 + slot] = values
        return torch.from_numpy(sliding_window_view(grid, self.window)[slot])

    def _slots(self, seconds: Array) -> Array:
        """The grid index of each time step."""
        slot: Array = np.rint((seconds - seconds.min()) / self.step).astype(np.int64)
        if slot.max() > SPARSEST * len(slot):
            raise DataError(
                f"the timestamps span {slot.max()} steps of {self.step:g} but there are {len(slot)} points: "
                f"check column {self.time!r}"
            )
        if len(np.unique(slot)) < len(slot):
            raise DataError(
                f"two timestamps fall in one step of {self.step:g}: leave one out, or average them"
            )
        return slot

    def training_rows(self, X: Any, y: Any) -> pd.DataFrame:
        """X sorted by time, with the values of known anomalies (y = 1) set to missing."""
        frame = self.pair(X if y is None else self.without(X, y))
        return frame.iloc[np.argsort(_seconds(frame[self.time]), kind="stable")]

    def without(self, X: Any, anomalous: Any) -> pd.DataFrame:
        """X with the values of known anomalies set to missing."""
        known = np.asarray(anomalous)
        frame = self.pair(X)
        if known.shape != (len(frame),) or not np.isin(known, (0, 1)).all():
            raise DataError("the labels of a time series are 0 or 1, one per time step; 1 is an anomaly")
        return frame.assign(**{self.value: frame[self.value].mask(known == 1)})

    def surprise(self, X: Any) -> None:
        return None

    def decode(self, x: Tensor, given: Any = None) -> Array:
        """Windows (n, window)."""
        return self.windows.decode(x)

    def filled(self, X: Any, x: Tensor) -> pd.DataFrame:
        frame = _frame(X, (self.time, self.value)).copy()
        now = pd.Series(x[:, -1].numpy(), index=frame.index)
        return frame.assign(**{self.value: frame[self.value].fillna(now)})

    def known(self, cells: dict[str, Any]) -> Array:
        raise DataError("sample(given=...) is for tables and arrays, not for a time series")

    def row(self, x: Any) -> Any:
        raise DataError("a row of a time series needs the steps before it: decode its code from transform(X)")

    def column_names(self) -> list[str]:
        return self.names()

    def names(self) -> list[str]:
        return [f"t-{i}" for i in range(self.window - 1, 0, -1)] + ["t"]

    def families(self, chosen: Any) -> tuple[()]:
        self.windows.families(chosen)
        return ()

    def missing_columns(self) -> tuple[int, ...]:
        return ()

    def header(self) -> dict[str, Any]:
        words = {"window": self.window, "step": self.step, "time": self.time, "value": self.value}
        return {"kind": "series", **words}


def _frame(X: Any, names: tuple[str, str] = ("timestamp", "value")) -> pd.DataFrame:
    """A frame unchanged; values without timestamps are one step apart."""
    if hasattr(X, "columns"):
        return to_pandas(X)
    values = np.asarray(X)
    if values.ndim == 2 and values.shape[1] == 2:
        return pd.DataFrame(values, columns=list(names))
    if values.size != len(values):
        raise DataError(f"a time series has shape (n,) or columns of time and value; X has {values.shape}")
    return pd.DataFrame(dict(zip(names, (np.arange(len(values)), values.reshape(-1)), strict=True)))


def _seconds(times: "pd.Series[Any]") -> Array:
    """Numbers unchanged, dates as seconds."""
    if types.is_numeric_dtype(times):
        seconds = times.to_numpy(float, na_value=np.nan)
    else:
        moments = pd.to_datetime(times, utc=True, errors="coerce", format="ISO8601")
        seconds = ((moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy(float)
    if not np.isfinite(seconds).all():
        row = int((~np.isfinite(seconds)).argmax())
        raise DataError(
            f"column {times.name!r} has no valid time in row {row}; write numbers, or dates like 2024-01-31"
        )
    return seconds
