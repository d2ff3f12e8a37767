"""VAE: the scikit-learn face. `__init__` only stores; what is fitted ends in `_`."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from . import doctor, door, evaluate as evaluation, impute as imputing, refit, storage
from .anomaly import reconstruction
from .config import parse
from .data.codec import Arrays, Codec, is_frame
from .data.codecs import from_header, learn
from .data.rows import part, pieces
from .data.stream import Stream
from .distributions import mean_of
from .door import KINDS as KINDS
from .errors import DataError, FormatError, SpecError
from .evaluate import Evaluation, log_likelihood, over_rows, probed
from .families import Family, Gaussian
from .labels import Auxiliary, Enumerated, Given, LabelHead
from .model import Model, Parts
from .networks import Network, default_network
from .objective import ELBO, Term, terms_of
from .penalties import CrossEntropy
from .priors import DEFAULTS, VampPrior
from .spec import Spec, accepts, describe, plain, text
from .tensors import Rowwise, Shape, as_shape, numel
from .train import Progress, Rows, Trainer
from .training import Training

Array = np.ndarray[Any, Any]

LEARNED = 50_000
"""Rows of a stream by which its columns are judged."""


def has_classifier(vae: "VAE") -> bool:
    labels = getattr(vae, "labels_", vae.labels)
    if isinstance(labels, Auxiliary | Enumerated):
        return True
    raise AttributeError("predict needs a classifier: fit with labels=Auxiliary(classes) or Enumerated")


class VAE(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A variational autoencoder with a scikit-learn face.

    Main arguments (None takes the documented default; the resolved parts are `posterior_` and so on):

    - latent_dim: latent size L, or one a rung from the top of a ladder; 0 needs `labels=Given(...)`.
    - likelihood: p(x|z). Default: Bernoulli() for values in {0, 1}, else Gaussian(scale=Shared()); for a
      data frame a family for each column by its type and values, {column: family} says some of them.
    - labels: Auxiliary(K) learns a classifier beside the model, Given(K) conditions on y.
    - objective: a term or several; ELBO(), with CrossEntropy(10) beside it for an Auxiliary head.
    - training: Training(epochs=..., batch_size=128, learning_rate=1e-3, ...).

    - window: X is a time series, a frame with a `timestamp` and a `value` column (or values alone), and a
      row is a moment with the `window` points that end in it; `y` marks known anomalies with 1, and
      training takes their values for missing. `Training.validation` holds its last moments out.

    Other arguments: encoder and decoder (MLP((256, 256)); Conv for pictures of more
    than 1,024 numbers; your own are subclasses of `Network`, see `tacit.networks`), posterior
    (Gaussian()), prior (StandardNormal(), CodePrior() for codes), random_state (an int gives the same
    model, bit for bit, on the same machine), warm_start (fit goes on from the fitted model, in the units
    of its first data; only `training` and `random_state` may change).

    X is (n, columns) or (n, *E), pictures as (n, H, W) or (n, C, H, W). Densities are in nats per
    datum, in the units of X. Source: Kingma and Welling, "Auto-Encoding Variational Bayes" (2014).

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 3)) @ np.diag([1.0, 2.0, 3.0])
    >>> vae = VAE(2, training=Training(epochs=3), random_state=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(5).shape, vae.score_samples(X).shape
    ((200, 2), (5, 3), (200,))
    """

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
        """Train, and yield a Progress at the end of each epoch. Nothing runs between two `next`.

        `resume`: a file that `save_training` wrote at some epoch of the same fit, to go on from there.
        """
        further = self.warm_start and hasattr(self, "model_")
        door.refuse_arguments(self.get_params(deep=False))
        seed = door.seeded(self.random_state)
        if further:
            door.refuse_changes(self.asked_, door.wanted(self))
        x, classes = self._training_rows(X, y, further)
        if not further:
            x = self._resolve(x)
            self.asked_: dict[str, Any] = door.wanted(self)
        self.training_: Training = self.training or Training()
        self.seed_ = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_)
            if not further:
                self.model_ = self._built()
            train, valid = self._split(x, classes)
            if not further:
                self.model_.start(*train)
            terms = terms_of(self.objective_, self._parts())
            trainer = Trainer(self.model_, terms, self.training_, self.seed_)
        self.history_: list[dict[str, Any]] = self.history_ if further else []
        done = self.history_[-1] if self.history_ else {"epoch": 0, "step": 0}
        self.trainer_ = trainer
        if resume is not None:
            self._restore(resume)
        for part_done in trainer.run(train, valid):
            progress = replace(
                part_done,
                epoch=part_done.epoch + done["epoch"],
                epochs=part_done.epochs + done["epoch"],
                step=part_done.step + done["step"],
            )
            self.history_.append(progress.row())
            yield progress
        self.model_.to("cpu").eval()
        del self.trainer_

    def refit_prior(
        self, X: Any, prior: Family | VampPrior, y: Any = None, *, training: Training | None = None
    ) -> Self:
        """Replace p(z) by the `prior` under which the codes of X are likeliest; all else stays. Returns self.

        `prior_` and `model_` change. A tenth of X chooses the epoch; where no epoch explains its codes
        better than the prior at hand, that one stays, with a warning. For an autoencoder (posterior
        Point()) this is what makes `sample` good. y where labels are Given; `training` is by default the
        model's own, but for about 10,000 steps at most. Source: Ghosh et al. (2020),
        "ex-post density estimation"; Dai and Wipf (2019).
        """
        x = self._rows(X)
        if not accepts(KINDS["prior"], prior, listed=True):
            raise SpecError(f"refit_prior takes {describe(KINDS['prior'])}, not {prior!r}")
        rows = (x, self._classes(y, len(x)))
        training = training or replace(self.training_, epochs=None)
        self.model_ = refit.refit_prior(self.model_, prior, rows, training, self.seed_)
        self.prior_ = self.model_.parts.prior
        return self

    def save_training(self, path: str | Path) -> None:
        """Between two epochs of `fit_iter`: all that `fit_iter(X, y, resume=path)` needs to go on."""
        tensors, numbers = self.trainer_.state()
        storage.write(path, tensors, {"spec": self.specs_(), "history": self.history_, "training": numbers})

    def _restore(self, path: str | Path) -> None:
        tensors, header = storage.read(path)
        ours = self.specs_()
        differs = [name for name in KINDS if header["spec"].get(name) != ours[name] and name != "training"]
        if differs:
            raise SpecError(
                f"{path} is of another fit: {', '.join(differs)} differ; leave resume out to start anew"
            )
        try:
            self.trainer_.restore(tensors, header["training"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise FormatError(f"{path} holds no training to resume ({error})") from None
        self.history_ = list(header["history"])

    def _training_rows(self, X: Any, y: Any, further: bool) -> tuple[Rowwise, Tensor | None]:
        """X checked and encoded; codec and classes learned, unless a fit goes further."""
        if further:
            x = self._rows(X)
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
        if self.window_ is not None and y is not None:
            from .data.series import Series

            assert isinstance(self.codec_, Series)
            X = self.codec_.without(X, y)
        self.labels_: LabelHead | None = self.labels
        self.classes_: Array | None = None
        if self.labels is not None:
            self.classes_ = door.classes_of(door.labels_of(y, len(X), self.labels), self.labels)
        x = X.map(self._encoded) if isinstance(X, Stream) else self.codec_.encode(X)
        return x, self._truth(y, len(x))

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

    def _truth(self, y: Any, n: int) -> Tensor | None:
        """Class numbers of n rows in training, -1 where unlabelled."""
        if self.labels_ is None or self.classes_ is None:
            return None
        y = door.labels_of(y, n, self.labels_)
        return door.class_numbers(self.classes_, y, unlabelled=isinstance(self.labels_, Enumerated))

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
        said = self.likelihood if isinstance(self.likelihood, dict) else {}
        self.likelihood_ = (
            self.likelihood
            if isinstance(self.likelihood, Family)
            else door.default_likelihood(self.codec_, x, said)
        )
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
            from .data.tables import to_pandas

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

    # -- using ---------------------------------------------------------------------------------------

    def transform(self, X: Any, y: Any = None) -> Array:
        """Posterior means (n, L), rungs side by side; deterministic. y where labels are Given."""
        z = self._codes(X, y)
        held = X if issparse(X) or isinstance(X, Stream) else np.asarray(X)
        return z.astype(np.float64 if getattr(held, "dtype", None) == np.float64 else np.float32)

    def _codes(self, X: Any, y: Any = None) -> Array:
        x = self._rows(X)
        return over_rows(self.model_.encode, x, self._classes(y, len(x))).numpy()

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """fit, then transform the same rows."""
        self.fit(X, y)
        return self.transform(X, y if isinstance(self.labels_, Given) else None)

    def inverse_transform(self, Z: Any, label: Any = None) -> Any:
        """Decoded means (n, *E) of codes Z (n, L); `label` is one class, or one a row."""
        check_is_fitted(self)
        Z = np.asarray(Z, dtype=np.float32)
        if Z.ndim != 2 or Z.shape[1] != self.latent_dim_:
            raise DataError(f"Z has shape {Z.shape}; this model decodes (n, {self.latent_dim_})")
        return self._decoded(torch.as_tensor(Z), self._code(label, len(Z)), mean=True)

    @torch.no_grad()
    def _decoded(self, z: Tensor, code: Tensor | None, mean: bool) -> Any:
        px = self.model_.decode(self.model_.state(z), code)
        x = (mean_of(px) if mean else px.sample()).reshape(len(z), *self.model_.event)
        return self.codec_.decode(x)

    @torch.no_grad()
    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Decoded means of the posterior means (n, *E); deterministic."""
        x = self._rows(X)

        def rebuilt(a: Tensor, b: Tensor | None) -> Tensor:
            return mean_of(self.model_.rebuild(a, b)).reshape(len(a), *self.model_.event)

        return self.codec_.decode(over_rows(rebuilt, x, self._classes(y, len(x))))

    def sample(
        self,
        n: int = 1,
        *,
        label: Any = None,
        mean: bool = False,
        given: dict[str, Any] | None = None,
        random_state: Any = None,
    ) -> Any:
        """n draws x ~ p(x|z), z ~ p(z), shaped and typed like X; `mean`: E[x|z], as pictures show.

        With labels, `label` is one class or one a row; None draws classes as often as in training.
        `given` holds columns of a table at values: p(x | given), by resampling draws of the prior.
        """
        check_is_fitted(self)
        door.at_least(1, n=n)
        if given:
            return self._sample_given(n, given, random_state)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self._seed(random_state))
            if label is None and self.classes_ is not None:
                drawn = torch.multinomial(self.model_.log_prior_y.exp(), n, replacement=True)
                label = self.classes_[drawn.numpy()]
            px = self.model_.decode(self.model_.prior_state(n), self._code(label, n))
            x = (mean_of(px) if mean else px.sample()).reshape(n, *self.model_.event)
        return self.codec_.decode(x)

    def _sample_given(self, n: int, given: dict[str, Any], random_state: Any) -> Any:
        if not isinstance(given, Mapping):
            raise SpecError(f"given takes columns and their values, say {{'age': 30}}; not {given!r}")
        if self.labels_ is not None:
            raise DataError("sample takes given only without labels: fit with labels=None")
        x = self.codec_.encode(self.codec_.known(given))[:].expand(n, *self.codec_.shape)
        door.supported(self.likelihood_, x[:1], self.codec_)
        said = ", ".join(f"{name}={plain(value)}" for name, value in given.items())
        drawn, size = imputing.given(self.model_, x, None, max(10_000, 10 * n), self._seed(random_state))
        if not size:
            raise DataError(f"{said} has probability 0 in this model; say values nearer to the training data")
        if size < n / 10:
            warnings.warn(
                f"only about {size:.0f} of the prior's draws fit {said}: the {n} rows repeat them",
                stacklevel=3,
            )
        return self.codec_.decode(drawn, given)

    def _seed(self, random_state: Any) -> int:
        return self.seed_ if random_state is None else door.seeded(random_state)

    def impute(
        self,
        X: Any,
        y: Any = None,
        *,
        draws: int | None = None,
        n_samples: int = 100,
        random_state: Any = None,
    ) -> Any:
        """X with its missing cells filled: E[x_miss | x_obs], the most probable class of a category.

        `draws=M` gives a list of M tables, each one draw of p(x_miss | x_obs) (multiple imputation).
        Known cells are X's own; type, index, columns and dtypes are X's. Importance sampling with
        `n_samples` draws of z a row (Mattei and Frellsen 2019, equation 13).
        """
        door.at_least(1, n_samples=n_samples, **({} if draws is None else {"draws": draws}))
        x = self._tensor(X)
        classes, seed = self._classes(y, len(x)), self._seed(random_state)
        if draws is None:
            return self.codec_.filled(X, imputing.best(self.model_, x, classes, n_samples, seed))
        each = (imputing.draw(self.model_, x, classes, n_samples, seed + i) for i in range(draws))
        return [self.codec_.filled(X, filled) for filled in each]

    def score_cells(self, X: Any, y: Any = None, n_samples: int = 100) -> Array:
        """E[log p(x_j | z) | x] of each cell in nats (n, cells), NaN where missing: which cell is strange."""
        door.at_least(1, n_samples=n_samples)
        x = self._tensor(X)
        return imputing.by_cell(self.model_, x, self._classes(y, len(x)), n_samples, self.seed_).numpy()

    def score_samples(self, X: Any, y: Any = None, n_samples: int = 100) -> Array:
        """(n,) nats: the importance-weighted lower bound on log p(x), in the units of X.

        All rows share one noise, fixed by random_state, so a row's score depends neither on its
        neighbours nor on earlier calls. A Point posterior has no density: log p(x|z(x)) instead.
        Of a series E_q log p(x_t|z), of the last point of each window; NaN where it is missing.
        """
        door.at_least(1, n_samples=n_samples)
        x = self._rows(X)
        if self.window_ is not None:
            return reconstruction(self.model_, x[:], n_samples, self.seed_)[:, -1].double().numpy()
        classes = self._classes(y, len(x))
        rated, k = probed(self.model_, x[:1], None if classes is None else classes[:1], n_samples)

        def scored(a: Tensor, b: Tensor | None) -> Tensor:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed_)
                seen = self.model_.observe(a, evidence=rated, alike=True)
            if not rated:
                return self.model_(seen, b).log_likelihood[0]  # type: ignore[no-any-return]
            return log_likelihood(self.model_, seen, b, k, self.seed_)[0]

        return over_rows(scored, x, classes).double().numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of score_samples."""
        return float(
            self.score_samples(X, y if isinstance(getattr(self, "labels_", None), Given) else None).mean()
        )

    @available_if(has_classifier)  # type: ignore[untyped-decorator]
    def predict(self, X: Any) -> Array:
        """The most probable class of each row (n,)."""
        proba = self.predict_proba(X)
        assert self.classes_ is not None
        return self.classes_[proba.argmax(1)]  # type: ignore[no-any-return]

    @available_if(has_classifier)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """softmax of the classifier's logits, (n, K), columns as in `classes_`."""

        def probabilities(a: Tensor, b: Tensor | None) -> Tensor:
            return self.model_.features(a)[1].softmax(-1)  # type: ignore[union-attr]

        return over_rows(probabilities, self._rows(X)).numpy()

    def evaluate(self, X: Any, y: Any = None, k: int = 100, *, ais: int | None = None) -> Evaluation:
        """Log-likelihood with its standard error, rate, distortion, active units, and what is wrong.

        `ais`: beside it log p(x) by annealing over so many temperatures (Neal 2001), of at most 100 rows.
        """
        door.at_least(1, k=k, **({} if ais is None else {"ais": ais}))
        x = self._rows(X)
        truth = self._truth(y, len(x)) if y is not None and not isinstance(self.labels_, Given) else None
        names = [] if isinstance(self.codec_, Arrays) else self.codec_.names()
        classes = self._classes(y, len(x))
        found = evaluation.evaluate(self.model_, x, classes, k, self.seed_, truth, names=names, ais=ais)
        return replace(found, warnings=found.warnings + doctor.of_history(self.history_))

    def interpolate(self, a: Any, b: Any, n: int = 9, *, label: Any = None) -> Any:
        """n decoded means on the straight line between the codes of rows a and b, ends included.

        A row is an array (*E), or a frame or series of one row. With labels, `label` is one class or one
        a step; Given encodes a with the first and b with the last.
        """
        door.at_least(2, n=n)
        labels = None if label is None else door.one_each("label", label, n)
        first, last = (None, None) if labels is None else (labels[0], labels[-1])
        za, zb = self._one(a, first), self._one(b, last)
        share = np.linspace(0, 1, n)[:, None]
        return self.inverse_transform((1 - share) * za + share * zb, label)

    def traverse(self, x: Any, dim: int, n: int = 9, span: float = 3.0, *, label: Any = None) -> Any:
        """n decoded means as latent `dim` goes from -span to span, the rest as row x has it."""
        check_is_fitted(self)
        door.at_least(1, n=n)
        door.at_least(0, dim=dim)
        if dim >= self.latent_dim_:
            raise SpecError(f"dim={dim}: the latents are 0 to {self.latent_dim_ - 1}")
        Z = np.repeat(self._one(x, label), n, 0)
        Z[:, dim] = np.linspace(-span, span, n)
        return self.inverse_transform(Z, label)

    def _one(self, x: Any, label: Any) -> Array:
        """The code (1, L) of one row."""
        check_is_fitted(self)
        return self._codes(self.codec_.row(x), label if isinstance(self.labels_, Given) else None)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        check_is_fitted(self)
        return np.asarray([f"vae{i}" for i in range(self.latent_dim_)], dtype=object)

    # -- saving --------------------------------------------------------------------------------------

    def specs_(self) -> dict[str, str]:
        """Every argument as text, choices resolved, defaults written out."""
        flat = len(self.rungs_) == 1 and len(self.model_.parts.rungs[0]) == 1
        dims = self.latent_dim_ if flat or not self.rungs_ else self.rungs_
        held = {name: getattr(self, name + "_", None) for name in KINDS} | {
            "latent_dim": dims,
            "random_state": self.seed_,
        }
        return {name: text(value, complete=True) for name, value in held.items()}

    def save(self, path: str | Path) -> None:
        """One safe file: weights and a readable header. Written atomically."""
        check_is_fitted(self)
        header = {
            "spec": self.specs_(),
            "event": list(self.event_),
            "codec": self.codec_.header(),
            "classes": None if self.classes_ is None else self.classes_.tolist(),
            "holes": self.holes_,
            "gaps": self.gaps_,
            "history": [{name: v for name, v in row.items() if name != "seconds"} for row in self.history_],
            "trained_on": getattr(self, "trained_on_", {}),
        }
        storage.write(path, self.model_.state_dict(), header)

    @classmethod
    def load(cls, path: str | Path, specs: Sequence[type[Spec]] = ()) -> "VAE":
        """Read a model file; parts of your own are handed over in `specs`, never imported from it."""
        tensors, header = storage.read(path)
        try:
            spec = {"window": "None"} | header["spec"]
            words = {name: parse(spec[name], kind, specs) for name, kind in KINDS.items()}
            vae = cls(**words)
            vae.window_ = vae.window
            vae.codec_, vae.holes_ = from_header(header["codec"]), bool(header["holes"])
            vae.gaps_ = bool(header.get("gaps", True))
            vae.history_, vae.trained_on_ = header["history"], header["trained_on"]
            vae.n_features_in_ = vae.event_[0]
            if columns := header["codec"].get("columns"):
                vae.feature_names_in_ = np.asarray([column["name"] for column in columns], dtype=object)
            vae._choose()
            classes, heads = header["classes"], vae.labels_
            if list(vae.event_) != header["event"] or len(classes or ()) != (heads.classes if heads else 0):
                raise FormatError(f"{path} has a damaged header: its event or classes contradict its spec")
            vae.classes_ = None if classes is None else np.asarray(classes)
            vae.asked_, vae.seed_ = door.wanted(vae), int(words["random_state"])
            with storage.Bounded(tensors, path):
                vae.model_ = vae._built().eval()
        except SpecError as error:
            raise FormatError(f"{path}: {error}") from None
        except storage.DAMAGE as error:
            fault = (str(error).splitlines() or [""])[0]
            raise FormatError(f"{path} has a damaged header ({type(error).__name__}: {fault})") from None
        storage.pour(vae.model_, tensors, path)
        return vae

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = getattr(self, "gaps_", self.likelihood is not None)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
