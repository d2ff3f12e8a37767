"""A column of a table: its kind, from its type and values, and its conversion to numbers and back."""

import datetime
import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ...errors import DataError, SpecError
from ...families import Categorical, Family, Measurement, Quantile, default_family
from ..readers import tables as frames
from .base import number

Kind = Literal["real", "positive", "count", "boolean", "categorical", "ordinal", "date", "constant", "key"]
MEASUREMENTS: dict[Kind, Measurement] = {
    "real": "real",
    "positive": "positive",
    "count": "count",
    "boolean": "binary",
    "categorical": "nominal",
    "ordinal": "ordinal",
    "date": "real",
}


@dataclass(frozen=True)
class Column:
    """One column of the training data, of which `rows` have a value and the share `missing` has none.

    A decoded number becomes the nearest of `values`, if there are any; else it is rounded, to a whole one
    where `integer` and to `decimals` where those are known, and clipped to `low` and `high`. `inflated`
    counts have more zeros than a negative binomial; `quantile`: the default family has the data's margin.
    `hhmm`: the numbers are times of day, 1325 for 13:25. `spike`: the most frequent number and its share.
    """

    name: str
    kind: Kind
    dtype: str
    low: float = 0.0
    high: float = 0.0
    integer: bool = False
    categories: list[Any] = field(default_factory=list)
    value: Any = None
    inflated: bool = False
    rows: int = 0
    quantile: bool = False
    decimals: int | None = None
    values: list[float] = field(default_factory=list)
    missing: float = 0.0
    hhmm: bool = False
    spike: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = (float, int)
        if (
            self.kind not in get_args(Kind)
            or not isinstance(self.name, str)
            or not isinstance(self.dtype, str)
            or not isinstance(self.low, numbers)
            or not isinstance(self.high, numbers)
            or not isinstance(self.categories, list)
            or not isinstance(self.values, list)
            or not isinstance(self.spike, list)
            or not isinstance(self.decimals, int | None)
        ):
            raise ValueError(f"not a valid column: {self}")
        if self.kind == "date" and self.dtype == "datetime64[us]" and isinstance(self.value, str):
            zone = pd.Timestamp(self.value).tz  # older model files leave it out of the type of text dates
            object.__setattr__(self, "dtype", f"datetime64[us, {zone}]" if zone else self.dtype)

    @property
    def origin(self) -> float:
        """The constant subtracted before float32: 0, except for a real column whose spread is too small for
        float32 at its size."""
        return self.value if self.kind == "real" and isinstance(self.value, float) else 0.0

    @property
    def constant(self) -> Any:
        """The value of a constant column: a date where its type is one."""
        dates = self.dtype.startswith("datetime64") and self.value is not None
        return pd.Timestamp(self.value) if dates else self.value

    @property
    def whole_type(self) -> str:
        """The numpy type of a column of integers, else ""; pandas' Int64 and int64[pyarrow] are int64.

        >>> [Column("x", "real", name).whole_type for name in ("UInt8", "int64[pyarrow]", "float32")]
        ['uint8', 'int64', '']
        """
        name = self.dtype.lower().partition("[")[0]
        return name if re.fullmatch(r"u?int\d+", name) else ""

    @property
    def modelled(self) -> bool:
        return self.kind not in ("constant", "key")

    @property
    def measurement(self) -> Measurement:
        """The measurement type of a modelled column."""
        return MEASUREMENTS[self.kind]

    def family(self) -> Family:
        """The default family of the column. Levels of numbers have any frequencies, so a categorical one."""
        if self.kind == "ordinal" and not self.dtype.startswith("category"):
            return Categorical(len(self.categories), ordered=len(self.categories) > 2)
        return Quantile() if self.quantile else self.parametric_family()

    def parametric_family(self) -> Family:
        """The family of this kind of column, whatever its margin."""
        return default_family(self.measurement, len(self.categories), inflated=self.inflated)

    def check_family(self, family: Family | None) -> None:
        """Raise DataError for a numerical likelihood of a column of text."""
        words = self.kind == "categorical" or any(isinstance(c, str) for c in self.categories)
        fitting = (None, "nominal", "binary", *(("ordinal",) if self.kind == "ordinal" else ()))
        if words and family is not None and family.measurement not in fitting:
            raise SpecError(
                f"column {self.name!r} holds {len(self.categories)} categories, and {family} is a likelihood "
                f"for numbers. Use {self.family()}, or leave the column out of likelihood"
            )

    def encode(self, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        """This column of a frame -> float64 (n,), NaN where missing or, with a warning, never seen before."""
        values = frame[self.name]
        if self.categories:
            numbers = {category: i for i, category in enumerate(self.categories)}
            known = np.array([number_of(v, numbers) for v in values.astype(object)], float)
            new = np.isnan(known) & values.notna().to_numpy()
            if new.any():
                at = frames.where(frame, int(new.argmax()), self.name)
                old = ", ".join(map(repr, self.categories[:8]))
                warnings.warn(
                    f"{at} holds {plain(values[new].iloc[0])!r}, a value not seen in training ({old}); "
                    f"such cells are treated as missing, {int(new.sum())} in total, and lower a score",
                    stacklevel=2,
                )
            return known
        if self.kind == "date":
            dates = moments(values)
            cure = ", which is not a date; write it as YYYY-MM-DD"
            frames.reject_cells(frame, self.name, dates.isna() & values.notna(), cure)
            first = pd.Timestamp(self.value)
            if (dates.dt.tz is None) != (first.tz is None):
                dates = dates.dt.tz_localize(first.tz) if first.tz else dates.dt.tz_convert(None)
            days = (dates - first) / pd.Timedelta(days=1)
            return days.to_numpy(dtype=float, na_value=np.nan)
        floats = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        cure = "; the column held numbers in training: correct it, or pass it with --na if it means missing"
        frames.reject_cells(frame, self.name, np.isnan(floats) & values.notna(), cure)
        frames.large(frame, self.name, floats)
        return floats - self.origin

    def is_new(self, values: "pd.Series[Any]") -> np.ndarray[Any, Any]:
        """Where a value is none of the categories, or not the constant, of training, (n,)."""
        seen = [self.value] if self.kind == "constant" else self.categories
        if not seen:
            return np.zeros(len(values), bool)
        numbers = {value: i for i, value in enumerate(seen)}
        unknown = np.array([np.isnan(number_of(v, numbers)) for v in values.astype(object)], bool)
        return unknown & values.notna().to_numpy()

    def surprise(self, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        """log(rows + 1) nats for a value never seen in training, else 0, (n,): the `rows` of training and one
        row more that had it leave a probability of 1 / (rows + 1)."""
        if self.name not in frame:
            return np.zeros(len(frame))
        return np.where(self.is_new(frame[self.name]), np.log1p(self.rows), 0.0)

    def read(self, value: Any) -> Any:
        """A value, or its text, in this column's type; DataError where that is not possible."""
        about = f"column {self.name!r}"
        if value is None or value == "" or value != value:
            raise DataError(f"no value is given for {about}; give one, or leave the column out")
        if self.categories:
            for category in self.categories:
                if str(category) == str(value) or category == plain(value):
                    return category
            known = ", ".join(map(str, self.categories[:8]))
            raise DataError(f"{about} does not hold {value!r}; its values are {known}")
        if self.kind == "date":
            moment = pd.to_datetime(value, errors="coerce", format="ISO8601")
            if pd.isna(moment):
                raise DataError(f"{about} holds dates, not {value!r}; write it as YYYY-MM-DD")
            zone = pd.Timestamp(self.value).tz
            if (moment.tz is None) != (zone is None):
                moment = moment.tz_localize(zone) if zone else moment.tz_convert(None)
            return moment
        found = number(self.name, value)
        if not self.whole_type:
            return found
        limits = np.iinfo(self.whole_type)
        if found % 1 or not limits.min <= found <= limits.max:
            raise DataError(f"{about} holds whole numbers ({self.dtype}), not {value!r}")
        return int(found)

    def decode(self, numbers: np.ndarray[Any, Any]) -> "pd.Series[Any]":
        """float (n,) -> a column of the training frame's type, clipped to its range."""
        hole = np.isnan(numbers)
        if self.categories:
            index = np.where(hole, 0, numbers).round().astype(int).clip(0, len(self.categories) - 1)
            values = pd.Series(self.categories, dtype=object).iloc[index].reset_index(drop=True)
            return typed(values.mask(hole), self.dtype, self.categories)
        numbers = self.written(numbers + self.origin)
        if self.kind == "date":
            days = pd.to_timedelta(pd.Series(numbers), unit="D").dt.round("s")
            return (pd.Timestamp(self.value) + days).astype(self.dtype)  # type: ignore[call-overload, no-any-return]
        return typed(pd.Series(numbers), self.dtype, None)

    def written(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Numbers (n,) clipped to the range of the column, and as it writes them."""
        if self.values:
            return nearest(np.asarray(self.values), numbers)
        if self.integer or self.decimals is not None:
            numbers = np.round(numbers, self.decimals or 0)
        if self.hhmm:
            hours, minutes = np.divmod(numbers, 100)
            numbers = np.where(minutes < 80, 100 * hours + np.minimum(minutes, 59), 100 * (hours + 1))
        inside: np.ndarray[Any, Any] = np.clip(numbers, self.low, self.high)
        return inside


def nearest(values: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The nearest of the increasing `values` to each number, NaN where that is NaN."""
    index = np.searchsorted((values[1:] + values[:-1]) / 2, np.nan_to_num(numbers))
    return np.where(np.isnan(numbers), np.nan, values[index])


def written_as(dates: "pd.Series[Any]", sample: str) -> "pd.Series[Any]":
    """Dates as text in the form of `sample`: with its T before the time, and its Z where that says UTC."""
    if "T" not in sample:
        return dates.astype(str).where(dates.notna())
    text = dates.map(lambda moment: moment.isoformat(), na_action="ignore").astype(object)
    return text.str.replace("+00:00", "Z") if sample.endswith("Z") else text


def moments(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Dates, NaT where a value is none; those of several zones in UTC, as is one without a zone."""
    form: dict[str, Any] = {"errors": "coerce", "format": "ISO8601"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # pandas 2 makes objects of several zones
            dates = pd.to_datetime(values, **form)
    except ValueError:
        return pd.to_datetime(values, utc=True, **form)
    return dates if dates.dtype.kind == "M" else pd.to_datetime(values, utc=True, **form)


def plain(value: Any) -> Any:
    """A JSON value: numpy scalars become Python scalars, dates text."""
    if isinstance(value, datetime.date):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def number_of(value: Any, numbers: dict[Any, int]) -> float:
    """The number of a value, also of a text with blanks about it; NaN of one that has none.

    >>> [number_of(value, {"a": 0}) for value in ("a", " a", "b")]
    [0, 0, nan]
    """
    value = plain(value)
    stripped = value.strip() if isinstance(value, str) else value
    return numbers.get(value, numbers.get(stripped, np.nan))


def typed(values: "pd.Series[Any]", dtype: str, categories: list[Any] | None) -> "pd.Series[Any]":
    """Values in the training type, where it can hold missing cells."""
    if dtype == "category":
        return values.astype(pd.CategoricalDtype(categories))
    if dtype == "category ordered":
        return values.astype(pd.CategoricalDtype(categories, ordered=True))
    if values.isna().any() and dtype.startswith(("int", "uint", "bool")):
        return values.astype("float64") if dtype != "bool" else values
    return values.astype(dtype)  # type: ignore[call-overload, no-any-return]
