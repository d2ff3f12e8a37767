"""What was not said, by the data: from the arguments of a `VAE` to a fit with every choice resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SpecError
from ..families import Gaussian
from ..model.config import ModelConfig
from ..model.labels import NoLabels
from ..model.priors import DEFAULTS
from ..nn.networks import default_network
from ..objectives import ELBO, CrossEntropy, Term, terms_of
from ..specs.spec import plain, text
from ..tensors import Shape, as_shape
from ..training.config import Training
from .preprocessing import Preprocessor
from .validation import KINDS


@dataclass(frozen=True)
class FitConfig:
    """A fit with every choice resolved: its text is the spec in the header of the model file."""

    model: ModelConfig
    objective: Term | tuple[Term, ...]
    training: Training
    window: int | None
    random_state: int

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of the objective; SpecError where they do not fit the model or one another."""
        return terms_of(self.objective, self.model)

    def to_spec(self) -> dict[str, str]:
        """Every argument as text, defaults written out."""
        dims = self.model.latent_dim
        flat = len(dims) == 1 and len(as_shape(dims[0])) == 1
        held = {
            **{name: getattr(self.model, name) for name in KINDS if hasattr(self.model, name)},
            "latent_dim": as_shape(dims[0])[0] if flat else dims or 0,
            "objective": self.objective,
            "training": self.training,
            "window": self.window,
            "random_state": self.random_state,
        }
        return {name: text(held[name], complete=True) for name in KINDS}


def resolve(arguments: Mapping[str, Any], preprocessor: Preprocessor, random_state: int) -> FitConfig:
    """Fill in the defaults, and refuse what does not fit together before anything is trained."""
    said = {name: plain(value) for name, value in arguments.items()}
    labels = said["labels"] or NoLabels()
    encoder = said["encoder"] or default_network(preprocessor.codec.shape)
    posterior = said["posterior"] or Gaussian()
    training = said["training"] or Training()
    assert preprocessor.likelihood is not None
    model = ModelConfig(
        latent_dim=latent_sizes(said["latent_dim"]),
        encoder=encoder,
        decoder=said["decoder"] or encoder,
        posterior=posterior,
        prior=said["prior"] or DEFAULTS[posterior.support],
        likelihood=preprocessor.likelihood,
        labels=labels,
        has_missing=preprocessor.has_missing or training.missing > 0,
    )
    weight = labels.cross_entropy
    default = ELBO() if weight is None else (ELBO(), CrossEntropy(weight))
    objective = default if said["objective"] is None else said["objective"]
    config = FitConfig(model, objective, training, preprocessor.window, random_state)
    terms_of(objective, model)
    return config


def latent_sizes(said: Any) -> tuple[int | Shape, ...]:
    """A size, or maps (C, H, W), for each layer from the top; none where the latent has size 0."""
    dims = said if isinstance(said, tuple) else () if said == 0 else (said,)
    if any(len(as_shape(d)) not in (1, 3) or min(as_shape(d)) < 1 for d in dims):
        raise SpecError(
            f"latent_dim takes sizes of 1 or more, or maps (C, H, W), for each layer, or 0; not {said}"
        )
    return dims
