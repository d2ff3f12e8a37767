"""VAE: the scikit-learn estimator. Its methods say what they do; the modules beside this one do it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..data.codecs.base import Codec
from ..data.load import as_dataset
from ..data.stream import dtype_of
from ..evaluation import diagnostics
from ..evaluation.evaluate import Evaluation
from ..families import Family
from ..model.label_head import LabelHead
from ..model.model import Model
from ..model.priors import VampPrior
from ..nn.networks import Network
from ..objectives import Term
from ..specs.spec import Spec
from ..tensors import Shape
from ..training.checkpoint import Pause
from ..training.config import Training
from ..training.display import epochs_shown
from ..training.trainer import Progress, Trainer
from . import decoding, fitting, sampling, saving, scoring
from .defaults import FitConfig
from .described import html_of
from .fitted import Array, Fitted
from .guards import has_classifier, restored_on_error
from .parameters import names_unknown, nested, with_fields
from .preprocessing import Preprocessor
from .validation import KINDS, check_at_least, check_weights

if TYPE_CHECKING:
    from ..web.widget import Explorer


class VAE(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A variational autoencoder with a scikit-learn interface.

    Main arguments (None takes the default given here; the resolved values are `posterior_` and so on):

    - latent_dim: latent size L, or one for each stochastic layer from the top; 0 needs `labels=Given(...)`.
      Default: one less than the number of columns up to 10, and from 100 on its root, up to 32 (28 for
      MNIST); for tables one more than a third of it, at most 10.
    - likelihood: p(x|z). Default: Bernoulli() for values in {0, 1}, else Gaussian(scale=Shared()); for a
      data frame a family for each column by its type and values; {column: family} sets some of them.
    - labels: Auxiliary(K) also trains a classifier, Given(K) conditions on the class y, Covariates() on a
      frame y of numbers and categories.
    - objective: one or more terms. Default: ELBO(), whose KL is warmed up, and with a classifier its terms.
    - training: Training(epochs=..., batch_size=..., ...). Without `epochs` a tenth of the rows is held out,
      training stops when their bound no longer rises, and the best epoch is kept.
    - window: X is a time series, a frame with a `timestamp` and a `value` column (or values alone). Each
      row is a time step with the last `window` values; `y` marks known anomalies with 1, and training
      treats their values as missing. `Training.validation` holds out the last time steps.

    Other arguments: encoder and decoder (MLP((256, 256), "silu"); Conv for images of more
    than 1,024 numbers; your own nn.Module is `Wrap(module)`), posterior
    (Gaussian()), prior (StandardNormal(), CodePrior() for codes), random_state (an int gives the same
    model, bit for bit, on the same machine), warm_start (fit continues from the fitted model, with the
    units of its first data; only `training` and `random_state` may change), verbose (1 shows a bar while
    `fit` trains, in a notebook in its cell; 2 a line for each epoch). Fields of specs are parameters too, for
    `set_params` and grids: `training__epochs`, `encoder__hidden`.

    X is (n, columns) or (n, *E), images as (n, H, W) or (n, C, H, W). Densities are in nats per
    datum, in the units of X. Source: Kingma and Welling, "Auto-Encoding Variational Bayes" (2014).

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 3)) @ np.diag([1.0, 2.0, 3.0])
    >>> vae = VAE(2, training=Training(epochs=3), random_state=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(5).shape, vae.score_samples(X).shape
    ((200, 2), (5, 3), (200,))
    """

    # What a fit sets.
    preprocessor_: Preprocessor
    model_: Model
    config_: FitConfig
    encoder_: Network
    decoder_: Network
    posterior_: Family
    prior_: Family | VampPrior
    likelihood_: Family
    labels_: LabelHead
    objective_: Term | tuple[Term, ...]
    training_: Training
    window_: int | None
    random_state_: int
    latent_dim_: int
    classes_: Array | None
    seed_: int
    history_: list[dict[str, Any]]
    held_out_: Array
    arguments_: dict[str, Any]
    trainer_: Trainer

    @names_unknown
    def __init__(
        self,
        latent_dim: int | tuple[int | Shape, ...] | None = None,
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
        verbose: int = 0,
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
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments; `deep`: also the fields of specs among them, such as `training__epochs`."""
        held: dict[str, Any] = super().get_params(deep=False)
        return held | nested(held) if deep else held

    def set_params(self, **params: Any) -> Self:
        """Set arguments, or fields of specs among them: `training__epochs=5`. Returns self."""
        for name, value in with_fields(self.get_params(deep=False), params, KINDS).items():
            setattr(self, name, value)
        return self

    # -- fitting -------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        callback: Callable[[Progress], Any] | None = None,
    ) -> Self:
        """Train on X (n, *E), and labels y (n,), or a frame of covariates, where the model uses them. Returns
        self.

        `sample_weight` (n,): each row's share of an epoch; a row of weight 2 comes twice as often as one of
        weight 1, and one of weight 0 never. For rows in memory.
        `callback` is called with a Progress after each epoch; if it returns True, training stops there.
        """
        check_at_least(0, verbose=self.verbose)
        epochs = self.fit_iter(X, y, sample_weight=sample_weight)
        try:
            for progress in epochs_shown(epochs, self.verbose):
                ends = callback is not None and callback(progress)
                if isinstance(ends, bool | np.bool) and ends:
                    break
        finally:
            epochs.close()
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on a further block of rows, from the current weights. Returns self.

        The first call is `fit`. A later one sees its block alone, with the columns, units and classes of the
        first, and a fresh optimiser; it trains as long as `training` says, so that `Training(epochs=1)` is
        one pass over each block. For data on disk `reparam.stream` mixes rows of all blocks, and is better.
        """
        warm_start, self.warm_start = self.warm_start, True
        try:
            return self.fit(X, y, sample_weight)
        finally:
            self.warm_start = warm_start

    def fit_iter(
        self,
        X: Any,
        y: Any = None,
        resume: str | Path | None = None,
        pause: Pause | None = None,
        sample_weight: Any = None,
    ) -> Generator[Progress, None, None]:
        """Train, and yield a Progress at the end of each epoch. Nothing runs between two `next`. If iteration
        stops early, the model is fitted up to that epoch.

        `resume`: a file that `save_training` wrote during the same fit; training continues from there.
        `pause`: asked after each step whether to save the training, or to end it.
        """
        further = self.warm_start and hasattr(self, "model_")
        with restored_on_error(self):
            fit = fitting.Fit.start(self, X, y, sample_weight, further=further)
            if resume is not None:
                saving.restore(self, resume)
        yield from fit.run(pause)

    def save_training(self, path: str | Path, previous: Path | None = None) -> None:
        """Save a checkpoint between two epochs of `fit_iter`, or in its `pause`, for `fit_iter(X, y,
        resume=path)`. `previous`: the new name of the file that it replaces."""
        saving.save_training(self, path, previous)

    def refit_prior(
        self, X: Any, prior: Family | VampPrior, y: Any = None, *, training: Training | None = None
    ) -> Self:
        """Replace p(z) by `prior`, fitted to the codes of X by maximum likelihood. Returns self.

        Only `prior_` and `model_` change. A tenth of X, or `training.validation`, is held out to choose the
        epoch; if no epoch gives its codes a higher likelihood than the current prior, that prior is kept,
        with a warning. An autoencoder (posterior Point()) needs this for good samples. y with labels=Given;
        `training` is by default the model's own, but at most about 10,000 steps and without clip, skip
        and ema. Source: Ghosh et al. (2020), "ex-post density estimation"; Dai and Wipf (2019).
        """
        fitting.replace_prior(self, X, prior, y, training)
        return self

    # -- codes and decoded rows ----------------------------------------------------------------------

    def transform(self, X: Any, y: Any = None) -> Array:
        """Posterior means (n, L), layers concatenated; deterministic. y with labels=Given or Covariates."""
        z = Fitted.of(self).codes(X, y)
        return z.astype(np.float64 if dtype_of(X) == np.float64 else np.float32)

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """fit, then transform the same rows."""
        return self.fit(X, y, sample_weight).transform(X, y)

    def inverse_transform(self, Z: Any, label: Any = None) -> Any:
        """Decoded means (n, *E) of codes Z (n, L); `label` is one class, or one per row."""
        return decoding.decode(Fitted.of(self), Z, label)

    def reconstruct(self, X: Any, y: Any = None, *, label: Any = None) -> Any:
        """Decoded means of the posterior means (n, *E); deterministic. `label`: as if the rows had that
        class, or those covariates, `{"batch": "B"}`; other covariates stay as in y."""
        return decoding.reconstruct(Fitted.of(self), X, y, label)

    def sample(
        self,
        n: int = 1,
        *,
        label: Any = None,
        mean: bool = False,
        given: dict[str, Any] | None = None,
        missing: bool = True,
        random_state: Any = None,
    ) -> Any:
        """n samples x ~ p(x|z), z ~ p(z), with the shape and type of X; `mean`: E[x|z] instead. Columns of a
        table are clipped to their range in training, and written as there.

        Where cells of a table were missing in training, cells of samples are, as often and together; with
        `missing=False` none is.

        With labels, `label` is one class or one per row; None draws classes as often as in training. With
        Covariates it is `{"age": 40, "batch": "B"}` for all rows, or a frame of n rows.
        `given` fixes columns of a table: p(x | given), by resampling draws of the prior.
        """
        fitted = Fitted.of(self, random_state)
        return sampling.sample(fitted, n, label=label, mean=mean, given=given, missing=missing)

    def impute(
        self,
        X: Any,
        y: Any = None,
        *,
        draws: int | None = None,
        n_samples: int = 100,
        random_state: Any = None,
    ) -> Any:
        """X with its missing cells filled: E[x_miss | x_obs], or the most probable class of a category.

        `draws=M` gives a list of M tables, each one draw of p(x_miss | x_obs) (multiple imputation).
        Observed cells, type, index, columns and dtypes are those of X; imputed cells of a table are clipped
        to the range of their column in training. Importance sampling with `n_samples` draws of z per row
        (Mattei and Frellsen 2019, equation 13).
        """
        return sampling.impute(Fitted.of(self, random_state), X, y, draws, n_samples)

    # -- densities and evaluation --------------------------------------------------------------------

    def score_cells(self, X: Any, y: Any = None, n_samples: int = 100) -> Any:
        """E[log p(x_j | z) | x] of each cell in nats (n, cells), NaN where missing; low is anomalous. For a
        frame a frame, with its index and the names of the modelled columns."""
        return scoring.score_cells(Fitted.of(self), X, y, n_samples)

    def score_samples(self, X: Any, y: Any = None, n_samples: int = 100) -> Array:
        """(n,) nats: the importance-weighted lower bound on log p(x), in the units of X; -inf where
        the density underflows.

        All rows share the same noise, fixed by random_state, so a row's score depends neither on other
        rows nor on earlier calls. A Point posterior has no density: log p(x|z(x)) instead.
        For a time series E_q log p(x_t|z) of the last time step of each window, NaN where it is missing;
        its noise depends on the row's position in X. y is used only with labels=Given or Covariates.

        In a table a value that its column never had in training has probability 1 / (n + 1), n the
        training rows: the cell counts as missing, and lowers the score by log(n + 1).
        """
        return scoring.score_samples(Fitted.of(self), X, y, n_samples)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean of score_samples, weighted by `sample_weight` (n,)."""
        scores = self.score_samples(X, y)
        weights = None if sample_weight is None else check_weights(sample_weight, len(scores))
        return float(np.average(scores, weights=weights))

    @available_if(has_classifier)  # type: ignore[untyped-decorator]
    def predict(self, X: Any) -> Array:
        """The most probable class of each row (n,)."""
        proba = self.predict_proba(X)
        assert self.classes_ is not None
        return self.classes_[proba.argmax(1)]  # type: ignore[no-any-return]

    @available_if(has_classifier)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """Class probabilities from the classifier, (n, K), columns as in `classes_`."""
        return scoring.class_probabilities(Fitted.of(self), X)

    def evaluate(self, X: Any, y: Any = None, k: int = 100, *, ais: int | None = None) -> Evaluation:
        """Log-likelihood with its standard error, rate, distortion, active units, and warnings. y holds the
        true classes, missing or -1 where unknown, and the condition with labels=Given or Covariates.

        `ais`: also log p(x) by annealed importance sampling with that many temperatures (Neal 2001), for
        at most 100 rows.
        """
        found = scoring.evaluation(Fitted.of(self), X, y, k, ais)
        return replace(found, warnings=found.warnings + diagnostics.of_history(self.history_))

    def interpolate(self, a: Any, b: Any, n: int = 9, *, label: Any = None) -> Any:
        """n decoded means on the straight line between the codes of rows a and b, ends included.

        A row is an array (*E), or a frame or series of one row. With labels, `label` is one class or one
        per step; with labels=Given, a is encoded with the first and b with the last.
        """
        return decoding.interpolate(Fitted.of(self), a, b, n, label)

    def traverse(self, x: Any, dim: int, n: int = 9, span: float = 3.0, *, label: Any = None) -> Any:
        """n decoded means as latent `dim` goes from -span to span, the others fixed at the code of row x."""
        return decoding.traverse(Fitted.of(self), x, dim, n, span, label)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the columns of `transform` (L,): vae0, vae1, ..."""
        check_is_fitted(self)
        return np.asarray([f"vae{i}" for i in range(self.latent_dim_)], dtype=object)

    # -- looking inside ------------------------------------------------------------------------------

    def explore(self, X: Any = None, y: Any = None, *, height: int = 480) -> "Explorer":
        """The explorer of this model and rows X, a `Dataset` or rows with labels y, in a cell of a notebook.
        Its `selection` holds the numbers of the rows that are selected on the map."""
        check_is_fitted(self)
        from ..web.answers import Answers
        from ..web.widget import Explorer

        return Explorer(Answers({"model": self}, as_dataset(X, y)), height=height)

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return html_of(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    # -- saving --------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write one file, atomically: weights and a readable header. It holds no code."""
        check_is_fitted(self)
        saving.save(self, path)

    @classmethod
    def load(
        cls,
        path: str | Path,
        specs: Sequence[type[Spec]] = (),
        modules: Mapping[str, Any] | None = None,
    ) -> "VAE":
        """Read a run folder or a model file. Classes of your own are passed in `specs`, modules of `Wrap`,
        or factories, in `modules={"encoder": module}`: nothing is imported from the file."""
        return saving.load(cls, path, specs, modules)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        specs: Sequence[type[Spec]] = (),
        modules: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> "VAE":
        """Load a model from a folder, or from the hub of Hugging Face by its name, "user/name". `specs` and
        `modules` as in `load`; `options` are those of `huggingface_hub.hf_hub_download`, such as `revision`,
        `token`, `cache_dir` and `local_files_only`."""
        from ..export.hub import found

        return cls.load(found(name, **options), specs, modules)

    def push_to_hub(self, repo_id: str, evaluation: Evaluation | None = None, **options: Any) -> str:
        """Upload this model with a card, written from what `evaluate` gave, to "user/name" on the hub of
        Hugging Face; the address of the commit. `options`: `commit_message`, `private`, `token`, `revision`,
        `create_pr` and `endpoint`, as in huggingface_hub. `VAE.from_pretrained` reads it."""
        check_is_fitted(self)
        from ..export.hub import push_to_hub

        return push_to_hub(self, repo_id, evaluation, **options)

    @property
    def event_(self) -> tuple[int, ...]:
        """The shape of a row of X."""
        return self.preprocessor_.codec.event

    @property
    def codec_(self) -> Codec:
        """How X becomes tensors and back."""
        return self.preprocessor_.codec

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        fitted = getattr(self, "preprocessor_", None)
        tags.input_tags.allow_nan = fitted.allow_missing if fitted else self.likelihood is not None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
