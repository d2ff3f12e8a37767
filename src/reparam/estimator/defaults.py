"""Defaults that depend on the data: from the arguments of a `VAE` to a fully resolved configuration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SpecError
from ..families import Family, Gaussian
from ..model.config import ModelConfig
from ..model.label_head import LabelHead
from ..model.priors import DEFAULTS
from ..nn.networks import default_network
from ..objectives import ELBO, Consistency, CrossEntropy, MutualInformation, Term, terms_of
from ..specs.schedules import Linear
from ..specs.spec import plain, text
from ..tensors import Shape, as_shape, numel
from ..training.config import Training, warm_up
from .preprocessing import Preprocessor
from .validation import KINDS

LATENT, MOST_LATENT = 10, 32
"""Latent dimensions of up to 100 numbers, and the most."""
COLUMNS_A_DIMENSION = 3
"""Columns of a table for each latent dimension but the first, where columns depend on each other and leave
less to say to the latent."""


@dataclass(frozen=True)
class FitConfig:
    """A fully resolved configuration: its text is the spec in the header of the model file."""

    model: ModelConfig
    objective: Term | tuple[Term, ...]
    training: Training
    window: int | None
    random_state: int

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of the objective; SpecError where they are incompatible with the model or each other."""
        return terms_of(self.objective, self.model)

    def to_spec(self, *, complete: bool = True) -> dict[str, str]:
        """Every argument as text, with what is in it by default written out; short where not `complete`."""
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
        return {name: text(held[name], complete=complete) for name in KINDS}


def resolve(
    arguments: Mapping[str, Any], preprocessor: Preprocessor, random_state: int, size: tuple[int, bool] | None
) -> FitConfig:
    """Fill in the defaults, and raise SpecError for incompatible arguments before any training.

    `size`: the number of rows, and whether some can be held out; None for a model that is not trained.
    """
    chosen = {name: plain(value) for name, value in arguments.items()}
    objective = chosen["objective"]
    labels = preprocessor.targets.labels
    if objective is None:
        labels = labels.with_default_objective()
    encoder = chosen["encoder"] or default_network(preprocessor.codec.shape)
    mirrored = encoder if encoder.mirrored else default_network(preprocessor.codec.shape)
    decoder = chosen["decoder"] or mirrored
    posterior = chosen["posterior"] or Gaussian()
    training = chosen["training"] or Training()
    assert preprocessor.likelihood is not None
    if size:
        training = training.resolved(*size, table=preprocessor.likelihood.by_column)
    latent_dim = chosen["latent_dim"]
    if latent_dim is None:
        latent_dim = default_latent(preprocessor.codec.shape, preprocessor.likelihood)
    model = ModelConfig(
        latent_dim=latent_sizes(latent_dim),
        encoder=encoder,
        decoder=decoder,
        posterior=posterior,
        prior=chosen["prior"] or DEFAULTS[posterior.support],
        likelihood=preprocessor.likelihood,
        labels=labels,
        has_missing=preprocessor.has_missing or bool(training.missing),
    )
    if objective is None:
        steps = warm_up(training.planned_steps(size[0])) if size else None
        objective = default_objective(labels, steps)
    terms_of(objective, model)
    return FitConfig(model, objective, training, preprocessor.window, random_state)


def default_latent(event: Shape, likelihood: Family) -> int:
    """The latent size where none is given: of n numbers the root of n from LATENT to MOST_LATENT, of a table
    whose columns depend on each other fewer.

    >>> from reparam import Columns
    >>> families = (Gaussian(),) * 9
    >>> [default_latent((9,), Columns(families, context=width)) for width in (0, 64)]
    [8, 4]
    >>> [default_latent(event, Gaussian()) for event in [(30,), (28, 28), (64, 64, 3)]]
    [10, 28, 32]
    """
    n = numel(event)
    if likelihood.is_chain:
        return min(LATENT, 1 + n // COLUMNS_A_DIMENSION)
    return max(1, min(n - 1, max(LATENT, math.isqrt(n)), MOST_LATENT))


def default_objective(labels: LabelHead, steps: int | None) -> Term | tuple[Term, ...]:
    """The ELBO, whose KL is warmed up over `steps` if any, and the classifier's terms where there is one."""
    terms: list[Term] = [ELBO() if steps is None else ELBO(beta=Linear(0.0, 1.0, steps))]
    if labels.cross_entropy is not None:
        terms.append(CrossEntropy(labels.cross_entropy))
    if labels.partial:
        terms += [Consistency(1.0), MutualInformation(1.0)]
    return terms[0] if len(terms) == 1 else tuple(terms)


def latent_sizes(latent_dim: Any) -> tuple[int | Shape, ...]:
    """A size, or maps (C, H, W), for each layer from the top; none where the latent has size 0."""
    dims = latent_dim if isinstance(latent_dim, tuple) else () if latent_dim == 0 else (latent_dim,)
    if any(len(as_shape(d)) not in (1, 3) or min(as_shape(d)) < 1 for d in dims):
        raise SpecError(
            f"latent_dim takes sizes of 1 or more, or maps (C, H, W), for each layer, or 0; not {latent_dim}"
        )
    return dims
