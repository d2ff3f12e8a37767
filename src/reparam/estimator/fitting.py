"""One fit of a VAE: X and y become rows, defaults are filled in, the model is built, and epochs follow."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import torch

from ..data.batching import Rows, drawn_once, is_divisible, split, weighted, with_labels_repeated
from ..errors import SpecError
from ..families import Family
from ..model.labels import NoLabels
from ..model.model import Model
from ..model.priors import VampPrior
from ..specs.spec import accepts, describe
from ..stopwatch import Stopwatch
from ..tensors import numel, random_from
from ..training import refit_prior
from ..training.checkpoint import Pause
from ..training.config import Training
from ..training.trainer import Progress, Trainer
from .defaults import FitConfig, resolve
from .fitted import Fitted
from .preprocessing import Preprocessor
from .validation import (
    KINDS,
    check_arguments,
    check_unchanged,
    check_weights,
    check_window,
    model_arguments,
    seed_of,
    stated_seed,
)

if TYPE_CHECKING:
    from .vae import VAE


@dataclass(frozen=True)
class Fit:
    """A fit of `vae` to `rows`, of which `train` and `held_out` are parts until an early stop.

    `further`: it continues the fitted model (warm_start), with the units of its first data.
    """

    vae: "VAE"
    further: bool
    rows: Rows
    train: Rows
    held_out: Rows | None

    @classmethod
    def start(cls, vae: "VAE", X: Any, y: Any, sample_weight: Any = None, *, further: bool = False) -> Self:
        """Everything before the first epoch; it sets the attributes of a fitted `vae`."""
        rows = encoded(vae, X, y, further)
        if sample_weight is not None:
            rows = weighted(rows, torch.from_numpy(check_weights(sample_weight, len(rows[0]))))
        fill_defaults(vae, rows, further)
        return cls(vae, further, rows, *build(vae, rows, further))

    def run(self, pause: Pause | None) -> Iterator[Progress]:
        """The epochs; their numbers continue those of an earlier fit with warm_start."""
        vae, epochs = self.vae, self.phases(pause)
        earlier = vae.history_[-1] if vae.history_ and self.further else {"epoch": 0, "step": 0}
        is_ending = sys.is_finalizing  # looked up now: modules are empty at interpreter exit
        try:
            for own in epochs:
                progress = replace(
                    own,
                    epoch=own.epoch + earlier["epoch"],
                    epochs=own.epochs + earlier["epoch"],
                    step=own.step + earlier["step"],
                )
                while vae.history_ and vae.history_[-1]["epoch"] >= progress.epoch:  # it went back
                    vae.history_.pop()
                vae.history_.append(progress.row())
                yield progress
        except KeyboardInterrupt:
            done = vae.trainer_.epoch + earlier["epoch"]
            vae.history_ = [row for row in vae.history_ if row["epoch"] <= done]
            raise
        except GeneratorExit:
            if not is_ending():
                finish(vae)
            raise
        finish(vae)

    def phases(self, pause: Pause | None) -> Iterator[Progress]:
        """The epochs on the training rows, and those on all rows after an early stop."""
        vae, rows, train = self.vae, self.rows, self.train
        if vae.labels_.partial:
            rows, train = with_labels_repeated(rows), with_labels_repeated(train)
        since = Stopwatch()
        if not vae.trainer_.position.stop:
            yield from vae.trainer_.run(train, self.held_out, pause, since)
            if not vae.trainer_.go_on(len(rows[0])):
                return
        vae.held_out_ = vae.held_out_[:0]
        yield from vae.trainer_.run(rows, None, pause, since)


def encoded(vae: "VAE", X: Any, y: Any, further: bool) -> Rows:
    """The training rows, checked, as tensors."""
    check_arguments(vae.get_params(deep=False))
    (vae.training or Training()).resolved_device()
    labels = vae.labels or NoLabels()
    if further:
        check_unchanged(vae.arguments_, model_arguments(vae))
        return vae.preprocessor_.refit(X, y, vae.config_.model.has_missing)
    vae.preprocessor_, rows = Preprocessor.fit(
        X,
        y,
        estimator=vae,
        window=check_window(vae.window, labels),
        labels=labels,
        likelihood=vae.likelihood,
    )
    return rows


def fill_defaults(vae: "VAE", rows: Rows, further: bool) -> None:
    """Resolve the arguments by the data; for a continued training only the training settings."""
    state, size = stated_seed(vae.random_state), (len(rows[0]), is_divisible(rows[0]))
    if further:
        training = (vae.training or Training()).resolved(*size, table=vae.likelihood_.by_column)
        adopt(vae, replace(vae.config_, training=training, random_state=state))
    else:
        adopt(vae, resolve(vae.get_params(deep=False), vae.preprocessor_, state, size))
        vae.arguments_ = model_arguments(vae)
    vae.seed_ = seed_of(state)


def adopt(vae: "VAE", config: FitConfig) -> None:
    """Set the resolved arguments as attributes, e.g. `posterior_`."""
    vae.config_, model = config, config.model
    vae.encoder_, vae.decoder_ = model.encoder, model.decoder
    vae.posterior_, vae.prior_, vae.likelihood_ = model.posterior, model.prior, model.likelihood
    vae.labels_, vae.objective_ = model.labels, config.objective
    vae.training_, vae.window_, vae.random_state_ = config.training, config.window, config.random_state
    vae.latent_dim_ = sum(map(numel, model.latent_shapes))
    vae.classes_ = vae.preprocessor_.targets.classes


def build(vae: "VAE", rows: Rows, further: bool) -> tuple[Rows, Rows | None]:
    """Build the model and its trainer; return the training rows and the held-out rows, if any."""
    with random_from(vae.seed_):
        if not further:
            vae.model_ = Model(vae.preprocessor_.codec.shape, vae.config_.model)
            check_arguments(vae.get_params(deep=False), listed=True)
        share = vae.training_.validation or 0.0
        train, held_out, numbers = split(
            rows, share, in_order=vae.window_ is not None, unlabelled=vae.labels_.partial
        )
        if not further:
            vae.model_.start(*drawn_once(rows))
        vae.trainer_ = Trainer(vae.model_, vae.config_.terms, vae.training_, vae.seed_)
    vae.held_out_ = numbers.numpy()  # none once they are trained on
    vae.history_ = vae.history_ if further else []
    return train, drawn_once(held_out) if held_out else None


def finish(vae: "VAE") -> None:
    """Leave a fitted model on the CPU, without a trainer."""
    vae.trainer_.finish()
    vae.model_.to("cpu").eval()
    del vae.trainer_


def replace_prior(
    vae: "VAE", X: Any, prior: Family | VampPrior, y: Any = None, training: Training | None = None
) -> None:
    """`VAE.refit_prior`."""
    rows = Fitted.of(vae).rows(X, y)
    if not accepts(KINDS["prior"], prior, listed=True):
        raise SpecError(f"refit_prior takes {describe(KINDS['prior'])}, not {prior!r}")
    if training:
        refit_prior.check_training(training)
    else:
        training = replace(
            vae.training_,
            learning_rate=(vae.training or Training()).learning_rate,
            epochs=None,
            validation=None,
            patience=None,
            all_rows=None,
        )
    vae.model_ = refit_prior.refit_prior(vae.model_, prior, rows, training, vae.seed_)
    adopt(vae, replace(vae.config_, model=vae.model_.config))
