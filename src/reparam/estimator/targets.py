"""y of the user to tensors for the model: classes to their numbers, covariates to what the model reads."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..model.label_head import LabelHead
from .covariates import Held, array_of, columns_of, learned
from .validation import check_whole

Array = np.ndarray[Any, Any]

UNLABELLED = (-1, "-1")


@dataclass
class Targets:
    """y, as the label head reads it: class numbers (n,), or covariates (n, width)."""

    labels: LabelHead
    classes: Array | None = None

    @classmethod
    def fit(cls, labels: LabelHead, y: Any, n: int) -> Self:
        """What training labels or covariates y of n rows say: classes, or columns with their units."""
        if not labels.reads_y:
            return cls(labels)
        if labels.measured:
            return cls(learned(labels, y, n))
        return cls(labels, classes_of(labels_of(y, n, labels, labels.partial), labels))

    def given(self, y: Any, n: int) -> Tensor | None:
        """The labels of n rows as numbers, where the model is conditional on them; else None."""
        if not self.labels.observed:
            return None
        if self.labels.measured:
            return self.numbers("y", y, n)
        if y is None:
            if self.labels.n_classes == 1:
                return torch.zeros(n, dtype=torch.long)
            raise DataError(f"labels={self.labels} needs y: this model is conditional on the class")
        return self.numbers("y", y, n)

    def truth(self, y: Any, n: int, *, unlabelled: bool = False) -> Tensor | None:
        """The labels of n rows for training; class numbers are -1 where they may be and are `unlabelled`."""
        if self.labels.measured:
            return self.numbers("y", y, n)
        if self.classes is None:
            return None
        some = unlabelled or self.labels.partial
        return class_numbers(self.classes, labels_of(y, n, self.labels, some), unlabelled=some)

    def numbers(self, name: str, y: Any, n: int, under: Any = None) -> Tensor:
        """The model's numbers of n rows for labels `y`; covariates that it lacks are those of `under`."""
        if self.labels.measured:
            held: Held = {} if under is None else columns_of(self.labels, "y", under, n)
            return array_of(self.labels, held | columns_of(self.labels, name, y, n))
        assert self.classes is not None
        return class_numbers(self.classes, one_each(name, y, n))

    def condition(self, label: Any, n: int, under: Any = None) -> Tensor | None:
        """`label` of n rows, one for all or one each, as numbers; None where the model reads no labels."""
        if not self.labels.reads_y:
            if label is not None:
                raise DataError("this model has no labels: leave label out, or fit with labels=...")
            return None
        if label is None and self.classes is not None:
            if self.labels.n_classes > 1:
                raise DataError(f"label is needed: one of {self.classes.tolist()}")
            label = self.classes[0]
        if label is None:
            raise DataError(
                f"label is needed: {self.labels.example!r} for example, or a frame with a row for each"
            )
        return self.numbers("label", label, n, under)

    def drawn(self, label: Any, n: int, log_prior: Tensor) -> Any:
        """`label`, or n classes drawn as often as in training."""
        if label is not None or self.classes is None:
            return label
        return self.classes[torch.multinomial(log_prior.exp(), n, replacement=True).numpy()]

    def chosen(self, y: Any, n: int, rows: Array) -> Any:
        """Of the labels y of n rows those of `rows`; None where the model is not conditional on them."""
        if not self.labels.observed or y is None:
            return None
        if self.labels.measured:
            return {name: values[rows] for name, values in columns_of(self.labels, "y", y, n).items()}
        return one_each("y", y, n)[rows]

    def ends(self, label: Any, n: int) -> tuple[Any, Any]:
        """The first and the last of n labels, as `label` gives them."""
        if label is None:
            return None, None
        if self.labels.measured:
            held = columns_of(self.labels, "label", label, n)
            first, last = ({name: values[i] for name, values in held.items()} for i in (0, -1))
            return first, last
        each = one_each("label", label, n)
        return each[0], each[-1]

    def header(self) -> list[Any] | None:
        """What a model file says beside the label head."""
        return None if self.classes is None else self.classes.tolist()

    @classmethod
    def from_header(cls, labels: LabelHead, classes: list[Any] | None) -> Self:
        known = labels.n_classes if labels.reads_y and not labels.measured else 0
        if len(classes or ()) != known:
            raise ValueError("classes contradict the spec")
        return cls(labels, np.asarray(classes) if classes else None)


def labels_of(y: Any, n: int, head: LabelHead, unlabelled: bool) -> Array:
    """y as n numbers or strings; -1 or missing is allowed only with `unlabelled`."""
    if y is None:
        raise DataError(f"labels={head} needs y: fit(X, y)")
    held: Array = np.asarray(y)
    if held.shape != (n,):
        raise DataError(f"y has shape {held.shape}; X has {n} rows: one label per row is needed")
    cure = "label every row, or leave out those without a label; labels=Enumerated(...) uses them too"
    if held.dtype.kind in "Of":
        missing = np.array([value is None or value != value for value in held.tolist()], dtype=bool)
        if missing.any() and not unlabelled:
            raise DataError(f"y has no label in row {int(missing.argmax())}; {cure}")
        held = np.where(missing, -1, held)
    if held.dtype.kind == "O":
        for row, value in enumerate(held.tolist()):
            if not isinstance(value, str | bool | int | float | np.generic):
                raise DataError(f"y holds {value!r} in row {row}; labels are numbers or text")
        held = np.asarray(held.tolist())
    if held.dtype.kind == "f" and not np.isfinite(held).all():
        raise DataError(f"y has infinity; {cure}")
    if held.dtype.kind not in "biufU":
        raise DataError(f"y holds {held.dtype}; labels are numbers or text: y.astype(str)")
    return held


def classes_of(y: Array, head: LabelHead) -> Array:
    """The sorted classes of labels y; DataError where their number does not fit the label head."""
    known = ~np.isin(y, UNLABELLED[y.dtype.kind == "U"]) if head.partial else slice(None)
    classes: Array = np.unique(y[known])
    if not len(classes):
        raise DataError("every row of y is -1, unlabelled: label some rows, or leave labels out")
    if len(classes) == 1 < head.n_classes:
        raise DataError(f"y has one class, {classes.tolist()[0]!r}: leave labels out, or add another class")
    if len(classes) != head.n_classes:
        check_whole(classes, head.n_classes)
        raise DataError(
            f"y has {len(classes)} classes; labels={head} says {head.n_classes}. "
            f"Use {type(head).__name__}({len(classes)})"
        )
    return classes


def class_numbers(classes: Array, y: Array, *, unlabelled: bool = False) -> Tensor:
    """Labels y (n,) -> 0 .. K-1, and -1 for unlabelled rows, allowed only with `unlabelled`."""
    numbers: dict[Any, int] = {label: i for i, label in enumerate(classes.tolist())}
    if unlabelled:
        numbers = dict.fromkeys(UNLABELLED, -1) | numbers
    held = y.tolist()
    if absent := [label for label in held if label not in numbers]:
        raise DataError(f"{absent[0]!r} is not a class of this model: {classes.tolist()}")
    return torch.tensor([numbers[label] for label in held], dtype=torch.long)


def one_each(name: str, labels: Any, n: int) -> Array:
    """One label for all n rows, or one per row."""
    held = np.asarray(labels)
    if held.shape not in ((), (1,), (n,)):
        raise DataError(f"{name} has shape {held.shape}: give one label, or one for each of the {n} rows")
    rows: Array = np.broadcast_to(held, (n,))
    return rows
