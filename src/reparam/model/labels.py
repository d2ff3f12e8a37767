"""Label heads: how a model uses y. Classes are whole numbers 0 .. K-1 here; names are kept elsewhere.

`condition` gives the inputs of encoder, classifier and decoder for a batch, and `log_px` the resulting
log p(x|z).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import SpecError
from ..nn import MLP, Net
from ..nn.layers import features_per_class, linear, width_of
from ..specs.spec import AtLeast, Count, Several
from ..tensors import Shape
from .covariates import Columns
from .label_head import Conditioning, LabelHead, Networks, encoded

BOUND_WEIGHT = 0.1
"""The weight of the bound for a classifier that other terms train too (docs/results.md, "Few labels")."""


@dataclass(frozen=True, repr=False)
class NoLabels(LabelHead):
    """No labels: y is not read, and p(x|z) depends on the code alone."""

    reads_y: ClassVar[bool] = False

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
class Covariates(LabelHead):
    """y is a frame of numbers and categories, known in training and in use: p(x|z, y), q(z|x, y).

    A number is standardised by what training saw, a category is one-hot. `columns` says what each column of
    y is; None: numbers are numbers; text, booleans and pandas categoricals are categories. Missing values and
    unseen categories are refused. p(z) does not depend on y. Sources: the CVAE of Sohn et al., "Learning
    structured output representation using deep conditional generative models" (2015); batches as covariates
    as in Lopez et al., "Deep generative modeling for single-cell transcriptomics" (2018).
    """

    columns: Columns | None = None  # type: ignore[misc]
    observed: ClassVar[bool] = True
    measured: ClassVar[bool] = True

    def check(self) -> None:
        names = [column.name for column in self.columns or ()]
        if self.columns is not None and (not names or len(set(names)) < len(names)):
            raise SpecError(f"Covariates.columns needs one or more columns of different names, not {names}")

    @property
    def n_classes(self) -> int:
        return 1

    @property
    def known(self) -> Columns:
        if self.columns is None or not all(column.width for column in self.columns):
            raise SpecError(f"{self} has not seen data: fit a VAE with it, or give columns in full")
        return self.columns

    @property
    def to_encoder(self) -> int:
        return self.to_decoder

    @property
    def to_decoder(self) -> int:
        return sum(column.width for column in self.known)

    def code(self, y: Tensor) -> Tensor:
        return y

    def examples(self, n: int) -> Tensor:
        codes = np.concatenate([column.examples(n) for column in self.known], 1)
        return torch.as_tensor(codes, dtype=torch.get_default_dtype())

    def log_frequencies(self, y: Tensor) -> None:
        return None

    def encode(self, nets: Networks, inputs: Tensor, y: Tensor | None) -> Conditioning:
        assert y is not None
        return Conditioning(encoded(nets, inputs, y), y[None], None)


@dataclass(frozen=True, repr=False)
class Enumerated(LabelHead):
    """y is data where it is known and summed out where it is not: M2 (Kingma et al. 2014, equation 7).

    A classifier of its own on x, `network` or MLP(), gives q(y|x). Rows labelled -1 are unlabelled. In
    training labelled rows are repeated until they are a tenth of all, and the default objective is
    (ELBO(), CrossEntropy(10), Consistency(1), MutualInformation(1)).

    `bound_weight` weighs the gradient by which the bound trains the classifier. At 1, hundreds of nats of x
    outweigh the other terms, and classes become those that explain x best, such as the slants of a digit.
    None: 0.1 with the default objective, else 1.
    """

    classes: Several
    network: Net | None = None
    bound_weight: Annotated[float, AtLeast(0)] | None = None
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
        return share * uniform + (1 - share) * p

    def with_default_objective(self) -> "Enumerated":
        return replace(self, bound_weight=BOUND_WEIGHT) if self.bound_weight is None else self

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
        log_qy = label_posterior(scaled_gradient(logits, self.bound_weight), y).repeat(samples, 1)
        return Conditioning(each.repeat(samples, 1, 1), codes.repeat(samples, 1)[:, None], logits, log_qy)


def label_posterior(logits: Tensor, y: Tensor | None) -> Tensor:
    """log q(y|x), (K, B): the classifier's, or a point mass at the label of a labelled row."""
    log_q = logits.log_softmax(-1)
    if y is not None:
        known = torch.full_like(log_q, -math.inf).scatter(-1, y.clamp_min(0)[:, None], 0.0)
        log_q = torch.where(y[:, None] < 0, log_q, known)
    return log_q.T


def scaled_gradient(t: Tensor, weight: float | None) -> Tensor:
    """t, with `weight` times its gradient."""
    held = t.detach()
    return t if weight is None else held + weight * (t - held)


class Classifier(nn.Module):
    """Logits from a network of its own on x, or from the encoder's features."""

    def __init__(self, net: nn.Module | None, n_features: int, classes: int) -> None:
        super().__init__()
        self.net, self.last = net, linear(n_features if net is None else width_of(net), classes)

    def forward(self, x: Tensor, h: Tensor | None) -> Tensor:
        return self.last(h if self.net is None else self.net(x))  # type: ignore[no-any-return]


Labels = Annotated[LabelHead, NoLabels, Auxiliary, Given, Enumerated, Covariates]
