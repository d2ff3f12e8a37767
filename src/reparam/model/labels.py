"""Label heads: how a model uses classes. Labels are whole numbers 0 .. K-1 here; names are kept elsewhere.

`condition` gives the inputs of encoder, classifier and decoder for a batch, and `log_px` the resulting
log p(x|z).
"""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..errors import SpecError
from ..nn import MLP, Net
from ..nn.layers import features_per_class, linear, width_of
from ..specs.spec import Count, Several, Spec
from ..tensors import Shape


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

    @property
    @abc.abstractmethod
    def n_classes(self) -> int: ...

    @property
    def to_encoder(self) -> int:
        return 0

    @property
    def to_decoder(self) -> int:
        return self.n_classes

    def code(self, y: Tensor) -> Tensor:
        """Class numbers (B,) -> the decoder's input (B, to_decoder)."""
        return one_hot(y, self.n_classes).to(torch.get_default_dtype())

    def every_code(self, device: torch.device) -> Tensor:
        """The code of every class, (K, to_decoder)."""
        return self.code(torch.arange(self.n_classes, device=device))

    def frequencies(self, counts: Tensor) -> Tensor:
        """p(y) of the classes, (K,), from the labelled rows of each, float64."""
        return (counts + SEEN) / (counts + SEEN).sum()

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


@dataclass(frozen=True, repr=False)
class NoLabels(LabelHead):
    """No labels."""

    @property
    def n_classes(self) -> int:
        return 1

    @property
    def to_decoder(self) -> int:
        return 0

    def encode(self, nets: Networks, inputs: Tensor, y: Tensor | None) -> Conditioning:
        return Conditioning(encoded(nets, inputs, None), None, None)


@dataclass(frozen=True, repr=False)
class Auxiliary(LabelHead):
    """A classifier beside the encoder; the decoder reads z and y = softmax(logits).

    `network` is the classifier's own network on x (None: the encoder's features). Gradients of the
    reconstruction flow through the softmax unless `detach`. Because y is then a function of x without a
    KL cost, -distortion - rate is not a bound on log p(x); `bound`, `score_samples` and `evaluate` use
    log sum_y p(y) p(x|y), exact over the classes. Source: Y. Zeldes, "Variational
    autoencoders explained in detail" (2018).
    """

    classes: Several
    network: Net | None = None
    detach: bool = False
    marginalised: ClassVar[bool] = True
    has_classifier: ClassVar[bool] = True
    cross_entropy: ClassVar[float | None] = 10.0

    @property
    def n_classes(self) -> int:
        return self.classes

    def classifier(self, event: Shape, n_features: int) -> nn.Module:
        net = self.network.encoder(event, 0) if self.network else None
        return Classifier(net, n_features, self.classes)

    def logits(self, nets: Networks, inputs: Tensor) -> Tensor:
        assert nets.classifier is not None
        return nets.classifier(inputs, None if self.network else encoded(nets, inputs, None))  # type: ignore[no-any-return]

    def encode(self, nets: Networks, inputs: Tensor, y: Tensor | None) -> Conditioning:
        assert nets.classifier is not None
        h = encoded(nets, inputs, None)
        logits = nets.classifier(inputs, h)
        soft = logits.softmax(-1)[None]
        return Conditioning(h, soft.detach() if self.detach else soft, logits)

    def log_px(
        self, given: Callable[[Tensor | None], Tensor], own: Conditioning, log_prior: Tensor
    ) -> Tensor:
        """log sum_y p(y) p(x|z, y)."""
        each = [given(code) for code in self.every_code(log_prior.device)[:, None, None]]
        return torch.logsumexp(torch.stack(each, -1) + log_prior, -1)

    def simulated_code(self, own: Conditioning, log_prior: Tensor, n: int) -> Tensor:
        return self.code(torch.multinomial(log_prior.exp(), n, replacement=True))


@dataclass(frozen=True, repr=False)
class Given(LabelHead):
    """y is data, and enters encoder and decoder: p(x|z, y) (CVAE, Sohn et al. 2015).

    Each class enters as a one-hot vector, or as its row of `codes`, given real numbers.
    """

    classes: Count
    codes: tuple[tuple[float, ...], ...] | None = None
    observed: ClassVar[bool] = True

    def check(self) -> None:
        if self.codes is not None and (
            len(self.codes) != self.classes or len({len(c) for c in self.codes}) != 1 or not self.codes[0]
        ):
            raise SpecError(f"Given.codes needs {self.classes} rows, one per class, all of one length")

    @property
    def n_classes(self) -> int:
        return self.classes

    @property
    def to_encoder(self) -> int:
        return self.to_decoder

    @property
    def to_decoder(self) -> int:
        return len(self.codes[0]) if self.codes else self.classes

    def code(self, y: Tensor) -> Tensor:
        if self.codes is None:
            return super().code(y)
        return torch.tensor(self.codes, dtype=torch.get_default_dtype(), device=y.device)[y]

    def encode(self, nets: Networks, inputs: Tensor, y: Tensor | None) -> Conditioning:
        assert y is not None
        code = self.code(y)
        return Conditioning(encoded(nets, inputs, code), code[None], None)


@dataclass(frozen=True, repr=False)
class Enumerated(LabelHead):
    """y is data where it is known and summed out where it is not: M2 (Kingma et al. 2014, equation 7).

    A classifier of its own on x, `network` or MLP(), gives q(y|x). Rows labelled -1 are unlabelled. In
    training labelled rows are repeated until they are a tenth of all, and the default objective is
    (ELBO(), CrossEntropy(10), Consistency(1), MutualInformation(1)).
    """

    classes: Several
    network: Net | None = None
    partial: ClassVar[bool] = True
    enumerated: ClassVar[bool] = True
    has_classifier: ClassVar[bool] = True
    cross_entropy: ClassVar[float | None] = 10.0

    @property
    def n_classes(self) -> int:
        return self.classes

    @property
    def to_encoder(self) -> int:
        return self.classes

    def frequencies(self, counts: Tensor) -> Tensor:
        """Shrunk towards 1 / K, since few labels tell their frequencies badly: Hausser and Strimmer, "Entropy
        inference and the James-Stein estimator" (2009), equations 4 to 6."""
        p, uniform, n = super().frequencies(counts), 1 / self.classes, counts.sum()
        intensity = (1 - p.square().sum()) / ((n - 1) * (p - uniform).square().sum())
        share = intensity.clamp(0.0, 1.0) if n > 1 else 1.0
        return share * uniform + (1 - share) * p  # type: ignore[no-any-return]

    def classifier(self, event: Shape, n_features: int) -> nn.Module:
        return Classifier(
            (self.network or MLP(activation="silu")).encoder(event, 0), n_features, self.classes
        )

    def encode(self, nets: Networks, inputs: Tensor, y: Tensor | None) -> Conditioning:
        assert nets.classifier is not None
        logits = nets.classifier(inputs, None)
        best = logits.argmax(-1)
        code = self.code(best if y is None else torch.where(y < 0, best, y))
        return Conditioning(encoded(nets, inputs, code), code[None], logits)

    def condition(self, nets: Networks, inputs: Tensor, y: Tensor | None, samples: int) -> Conditioning:
        """S = samples K: every class of every row `samples` times."""
        assert nets.encoder is not None and nets.classifier is not None
        codes = self.every_code(inputs.device)
        logits = nets.classifier(inputs, None)
        each = features_per_class(nets.encoder, inputs, codes)
        log_qy = label_posterior(logits, y).repeat(samples, 1)
        return Conditioning(each.repeat(samples, 1, 1), codes.repeat(samples, 1)[:, None], logits, log_qy)


def label_posterior(logits: Tensor, y: Tensor | None) -> Tensor:
    """log q(y|x), (K, B): the classifier's, or a point mass at the label of a labelled row."""
    log_q = logits.log_softmax(-1)
    if y is not None:
        known = torch.full_like(log_q, -math.inf).scatter(-1, y.clamp_min(0)[:, None], 0.0)
        log_q = torch.where(y[:, None] < 0, log_q, known)
    return log_q.T


class Classifier(nn.Module):
    """Logits from a network of its own on x, or from the encoder's features."""

    def __init__(self, net: nn.Module | None, n_features: int, classes: int) -> None:
        super().__init__()
        self.net, self.last = net, linear(n_features if net is None else width_of(net), classes)

    def forward(self, x: Tensor, h: Tensor | None) -> Tensor:
        return self.last(h if self.net is None else self.net(x))  # type: ignore[no-any-return]


Labels = Annotated[LabelHead, NoLabels, Auxiliary, Given, Enumerated]
