"""What a model knows of classes. Labels are whole numbers 0 .. K-1 in here; names stay outside."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..errors import SpecError
from ..nn.layers import linear, width_of
from ..nn.networks import MLP, Net
from ..specs.spec import Count, Several, Spec
from ..tensors import Shape


@dataclass(frozen=True, repr=False)
class LabelHead(Spec):
    """How classes enter: `to_encoder` and `to_decoder` numbers join x and z, one-hot unless said."""

    classes: Several
    encoded: ClassVar[bool] = False
    """Whether the encoder reads y."""

    @property
    def to_encoder(self) -> int:
        return self.to_decoder if self.encoded else 0

    @property
    def to_decoder(self) -> int:
        return self.classes

    def code(self, y: Tensor) -> Tensor:
        """Class numbers (B,) -> what the decoder sees (B, to_decoder)."""
        return one_hot(y, self.classes).to(torch.get_default_dtype())

    def classifier(self, event: Shape, n_features: int) -> nn.Module | None:
        """A module (x, features) -> logits (B, K), or None where y is always given."""
        return None


@dataclass(frozen=True, repr=False)
class Auxiliary(LabelHead):
    """A classifier beside the encoder; the decoder sees z joined by y = softmax(logits).

    `network` reads the image itself (None: the encoder's features). Gradients of the reconstruction
    flow through the softmax unless `detach`. Because the decoder so sees a continuous function of x
    free of charge, -distortion - rate is not a bound on log p(x); `bound`, `score_samples` and
    `evaluate` use log sum_y p(y) p(x|y), exact over the classes. Source: Y. Zeldes, "Variational
    autoencoders explained in detail" (2018).
    """

    network: Net | None = None
    detach: bool = False

    def classifier(self, event: Shape, n_features: int) -> nn.Module:
        net = self.network.encoder(event, 0) if self.network else None
        return Classifier(net, n_features, self.classes)


@dataclass(frozen=True, repr=False)
class Given(LabelHead):
    """y is data, and enters encoder and decoder: p(x|z, y) (CVAE, Sohn et al. 2015).

    Each class enters as a one-hot vector, or as its row of `codes`, real numbers chosen by hand.
    """

    classes: Count
    codes: tuple[tuple[float, ...], ...] | None = None
    encoded: ClassVar[bool] = True

    def check(self) -> None:
        if self.codes is not None and (
            len(self.codes) != self.classes or len({len(c) for c in self.codes}) != 1 or not self.codes[0]
        ):
            raise SpecError(f"Given.codes needs {self.classes} rows, one a class, all of one length")

    @property
    def to_decoder(self) -> int:
        return len(self.codes[0]) if self.codes else self.classes

    def code(self, y: Tensor) -> Tensor:
        if self.codes is None:
            return super().code(y)
        return torch.tensor(self.codes, dtype=torch.get_default_dtype(), device=y.device)[y]


@dataclass(frozen=True, repr=False)
class Enumerated(LabelHead):
    """y is data where it is known and summed over where it is not: M2 (Kingma et al. 2014, equation 7).

    A classifier of its own on x, `network` or MLP(), gives q(y|x). Rows labelled -1 are unlabelled.
    """

    network: Net | None = None
    encoded: ClassVar[bool] = True

    def classifier(self, event: Shape, n_features: int) -> nn.Module:
        return Classifier((self.network or MLP()).encoder(event, 0), n_features, self.classes)


class Classifier(nn.Module):
    """Logits from a network of its own on x, or from the encoder's features."""

    def __init__(self, net: nn.Module | None, n_features: int, classes: int) -> None:
        super().__init__()
        self.net, self.last = net, linear(n_features if net is None else width_of(net), classes)

    def forward(self, x: Tensor, h: Tensor | None) -> Tensor:
        return self.last(h if self.net is None else self.net(x))  # type: ignore[no-any-return]


Labels = Annotated[LabelHead, Auxiliary, Given, Enumerated]
