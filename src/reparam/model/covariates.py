"""Covariates: the columns of y that a model is conditional on, and the numbers that it reads for them."""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

import numpy as np

from ..errors import DataError, SpecError
from ..specs.spec import Spec

Array = np.ndarray[Any, Any]
KEY = 20
"""At least so many rows, all with different texts, are a key and not a category."""


@dataclass(frozen=True, repr=False)
class Covariate(Spec, abc.ABC):
    """One column of y. What is None is learned from the training data."""

    name: str

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """How many numbers the model reads; 0 where that is not yet known."""

    @property
    @abc.abstractmethod
    def typical(self) -> Any:
        """A usual value."""

    @property
    def example(self) -> Any:
        """The same, as one would write it."""
        return self.typical

    @property
    @abc.abstractmethod
    def as_number(self) -> str:
        """How the model's numbers follow from a value, in words."""

    @abc.abstractmethod
    def learned(self, values: Array) -> Self:
        """The column with what it does not know learned from `values` (n,)."""

    @abc.abstractmethod
    def code(self, values: Array) -> Array:
        """The model's numbers (n, width) for `values` (n,)."""

    @abc.abstractmethod
    def examples(self, n: int) -> Array:
        """The model's numbers (n, width) for n usual values that differ."""

    def read(self, text: str) -> Any:
        """The value that `text` names."""
        return text

    def present(self, values: Array) -> list[Any]:
        """The values as Python's; DataError where one is missing."""
        held: list[Any] = values.tolist()
        for row, value in enumerate(held):
            if value is None or type(value).__name__ == "NAType" or value != value:
                raise DataError(
                    f"covariate {self.name!r} is missing in row {row}: fill it in, or leave the row out"
                )
        return held


@dataclass(frozen=True, repr=False)
class Number(Covariate):
    """A number, standardised by the mean and standard deviation of the training data.

    >>> Number("age").learned(np.array([20.0, 40.0])).code(np.array([50.0])).tolist()
    [[2.0]]
    """

    mean: float | None = None
    sd: float | None = None

    def check(self) -> None:
        if self.sd is not None and not self.sd > 0:
            raise SpecError(f"Number.sd must be above 0, not {self.sd}")

    @property
    def width(self) -> int:
        return int(self.mean is not None and self.sd is not None)

    @property
    def typical(self) -> Any:
        return self.mean

    @property
    def example(self) -> Any:
        if self.mean is None or self.sd is None:
            return None
        return round(self.mean, max(0, 1 - math.floor(math.log10(self.sd))))

    @property
    def as_number(self) -> str:
        return f"(value - {self.mean:g}) / {self.sd:g}"

    def examples(self, n: int) -> Array:
        return np.linspace(-2, 2, n)[:, None]

    def numbers(self, values: Array) -> Array:
        """The values as finite float64; DataError where one is none."""
        found = []
        for row, value in enumerate(self.present(values)):
            try:
                found.append(float(value))
            except (TypeError, ValueError):
                found.append(np.inf)
            if not np.isfinite(found[-1]):
                raise DataError(f"covariate {self.name!r} is a finite number, not {value!r} (row {row})")
        return np.asarray(found, dtype=np.float64)

    def learned(self, values: Array) -> Self:
        numbers = self.numbers(values)
        mean = float(numbers.mean()) if self.mean is None else self.mean
        return replace(self, mean=mean, sd=(float(numbers.std()) or 1.0) if self.sd is None else self.sd)

    def code(self, values: Array) -> Array:
        assert self.mean is not None and self.sd is not None
        standard: Array = (self.numbers(values) - self.mean) / self.sd
        return standard[:, None]


@dataclass(frozen=True, repr=False)
class Category(Covariate):
    """One of some categories, as a one-hot vector; None: those of the training data, sorted.

    >>> Category("batch", ("A", "B")).code(np.array(["B"])).tolist()
    [[0.0, 1.0]]
    """

    categories: tuple[str | bool | int | float, ...] | None = None

    def check(self) -> None:
        if self.categories is not None and len(set(self.categories)) < max(1, len(self.categories)):
            raise SpecError(f"Category.categories needs different values, one or more; not {self.categories}")

    @property
    def width(self) -> int:
        return len(self.categories or ())

    @property
    def typical(self) -> Any:
        return self.categories[0] if self.categories else None

    @property
    def as_number(self) -> str:
        return f"one-hot: {', '.join(map(str, self.categories or ()))}"

    def learned(self, values: Array) -> Self:
        if self.categories is not None:
            return self
        held = self.present(values)
        kinds = (str, bool, int, float)
        if bad := [value for value in held if not isinstance(value, kinds)]:
            raise DataError(f"covariate {self.name!r} holds {bad[0]!r}; categories are text or numbers")
        found = set(held)
        if len(found) == len(held) >= KEY:
            raise DataError(f"covariate {self.name!r} differs in every row: it is a key; leave it out")
        try:
            return replace(self, categories=tuple(sorted(found)))
        except TypeError:
            raise DataError(
                f"covariate {self.name!r} mixes text and numbers: use y[{self.name!r}].astype(str)"
            ) from None

    def examples(self, n: int) -> Array:
        return np.eye(self.width)[np.arange(n) % self.width]

    def read(self, text: str) -> Any:
        return next((value for value in self.categories or () if str(value) == text), text)

    def code(self, values: Array) -> Array:
        place = {value: i for i, value in enumerate(self.categories or ())}
        held = self.present(values)
        if new := [row for row, value in enumerate(held) if value not in place]:
            known = shown(list(place))
            raise DataError(
                f"covariate {self.name!r} is {held[new[0]]!r} in row {new[0]}; training had {known}"
            )
        onehot: Array = np.eye(len(place))[[place[value] for value in held]]
        return onehot


def shown(values: Sequence[Any]) -> str:
    """Values in words, the first ten."""
    return ", ".join(map(repr, values[:10])) + (", ..." if len(values) > 10 else "")


Columns = tuple[Annotated[Covariate, Number, Category], ...]
