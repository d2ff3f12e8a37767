"""X and y of the user to tensors for the model, and back. This module does not depend on a model.

Rows are checked once, here: shape, columns, missing cells, classes, and the support of the likelihood.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
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
from ..model.label_head import LabelHead
from ..tensors import Rowwise
from .targets import Targets
from .validation import check_numeric, check_rows

Array = np.ndarray[Any, Any]

LEARNED = 50_000
"""Rows of a stream from which the column types are inferred."""
CONTEXT, MOST_COLUMNS = 64, 100
"""The width of the network between the columns of a table, and the most columns of one that has it."""


@dataclass
class Preprocessor:
    """What is learned from the training data before the model: codec, targets and default likelihood.
    scikit-learn's own checks are recorded on `estimator`."""

    estimator: BaseEstimator
    codec: Codec
    targets: Targets
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
        self = cls(estimator, learn(like, window), Targets(labels), window, allow_missing)
        own = self.codec.training_rows(like, y)
        x = map_blocks(X, self.encode) if streamed else self.codec.encode(own)
        self.targets = Targets.fit(labels, y, len(x))
        self.likelihood = stated_likelihood(self.codec, likelihood)
        x, self.has_missing = self._surveyed(x)
        return self, (x, self.targets.truth(y, len(x)))

    def refit(self, X: Any, y: Any, has_missing: bool) -> Rows:
        """The rows of a continued training, read like those of the first."""
        x, missing = self._surveyed(map_blocks(self.codec.training_rows(X, y), self.encode))
        if missing and not has_missing:
            raise DataError("the first fit had no missing cells: fit a new model with warm_start=False")
        return x, self.targets.truth(y, len(x))

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
        """X as the model reads it, and the labels that it is conditional on, if it is."""
        x = self.supported(map_blocks(X, self.encode))
        return x, self.targets.given(y, len(x))

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

    # -- the model file ------------------------------------------------------------------------------

    def to_header(self) -> dict[str, Any]:
        return {
            "event": list(self.codec.event),
            "codec": self.codec.header(),
            "classes": self.targets.header(),
            "has_missing": self.has_missing,
            "allow_missing": self.allow_missing,
        }

    @classmethod
    def from_header(
        cls, header: dict[str, Any], estimator: BaseEstimator, labels: LabelHead, likelihood: Family
    ) -> Self:
        codec = from_header(header["codec"])
        if list(codec.event) != header["event"]:
            raise ValueError("the event contradicts the spec")
        estimator.n_features_in_ = codec.event[0]
        if columns := header["codec"].get("columns"):
            names = [column["name"] for column in columns]
            estimator.feature_names_in_ = np.asarray(names, dtype=object)
        return cls(
            estimator,
            codec,
            Targets.from_header(labels, header["classes"]),
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
    check_numeric(X)
    finite = "allow-nan" if allow_missing else True
    words = {"accept_sparse": "csr", "allow_nd": True, "dtype": "numeric", "ensure_all_finite": finite}
    try:
        X = validate_data(estimator, X, reset=reset, **words)
    except ValueError as error:
        if "could not convert string" in str(error) or "bytes/strings" in str(error):
            raise DataError(
                "X holds text: give a frame (pandas or polars), whose columns may be text"
            ) from None
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
    return Columns(families, codec.missing_columns(), default_context(len(families))) if families else None


def default_context(columns: int) -> int:
    """The width of the network between the columns of a table, up to MOST_COLUMNS of them."""
    return CONTEXT if 1 < columns <= MOST_COLUMNS else 0


def default_likelihood(values: Values, sparse: bool) -> Family:
    """For an array: Bernoulli where all values are 0 or 1, else Gaussian with one learned scale per column;
    for a sparse matrix of counts: negative binomial, given each row's total."""
    if values.binary:
        return Bernoulli()
    return NegativeBinomial(mean=Local(Share())) if sparse and values.counts else Gaussian(scale=Shared())


def named_like(X: Any, cells: Array, names: list[str]) -> Any:
    """Numbers (n, len(names)) as a frame of X's library, if X is a frame of n rows; else as they are."""
    if not is_frame(X) or cells.shape != (len(X), len(names)):
        return cells
    if hasattr(X, "iloc"):
        return type(X)(cells, index=X.index, columns=names)
    return type(X)(dict(zip(names, cells.T, strict=True)))
