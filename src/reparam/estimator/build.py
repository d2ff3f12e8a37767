"""The torch model of a VAE without training, for a loop of your own."""

from typing import Any

from ..model.model import Model
from .fitting import Fit
from .guards import restored_on_error
from .vae import VAE


def build(vae: VAE, X: Any, y: Any = None) -> Model:
    """The model that `vae.fit(X, y)` would train, with its first weights and the data's units, on the CPU.

    `vae.model_` is the same model, so that after your own training `vae.score(X)`, `vae.sample()` and
    `vae.save(path)` use its weights. `x, y = vae.preprocessor_.cells(X, y)` are X (n, *E) and the labels
    as the model reads them.
    """
    with restored_on_error(vae):
        Fit.start(vae, X, y)
        del vae.trainer_
    return vae.model_.to("cpu").train()
