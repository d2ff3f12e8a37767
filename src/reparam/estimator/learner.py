"""What fitting does: rows are read, what is not said is chosen by them, and a `Trainer` runs.

`__init__` only stores; what is fitted ends in `_`.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from ..data.batching import part, pieces
from ..data.codecs.array import Arrays
from ..data.codecs.base import Codec, is_frame
from ..data.codecs.choose import learn
from ..data.stream import Stream
from ..errors import DataError, FormatError, SpecError, extra
from ..families import Family, Gaussian
from ..model.labels import Auxiliary, Enumerated, Given, LabelHead
from ..model.model import Model, Parts
from ..model.priors import DEFAULTS, VampPrior
from ..nn.networks import Network, default_network
from ..objectives import ELBO, CrossEntropy, Term, terms_of
from ..serialization import model_file as storage
from ..specs.parse import parse
from ..specs.spec import plain, text
from ..tensors import Rowwise, Shape, as_shape, numel, random_from
from ..training.config import Training
from ..training.trainer import Progress, Rows, Trainer
from . import validation as door

Array = np.ndarray[Any, Any]
LEARNED = 50_000
"""Rows of a stream by which its columns are judged."""


@contextmanager
def unless_refused(estimator: BaseEstimator) -> Iterator[None]:
    """What raises in here leaves the estimator as it was."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class Learner(BaseEstimator):  # type: ignore[misc]
    """The parameters of a `VAE`, and how it learns them."""

    def __init__(
        self,
        latent_dim: int | tuple[int | Shape, ...] = 10,
        *,
        encoder: Network | None = None,
        decoder: Network | None = None,
        posterior: Family | None = None,
        prior: Family | VampPrior | None = None,
        likelihood: Family | dict[str, Family] | None = None,
        labels: LabelHead | None = None,
        objective: Term | tuple[Term, ...] | None = None,
        training: Training | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        window: int | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.encoder = encoder
        self.decoder = decoder
        self.posterior = posterior
        self.prior = prior
        self.likelihood = likelihood
        self.labels = labels
        self.objective = objective
        self.training = training
        self.random_state = random_state
        self.warm_start = warm_start
        self.window = window

    # -- fitting -------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on X (n, *E), with labels y (n,) where there is a label head. Returns self."""
        for _ in self.fit_iter(X, y):
            pass
        return self

    def fit_iter(self, X: Any, y: Any = None, resume: str | Path | None = None) -> Iterator[Progress]:
        """Train, and yield a Progress at the end of each epoch. Nothing runs between two `next`. Who stops
        listening has a fitted model.

        `resume`: a file that `save_training` wrote at some epoch of the same fit, to go on from there.
        """
        with unless_refused(self):
            train, valid = self._prepared(X, y, self.warm_start and hasattr(self, "model_"))
            done = self.history_[-1] if self.history_ else {"epoch": 0, "step": 0}
            if resume is not None:
                self._restore(resume)
        is_ending = sys.is_finalizing  # looked up now: when the interpreter ends, modules are empty
        try:
            for part_done in self.trainer_.run(train, valid):
                progress = replace(
                    part_done,
                    epoch=part_done.epoch + done["epoch"],
                    epochs=part_done.epochs + done["epoch"],
                    step=part_done.step + done["step"],
                )
                self.history_.append(progress.row())
                yield progress
        except GeneratorExit:
            if not is_ending():
                self._finish()
            raise
        self._finish()

    def _prepared(self, X: Any, y: Any, further: bool) -> tuple[Rows, Rows | None]:
        """The rows to train on and those held out, and all that training needs beside them."""
        door.refuse_arguments(self.get_params(deep=False))
        state = door.stated(self.random_state)
        if further:
            door.refuse_changes(self.asked_, door.wanted(self))
        x, classes = self._training_rows(X, y, further)
        if not further:
            x = self._resolve(x)
            self.asked_: dict[str, Any] = door.wanted(self)
        self.training_: Training = self.training or Training()
        self.random_state_, self.seed_ = state, door.seeded(state)
        with random_from(self.seed_):
            if not further:
                self.model_ = self._built()
            train, valid = self._split(x, classes)
            if not further:
                self.model_.start(*train)
            terms = terms_of(self.objective_, self._parts())
            self.trainer_ = Trainer(self.model_, terms, self.training_, self.seed_)
        self.history_: list[dict[str, Any]] = self.history_ if further else []
        return train, valid

    def _finish(self) -> None:
        self.trainer_.settle()
        self.model_.to("cpu").eval()
        del self.trainer_

    def specs_(self) -> dict[str, str]:
        """Every argument as text, choices resolved, defaults written out."""
        flat = len(self.rungs_) == 1 and len(self.model_.parts.rungs[0]) == 1
        dims = self.latent_dim_ if flat or not self.rungs_ else self.rungs_
        held = {name: getattr(self, name + "_", None) for name in door.KINDS} | {
            "latent_dim": dims,
            "random_state": self.random_state_,
        }
        return {name: text(value, complete=True) for name, value in held.items()}

    def save_training(self, path: str | Path) -> None:
        """Between two epochs of `fit_iter`: all that `fit_iter(X, y, resume=path)` needs to go on."""
        tensors, numbers = self.trainer_.state()
        storage.write(path, tensors, {"spec": self.specs_(), "history": self.history_, "training": numbers})

    def _restore(self, path: str | Path) -> None:
        tensors, header = storage.read(path)
        ours = self.specs_()
        held = {name: header["spec"].get(name) for name in door.KINDS if name != "training"}
        differs = [name for name, said in held.items() if said != ours[name]]
        stopped: Training = parse(header["spec"]["training"], Training)
        if type(stopped.optimiser) is not type(self.training_.optimiser):
            differs.append("training.optimiser")
        if differs:
            raise SpecError(
                f"{path} is of another fit: {', '.join(differs)} differ; leave resume out to start anew"
            )
        try:
            self.trainer_.restore(tensors, header["training"])
        except (KeyError, RuntimeError, ValueError) as error:
            fault = str(error).partition("\n")[0]
            raise FormatError(f"{path} holds no training of this model and these data ({fault})") from None
        self.history_ = list(header["history"])

    def _training_rows(self, X: Any, y: Any, further: bool) -> tuple[Rowwise, Tensor | None]:
        """X checked and encoded; codec and classes learned, unless a fit goes further."""
        if further:
            x = self._rows(X if self.window is None else self._moments(X, y))
            if not self.holes_ and any(piece.isnan().any() for piece in pieces(x)):
                raise DataError("the first fit saw no missing cells: fit anew, with warm_start=False")
            return x, self._truth(y, len(x))
        self.window_ = self._sized_window()
        if self.window_ is not None and isinstance(X, Stream):
            raise DataError("a window reaches over blocks of a stream: hand the series over whole, as X[:]")
        like = X.some(LEARNED) if isinstance(X, Stream) else X
        self.gaps_ = self.likelihood is not None or is_frame(like)
        like = self._checked(like, reset=True)
        self.codec_: Codec = learn(like, self.window_)
        X = X if isinstance(X, Stream) else like
        X = X if self.window_ is None else self._moments(X, y)
        self.labels_: LabelHead | None = self.labels
        self.classes_: Array | None = None
        if self.labels is not None:
            some = isinstance(self.labels, Enumerated)
            self.classes_ = door.classes_of(door.labels_of(y, len(X), self.labels, some), self.labels)
        x = X.map(self._encoded) if isinstance(X, Stream) else self.codec_.encode(X)
        return x, self._truth(y, len(x))

    def _moments(self, X: Any, y: Any) -> Any:
        """A series in the order of time, its known anomalies missing."""
        from ..data.codecs.series import Series

        assert isinstance(self.codec_, Series)
        return self.codec_.in_time(X if y is None else self.codec_.without(X, y))

    def _split(self, x: Rowwise, classes: Tensor | None) -> tuple[Rows, Rows | None]:
        """The rows to train on and, where `validation` asks for them, those held out: at random, the last
        windows of a series, whole blocks of a stream."""
        share, n = self.training_.validation, len(x)
        self.held_out_ = np.arange(0)
        if not share:
            return (x, classes), None
        sides: Sequence[Rowwise]
        if isinstance(x, Stream):
            blocks = x.split(share)
            held, kept = (torch.from_numpy(x.numbers(some)) for some in blocks)
            sides = [x.part(some) for some in blocks]
        else:
            order = torch.randperm(n) if self.window_ is None else torch.arange(n).flip(0)
            held, kept = order[: int(n * share)], order[int(n * share) :]
            sides = [part(x, held), part(x, kept)]
        if not len(held) or not len(kept):
            raise DataError(f"validation={share} of {n} rows leaves none on one side")
        self.held_out_ = held.numpy()
        late, early = sides
        if classes is None:
            return (early, None), (late, None)
        return (early, classes[kept]), (late, classes[held])

    def _encoded(self, X: Any) -> Tensor:
        """A block of a stream as the model reads it."""
        return self.codec_.encode(self._checked(X, reset=False))[:]

    def _truth(self, y: Any, n: int, unlabelled: bool = False) -> Tensor | None:
        """Class numbers of n rows, -1 where they may be and are `unlabelled`."""
        if self.labels_ is None or self.classes_ is None:
            return None
        some = unlabelled or isinstance(self.labels_, Enumerated)
        y = door.labels_of(y, n, self.labels_, some)
        return door.class_numbers(self.classes_, y, unlabelled=some)

    def _resolve(self, x: Rowwise) -> Rowwise:
        """Fill in the defaults, and refuse what does not fit together before anything is trained. Returns
        x, the blocks of a stream to be checked when they are read."""
        self._choose(x)
        x = door.supported(self.likelihood_, x, self.codec_)
        self.holes_ = self.training_.missing > 0 or any(bool(p.isnan().any()) for p in pieces(x))
        terms_of(self.objective_, self._parts())
        return x

    def _choose(self, x: Rowwise | None = None) -> None:
        """What is not said, by the data."""
        said_dims = plain(self.latent_dim)
        dims = said_dims if isinstance(said_dims, tuple) else () if said_dims == 0 else (said_dims,)
        if any(len(as_shape(d)) not in (1, 3) or min(as_shape(d)) < 1 for d in dims):
            raise SpecError(
                f"latent_dim takes sizes of 1 or more, or maps (C, H, W), a rung each, or 0; not {said_dims}"
            )
        self.latent_dim_ = sum(numel(as_shape(d)) for d in dims)
        self.rungs_ = dims
        self.encoder_ = self.encoder or default_network(self.codec_.shape)
        self.decoder_ = self.decoder or self.encoder_
        self.posterior_ = self.posterior or Gaussian()
        self.prior_ = self.prior or DEFAULTS[self.posterior_.support]
        self.likelihood_ = door.resolved_likelihood(self.codec_, x, self.likelihood)
        self.labels_ = self.labels
        default = (ELBO(), CrossEntropy(10.0)) if isinstance(self.labels, Auxiliary) else ELBO()
        self.objective_: Term | tuple[Term, ...] = (
            plain(self.objective) if self.objective is not None else default
        )
        self.training_ = self.training or Training()

    def _sized_window(self) -> int | None:
        """The window, refused where it makes no sense."""
        if self.window is None:
            return None
        if not isinstance(self.window, int | np.integer) or self.window < 2:
            raise SpecError(f"VAE.window takes a number of points, 2 or more; not {self.window!r}")
        if self.labels is not None:
            raise SpecError(f"window={self.window} with labels={self.labels}: y marks a series' anomalies")
        return int(self.window)

    def _parts(self) -> Parts:
        return Parts(
            self.rungs_,
            self.encoder_,
            self.decoder_,
            self.posterior_,
            self.prior_,
            self.likelihood_,
            self.labels_,
            self.holes_,
        )

    def _built(self) -> Model:
        model = Model(self.codec_.shape, self._parts())
        door.refuse_arguments(self.get_params(deep=False), listed=True)
        return model

    # -- data in and out -----------------------------------------------------------------------------

    def _rows(self, X: Any) -> Rowwise:
        """X as the model reads it, checked against the training data and the likelihood's support."""
        check_is_fitted(self)
        x = (
            X.map(self._encoded)
            if isinstance(X, Stream)
            else self.codec_.encode(self._checked(X, reset=False))
        )
        self.model_.eval()
        return door.supported(self.likelihood_, x, self.codec_)

    def _tensor(self, X: Any) -> Tensor:
        """`_rows` for what fills or shows every cell."""
        x = self._rows(X)
        if not isinstance(x, Tensor):
            raise DataError("this needs every cell of X at once: hand over an array, X.toarray() or X[:]")
        return x

    def _checked(self, X: Any, reset: bool) -> Any:
        """A frame where the training data were one, else a numeric array (n, *E); a series as it is."""
        if self.window_ is not None:
            return X
        if is_frame(X) and (reset or not isinstance(self.codec_, Arrays)):
            with extra("tables", "a data frame"):
                from ..data.codecs.table import to_pandas

            validate_data(self, to_pandas(X), reset=reset, skip_check_array=True)
            return X
        return door.numeric(self, X, reset=reset, holes=self.gaps_)

    @property
    def event_(self) -> tuple[int, ...]:
        """The shape of a row of X."""
        return self.codec_.event

    def _classes(self, y: Any, n: int) -> Tensor | None:
        """Class numbers of labels y; only where the encoder must be told them."""
        if not isinstance(self.labels_, Given):
            return None
        if y is None:
            if self.labels_.classes == 1:
                return torch.zeros(n, dtype=torch.long)
            raise DataError(f"labels={self.labels_} needs y: this model is conditional on the class")
        assert self.classes_ is not None
        return door.class_numbers(self.classes_, door.one_each("y", y, n))

    def _code(self, label: Any, n: int) -> Tensor | None:
        """The label numbers that n decoded rows see, (1, n, to_decoder)."""
        if self.labels_ is None:
            if label is not None:
                raise DataError("this model knows no labels: leave label out, or fit with labels=...")
            return None
        assert self.classes_ is not None
        if label is None and self.labels_.classes == 1:
            label = self.classes_[0]
        if label is None:
            raise DataError(f"say which label to draw: one of {self.classes_.tolist()}")
        return self.labels_.code(door.class_numbers(self.classes_, door.one_each("label", label, n)))[None]
