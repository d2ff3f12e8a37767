"""VAE: the scikit-learn face, what a fitted model is asked for."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.distributions import Distribution

from ..data.codecs.array import ArrayCodec
from ..data.codecs.choose import from_header
from ..data.stream import Stream
from ..distributions import mean_of
from ..errors import DataError, FormatError, SpecError
from ..evaluation import diagnostics as doctor, evaluate as evaluation, imputation as imputing
from ..evaluation.anomaly import reconstruction
from ..evaluation.evaluate import Evaluation
from ..evaluation.likelihood import log_likelihood, probed
from ..evaluation.passes import over_rows, rows_at_once
from ..families import Family
from ..model.labels import Auxiliary, Enumerated, Given
from ..model.priors import VampPrior
from ..serialization import model_file as storage
from ..specs.parse import parse
from ..specs.spec import Spec, accepts, describe, plain
from ..tensors import Rowwise, nan_to_neginf, random_from
from ..training import refit_prior as refit
from ..training.config import Training
from . import validation as door
from .learner import Learner

Array = np.ndarray[Any, Any]
Take = Callable[[Distribution], Tensor]
"""What is shown of p(x|z): its mean, or a draw."""


def has_classifier(vae: "VAE") -> bool:
    labels = getattr(vae, "labels_", vae.labels)
    if isinstance(labels, Auxiliary | Enumerated):
        return True
    raise AttributeError("predict needs a classifier: fit with labels=Auxiliary(classes) or Enumerated")


class VAE(TransformerMixin, Learner):  # type: ignore[misc]
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
    than 1,024 numbers; your own are subclasses of `Network`, see `reparam.nn.networks`), posterior
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

    def refit_prior(
        self, X: Any, prior: Family | VampPrior, y: Any = None, *, training: Training | None = None
    ) -> Self:
        """Replace p(z) by the `prior` under which the codes of X are likeliest; all else stays. Returns self.

        `prior_` and `model_` change. A tenth of X, or `training.validation`, chooses the epoch; where no
        epoch explains its codes better than the prior at hand, that one stays, with a warning. For an
        autoencoder (posterior Point()) this is what makes `sample` good. y where labels are Given;
        `training` is by default the model's own, but for about 10,000 steps at most and without clip, skip
        and ema. Source: Ghosh et al. (2020), "ex-post density estimation"; Dai and Wipf (2019).
        """
        x = self._rows(X)
        if not accepts(door.KINDS["prior"], prior, listed=True):
            raise SpecError(f"refit_prior takes {describe(door.KINDS['prior'])}, not {prior!r}")
        rows = (x, self._classes(y, len(x)))
        if training:
            refit.refuse(training)
        training = training or replace(self.training_, epochs=None)
        self.model_ = refit.refit_prior(self.model_, prior, rows, training, self.seed_)
        self.prior_ = self.model_.config.prior
        return self

    def transform(self, X: Any, y: Any = None) -> Array:
        """Posterior means (n, L), rungs side by side; deterministic. y where labels are Given."""
        z = self._codes(X, y)
        held = X if issparse(X) or isinstance(X, Stream) else np.asarray(X)
        return z.astype(np.float64 if getattr(held, "dtype", None) == np.float64 else np.float32)

    def _codes(self, X: Any, y: Any = None) -> Array:
        x = self._rows(X)
        return self._passed(self.model_.encode, x, self._classes(y, len(x))).numpy()

    def _passed(self, f: Callable[[Tensor, Tensor | None], Tensor], x: Rowwise, y: Tensor | None) -> Tensor:
        """f of rows x with what belongs to them, y, in passes that memory holds."""
        return over_rows(f, x, y, rows_at_once(self.model_))

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """fit, then transform the same rows."""
        return self.fit(X, y).transform(X, y)

    def inverse_transform(self, Z: Any, label: Any = None) -> Any:
        """Decoded means (n, *E) of codes Z (n, L); `label` is one class, or one a row."""
        check_is_fitted(self)
        try:
            Z = np.asarray(Z, dtype=np.float32)
        except (ValueError, TypeError):
            raise DataError(
                f"Z holds text or ragged rows; codes are numbers, {self.latent_dim_} a row"
            ) from None
        if Z.ndim != 2 or Z.shape[1] != self.latent_dim_:
            raise DataError(f"Z has shape {Z.shape}; this model decodes (n, {self.latent_dim_})")
        return self._decoded(self.model_.state, torch.as_tensor(Z), label, mean_of)

    def _decoded(self, state: Callable[[Tensor], Tensor | None], rows: Tensor, label: Any, take: Take) -> Any:
        """What `take` makes of p(x | state, label), shaped and typed like X; `state` of some of the rows at
        a time, so memory is bounded."""
        n, event = len(rows), self.model_.event
        code = self._code(label, n)

        def taken(a: Tensor, c: Tensor | None) -> Tensor:
            px = self.model_.decode(state(a), None if c is None else c[None])
            return take(px).reshape(len(a), *event)

        at_once = max(1, min(n, rows_at_once(self.model_)))
        found = over_rows(taken, rows, None if code is None else code[0], at_once)
        return self.codec_.decode(found.reshape(n, *event))

    @torch.no_grad()
    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Decoded means of the posterior means (n, *E); deterministic."""
        x = self._rows(X)

        def rebuilt(a: Tensor, b: Tensor | None) -> Tensor:
            return mean_of(self.model_.rebuild(a, b)).reshape(len(a), *self.model_.event)

        return self.codec_.decode(self._passed(rebuilt, x, self._classes(y, len(x))))

    def sample(
        self,
        n: int = 1,
        *,
        label: Any = None,
        mean: bool = False,
        given: dict[str, Any] | None = None,
        random_state: Any = None,
    ) -> Any:
        """n draws x ~ p(x|z), z ~ p(z), shaped and typed like X; `mean`: E[x|z], as pictures show. Those of
        a table stay in the range that each column had in training: what lies beyond is put on its end.

        With labels, `label` is one class or one a row; None draws classes as often as in training.
        `given` holds columns of a table at values: p(x | given), by resampling draws of the prior.
        """
        check_is_fitted(self)
        door.check_at_least(1, n=n)
        take: Take = mean_of if mean else methodcaller("sample")
        if given:
            return self._sample_given(n, given, take, random_state)
        with random_from(self._seed(random_state)):
            if label is None and self.classes_ is not None:
                drawn = torch.multinomial(self.model_.log_prior_y.exp(), n, replacement=True)
                label = self.classes_[drawn.numpy()]
            every = torch.arange(n)
            return self._decoded(lambda some: self.model_.prior_state(len(some)), every, label, take)

    def _sample_given(self, n: int, given: dict[str, Any], take: Take, random_state: Any) -> Any:
        if not isinstance(given, Mapping):
            raise SpecError(f"given takes columns and their values, say {{'age': 30}}; not {given!r}")
        if self.labels_ is not None:
            raise DataError("sample takes given only without labels: fit with labels=None")
        x = self.codec_.encode(self.codec_.known(given))[:].expand(n, *self.codec_.shape)
        door.supported(self.likelihood_, x[:1], self.codec_)
        said = ", ".join(f"{name}={plain(value)}" for name, value in given.items())
        drawn, size = imputing.given(self.model_, x, self._seed(random_state), take)
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
        Known cells are X's own; type, index, columns and dtypes are X's; of a table guesses and draws stay
        in the range that their column had in training. Importance sampling with `n_samples` draws of z a
        row (Mattei and Frellsen 2019, equation 13).
        """
        door.check_at_least(1, n_samples=n_samples, **({} if draws is None else {"draws": draws}))
        x = self._tensor(X)
        classes, seed = self._classes(y, len(x)), self._seed(random_state)
        if draws is None:
            return self.codec_.filled(X, imputing.best(self.model_, x, classes, n_samples, seed))
        each = (imputing.draw(self.model_, x, classes, n_samples, seed + i) for i in range(draws))
        return [self.codec_.filled(X, filled) for filled in each]

    def score_cells(self, X: Any, y: Any = None, n_samples: int = 100) -> Array:
        """E[log p(x_j | z) | x] of each cell in nats (n, cells), NaN where missing: which cell is strange."""
        door.check_at_least(1, n_samples=n_samples)
        x = self._tensor(X)
        return imputing.by_cell(self.model_, x, self._classes(y, len(x)), n_samples, self.seed_).numpy()

    def score_samples(self, X: Any, y: Any = None, n_samples: int = 100) -> Array:
        """(n,) nats: the importance-weighted lower bound on log p(x), in the units of X; -inf where a row is
        so far off that its numbers overflow.

        All rows share one noise, fixed by random_state, so a row's score depends neither on its
        neighbours nor on earlier calls. A Point posterior has no density: log p(x|z(x)) instead.
        Of a series E_q log p(x_t|z), of the last point of each window, NaN where it is missing; its
        noise comes from the row's place in X. y where labels are Given, and read only there.
        """
        door.check_at_least(1, n_samples=n_samples)
        x = self._rows(X)
        if self.window_ is not None:
            return reconstruction(self.model_, x[:], n_samples, self.seed_)[:, -1].double().numpy()
        classes = self._classes(y, len(x))
        rated, k = probed(self.model_, x, classes, n_samples)

        def scored(a: Tensor, b: Tensor | None) -> Tensor:
            with random_from(self.seed_):
                seen = self.model_.observe(a, for_likelihood=rated, alike=True)
            if not rated:
                return nan_to_neginf(self.model_(seen, b).log_likelihood[0])
            return log_likelihood(self.model_, seen, b, k, self.seed_)[0]

        return over_rows(scored, x, classes).double().numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of score_samples."""
        return float(self.score_samples(X, y).mean())

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

        return self._passed(probabilities, self._rows(X), None).numpy()

    def evaluate(self, X: Any, y: Any = None, k: int = 100, *, ais: int | None = None) -> Evaluation:
        """Log-likelihood with its standard error, rate, distortion, active units, and what is wrong. y is
        what a classifier is held against, where it is not missing or -1, and what Given is told.

        `ais`: beside it log p(x) by annealing over so many temperatures (Neal 2001), of at most 100 rows.
        """
        door.check_at_least(1, k=k, **({} if ais is None else {"ais": ais}))
        x = self._rows(X)
        told = y is not None and not isinstance(self.labels_, Given)
        truth = self._truth(y, len(x), unlabelled=True) if told else None
        names = [] if isinstance(self.codec_, ArrayCodec) else self.codec_.names()
        classes = self._classes(y, len(x))
        found = evaluation.evaluate(self.model_, x, classes, k, self.seed_, truth, names=names, ais=ais)
        return replace(found, warnings=found.warnings + doctor.of_history(self.history_))

    def interpolate(self, a: Any, b: Any, n: int = 9, *, label: Any = None) -> Any:
        """n decoded means on the straight line between the codes of rows a and b, ends included.

        A row is an array (*E), or a frame or series of one row. With labels, `label` is one class or one
        a step; Given encodes a with the first and b with the last.
        """
        door.check_at_least(2, n=n)
        labels = None if label is None else door.one_each("label", label, n)
        first, last = (None, None) if labels is None else (labels[0], labels[-1])
        za, zb = self._one(a, first), self._one(b, last)
        share = np.linspace(0, 1, n)[:, None]
        return self.inverse_transform((1 - share) * za + share * zb, label)

    def traverse(self, x: Any, dim: int, n: int = 9, span: float = 3.0, *, label: Any = None) -> Any:
        """n decoded means as latent `dim` goes from -span to span, the rest as row x has it."""
        check_is_fitted(self)
        door.check_at_least(1, n=n)
        door.check_at_least(0, dim=dim)
        if dim >= self.latent_dim_:
            raise SpecError(f"dim={dim}: the latents are 0 to {self.latent_dim_ - 1}")
        Z = np.repeat(self._one(x, label), n, 0)
        Z[:, dim] = np.linspace(-span, span, n)
        return self.inverse_transform(Z, label)

    def _one(self, x: Any, label: Any) -> Array:
        """The code (1, L) of one row."""
        check_is_fitted(self)
        return self._codes(self.codec_.row(x), label)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        check_is_fitted(self)
        return np.asarray([f"vae{i}" for i in range(self.latent_dim_)], dtype=object)

    # -- saving --------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """One safe file: weights and a readable header. Written atomically."""
        check_is_fitted(self)
        header = {
            "spec": self.specs_(),
            "seed": self.seed_,
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
            words = {name: parse(spec[name], kind, specs) for name, kind in door.KINDS.items()}
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
            vae.asked_ = door.model_arguments(vae)
            vae.random_state_ = int(words["random_state"])
            vae.seed_ = int(header.get("seed", vae.random_state_))
            with storage.AllocationLimit(tensors, path):
                vae.model_ = vae._built().eval()
        except SpecError as error:
            raise FormatError(f"{path}: {error}") from None
        except storage.DAMAGE as error:
            fault = (str(error).splitlines() or [""])[0]
            raise FormatError(f"{path} has a damaged header ({type(error).__name__}: {fault})") from None
        storage.load_weights(vae.model_, tensors, path)
        return vae

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = getattr(self, "gaps_", self.likelihood is not None)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
