"""X and y of the user to tensors for the model, and back. This module does not depend on a model.

Rows are checked once, here: shape, columns, missing cells, classes, and the support of the likelihood.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import Tensor

from ..data.batching import Rows, Values, is_sparse, support_error, survey
from ..data.codecs.base import Codec, is_frame
from ..data.codecs.choose import from_header, learn
from ..data.stream import blocks_of, map_blocks, typical_rows
from ..errors import DataError
from ..families import Bernoulli, Columns, Family, Gaussian, Local, NegativeBinomial, Share, Shared
from ..model.labels import LabelHead
from ..tensors import Rowwise
from .validation import check_rows, check_whole

Array = np.ndarray[Any, Any]

UNLABELLED = (-1, "-1")
LEARNED = 50_000
"""Rows of a stream from which the column types are inferred."""


@dataclass
class Preprocessor:
    """What is learned from the training data before the model: codec, classes and default likelihood.
    scikit-learn's own checks are recorded on `estimator`."""

    estimator: BaseEstimator
    codec: Codec
    labels: LabelHead
    classes: Array | None
    window: int | None
    allow_missing: bool
    likelihood: Family | None = None
    has_missing: bool = False

    @classmethod
    def fit(
        cls,
        X: Any,
        y: Any,
        *,
        estimator: BaseEstimator,
        window: int | None,
        labels: LabelHead,
        likelihood: Family | Mapping[str, Family] | None,
    ) -> tuple[Self, Rows]:
        """The preprocessor of training data X, y, and their rows."""
        some = typical_rows(X, LEARNED)
        streamed = some is not X
        if streamed and window is not None:
            raise DataError("a window needs the whole time series in memory, not a stream: pass X[:]")
        allow_missing = likelihood is not None or is_frame(some)
        like = checked(estimator, some, window, frames=True, allow_missing=allow_missing, reset=True)
        self = cls(estimator, learn(like, window), labels, None, window, allow_missing)
        own = self.codec.training_rows(like, y)
        x = map_blocks(X, self.encode) if streamed else self.codec.encode(own)
        if labels.to_decoder:
            self.classes = classes_of(labels_of(y, len(x), labels, labels.partial), labels)
        self.likelihood = stated_likelihood(self.codec, likelihood)
        x, self.has_missing = self._surveyed(x)
        return self, (x, self.truth(y, len(x)))

    def refit(self, X: Any, y: Any, has_missing: bool) -> Rows:
        """The rows of a continued training, read like those of the first."""
        x, missing = self._surveyed(map_blocks(self.codec.training_rows(X, y), self.encode))
        if missing and not has_missing:
            raise DataError("the first fit had no missing cells: fit a new model with warm_start=False")
        return x, self.truth(y, len(x))

    def _surveyed(self, x: Rowwise) -> tuple[Rowwise, bool]:
        """Rows within the support of the likelihood, whose default depends on the values; and whether cells
        are missing."""
        known = self.likelihood is not None
        x = self.supported(x) if known else x
        values = survey(x)
        if self.likelihood is None:
            self.likelihood = default_likelihood(values, is_sparse(x))
        return x if known else self.supported(x), values.missing

    def transform(self, X: Any, y: Any = None) -> Rows:
        """X as the model reads it, and the class numbers that it is conditional on, if it is."""
        x = self.supported(map_blocks(X, self.encode))
        return x, self.given(y, len(x))

    def cells(self, X: Any, y: Any = None) -> tuple[Tensor, Tensor | None]:
        """`transform` for methods that need every cell in memory."""
        x, classes = self.transform(X, y)
        if not isinstance(x, Tensor):
            raise DataError("this needs every cell of X in memory: pass an array, X.toarray() or X[:]")
        return x, classes

    def surprise(self, X: Any) -> tuple[Array, Array] | None:
        """`Codec.surprise`, of a stream block by block."""
        found = [each for each in map(self.codec.surprise, blocks_of(X)) if each is not None]
        if not found:
            return None
        rows, cells = zip(*found, strict=True)
        return np.concatenate(rows), np.concatenate(cells)

    def encode(self, X: Any) -> Rowwise:
        """Rows, or a block of them, checked against the training data's shape and columns."""
        words = {"frames": self.codec.takes_frames, "allow_missing": self.allow_missing}
        return self.codec.encode(checked(self.estimator, X, self.window, **words, reset=False))

    def supported(self, x: Rowwise) -> Rowwise:
        """x; DataError where a value is outside the support of the likelihood. The blocks of a stream are
        checked when they are read."""
        family = self.likelihood
        assert family is not None

        def judged(block: Rowwise) -> Rowwise:
            if found := support_error(family, block):
                raise DataError(found.words(self.codec.column_names()))
            return block

        rows: Rowwise = map_blocks(x, judged)
        return rows

    def inverse(self, x: Tensor, given: Mapping[str, Any] | None = None) -> Any:
        """Model rows (n, *shape) with the type and shape of X; the cells of `given` keep their values."""
        return self.codec.decode(x, given)

    # -- classes -------------------------------------------------------------------------------------

    def given(self, y: Any, n: int) -> Tensor | None:
        """Class numbers of labels y; only where the model is conditional on them."""
        if not self.labels.observed:
            return None
        if y is None:
            if self.labels.n_classes == 1:
                return torch.zeros(n, dtype=torch.long)
            raise DataError(f"labels={self.labels} needs y: this model is conditional on the class")
        assert self.classes is not None
        return class_numbers(self.classes, one_each("y", y, n))

    def truth(self, y: Any, n: int, *, unlabelled: bool = False) -> Tensor | None:
        """Class numbers of n rows, -1 where they may be and are `unlabelled`."""
        if self.classes is None:
            return None
        some = unlabelled or self.labels.partial
        return class_numbers(self.classes, labels_of(y, n, self.labels, some), unlabelled=some)

    def code(self, label: Any, n: int) -> Tensor | None:
        """The label code that the decoder reads for n rows, (1, n, to_decoder)."""
        if self.classes is None:
            if label is not None:
                raise DataError("this model has no labels: leave label out, or fit with labels=...")
            return None
        if label is None and self.labels.n_classes == 1:
            label = self.classes[0]
        if label is None:
            raise DataError(f"label is needed: one of {self.classes.tolist()}")
        return self.labels.code(class_numbers(self.classes, one_each("label", label, n)))[None]

    # -- the model file ------------------------------------------------------------------------------

    def to_header(self) -> dict[str, Any]:
        return {
            "event": list(self.codec.event),
            "codec": self.codec.header(),
            "classes": None if self.classes is None else self.classes.tolist(),
            "has_missing": self.has_missing,
            "allow_missing": self.allow_missing,
        }

    @classmethod
    def from_header(
        cls, header: dict[str, Any], estimator: BaseEstimator, labels: LabelHead, likelihood: Family
    ) -> Self:
        classes = header["classes"]
        codec = from_header(header["codec"])
        known = labels.n_classes if labels.to_decoder else 0
        if list(codec.event) != header["event"] or len(classes or ()) != known:
            raise ValueError("event or classes contradict the spec")
        estimator.n_features_in_ = codec.event[0]
        if columns := header["codec"].get("columns"):
            names = [column["name"] for column in columns]
            estimator.feature_names_in_ = np.asarray(names, dtype=object)
        held = None if classes is None else np.asarray(classes)
        return cls(
            estimator,
            codec,
            labels,
            held,
            header["codec"].get("window"),
            bool(header["allow_missing"]),
            likelihood,
            bool(header["has_missing"]),
        )


def checked(
    estimator: BaseEstimator, X: Any, window: int | None, *, frames: bool, allow_missing: bool, reset: bool
) -> Any:
    """A frame where the training data were one, else a numeric array (n, *E) or a sparse matrix, with NaN
    where cells may be missing; a series as it is."""
    check_rows(X)
    if window is not None:
        return X
    if is_frame(X) and frames:
        names = [str(name) for name in X.columns]
        if len(set(names)) < len(names):
            raise DataError(f"two columns are called {Counter(names).most_common(1)[0][0]!r}; rename one")
        if names != list(X.columns):
            X = X.rename(columns=str)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return X
    finite = "allow-nan" if allow_missing else True
    words = {"accept_sparse": "csr", "allow_nd": True, "dtype": "numeric", "ensure_all_finite": finite}
    try:
        X = validate_data(estimator, X, reset=reset, **words)
    except ValueError as error:
        if not str(error).startswith("Input X contains"):
            raise DataError(str(error)) from None
        cure = "correct it, or let NaN mean missing with likelihood=Gaussian(scale=Shared())"
        raise DataError(f"{str(error).splitlines()[0]}{first_not_finite(X)} {cure}") from None
    if issparse(X):
        return X
    X = np.asarray(X, dtype=np.float64) if X.dtype.kind == "O" else np.asarray(X)
    if X[:1].size == 0:
        raise DataError(f"X has shape {X.shape}: 0 feature(s), a minimum of 1 is required")
    return X


def first_not_finite(X: Any) -> str:
    """The position of the first NaN or infinity of an array."""
    invalid = ~np.isfinite(np.asarray(X, dtype=float))
    place = [int(i) for i in np.unravel_index(int(invalid.argmax()), invalid.shape)]
    cell = f"column {place[1]}" if len(place) == 2 else f"pixel {tuple(place[1:])}"
    return f" The first is in row {place[0]}, {cell};"


def stated_likelihood(codec: Codec, likelihood: Family | Mapping[str, Family] | None) -> Family | None:
    """The given likelihood, or that of a table's columns; None where the values of an array decide."""
    if likelihood is not None and not isinstance(likelihood, Mapping):
        return likelihood
    families = codec.families(likelihood or {})
    return Columns(families) if families else None


def default_likelihood(values: Values, sparse: bool) -> Family:
    """For an array: Bernoulli where all values are 0 or 1, else Gaussian with one learned scale per column;
    for a sparse matrix of counts: negative binomial, given each row's total."""
    if values.binary:
        return Bernoulli()
    return NegativeBinomial(mean=Local(Share())) if sparse and values.counts else Gaussian(scale=Shared())


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
