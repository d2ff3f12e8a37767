"""The base class of label heads: what encoder, classifier and decoder read of a batch and its y."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..specs.spec import Spec
from ..tensors import Shape
from .covariates import Columns


class Conditioning(NamedTuple):
    """The outputs of a label head for a batch of B rows."""

    features: Tensor | None  # the encoder's, (B, n); (S, B, n) where each class has its own
    code: Tensor | None  # the decoder's input besides z, (S or 1, B, to_decoder)
    logits: Tensor | None  # the classifier's, (B, K)
    log_qy: Tensor | None = None  # log q(y|x) of the class of each sample, (S, B)


class Networks(Protocol):
    """The parts of a model that a head uses."""

    encoder: nn.Module | None
    classifier: nn.Module | None


SEEN = 1e-9
"""Rows of each class beside those seen: log p(y) is finite."""


@dataclass(frozen=True, repr=False)
class LabelHead(Spec, abc.ABC):
    """How classes enter: `to_encoder` and `to_decoder` numbers join x and z, one-hot by default."""

    reads_y: ClassVar[bool] = True
    """Whether training uses y."""
    measured: ClassVar[bool] = False
    """Whether y holds covariates, numbers (B, to_encoder) for the model, and not classes (B,)."""
    observed: ClassVar[bool] = False
    """Whether the model is conditional on y wherever it is used."""
    partial: ClassVar[bool] = False
    """Whether rows may be unlabelled, y = -1; labelled ones are then repeated in training."""
    enumerated: ClassVar[bool] = False
    """Whether a row has a code for every class."""
    marginalised: ClassVar[bool] = False
    """Whether log p(x|z) is a sum over the classes."""
    has_classifier: ClassVar[bool] = False
    cross_entropy: ClassVar[float | None] = None
    """The weight of the classifier's cross-entropy in the default objective."""

    columns: ClassVar[Columns | None] = None
    """The covariates, as far as they are known."""

    @property
    @abc.abstractmethod
    def n_classes(self) -> int: ...

    @property
    def decodings(self) -> int:
        """How often a draw of z is decoded for log p(x|z): once, or once for each class."""
        return self.n_classes if self.enumerated or self.marginalised else 1

    @property
    def to_encoder(self) -> int:
        return 0

    @property
    def to_decoder(self) -> int:
        return self.n_classes

    def code(self, y: Tensor) -> Tensor:
        """Class numbers (B,) -> the decoder's input (B, to_decoder)."""
        return one_hot(y, self.n_classes).to(torch.get_default_dtype())

    def examples(self, n: int) -> Tensor:
        """y of n rows as the model reads it: each class in turn, (n,), or covariates (n, to_encoder)."""
        return torch.arange(n) % self.n_classes

    def log_frequencies(self, y: Tensor) -> Tensor | None:
        """log p(y) of the classes in training, (K,); None where y holds no classes."""
        counts = torch.bincount(y[y >= 0], minlength=self.n_classes).double()
        return self.frequencies(counts).log()

    def with_default_objective(self) -> "LabelHead":
        """This head as it is completed where no objective is given."""
        return self

    def frequencies(self, counts: Tensor) -> Tensor:
        """p(y) of the classes, (K,), from the labelled rows of each, float64."""
        return (counts + SEEN) / (counts + SEEN).sum()

    def every_code(self, device: torch.device) -> Tensor:
        """The code of every class, (K, to_decoder)."""
        return self.code(torch.arange(self.n_classes, device=device))

    @property
    def known(self) -> Columns:
        """The covariates, all that training says of them included."""
        return ()

    @property
    def typical(self) -> dict[str, Any]:
        """A usual value of each covariate: a mean, or the first category."""
        return {column.name: column.typical for column in self.known}

    @property
    def example(self) -> dict[str, Any]:
        """The same, as one would write it."""
        return {column.name: column.example for column in self.known}

    def classifier(self, event: Shape, n_features: int) -> nn.Module | None:
        """A module (x, features) -> logits (B, K), or None where there is no classifier."""
        return None

    def logits(self, nets: Networks, inputs: Tensor) -> Tensor:
        """The classifier's logits, (B, K)."""
        assert nets.classifier is not None
        return nets.classifier(inputs, None)  # type: ignore[no-any-return]

    @abc.abstractmethod
    def encode(self, nets: Networks, inputs: Tensor, y: Tensor | None) -> Conditioning:
        """One code for each row: its class y where that is known, else the classifier's."""

    def condition(self, nets: Networks, inputs: Tensor, y: Tensor | None, samples: int) -> Conditioning:
        """The inputs for `samples` draws of z for each row (and class, where those are enumerated)."""
        return self.encode(nets, inputs, y)

    def log_px(
        self, given: Callable[[Tensor | None], Tensor], own: Conditioning, log_prior: Tensor
    ) -> Tensor:
        """log p(x|z), (S, B); `given` is log p(x|z, code), and `log_prior` log p(y), (K,)."""
        return given(own.code)

    def simulated_code(self, own: Conditioning, log_prior: Tensor, n: int) -> Tensor | None:
        """The label code of n simulated rows."""
        return own.code


def encoded(nets: Networks, inputs: Tensor, extra: Tensor | None) -> Tensor | None:
    """The encoder's features; None for a model without a latent."""
    return None if nets.encoder is None else nets.encoder(inputs, extra)
