"""Networks as specs. An encoder gives features (B, n_out); a decoder gives the raw numbers of p(x|z).

To bring your own, subclass `Network` as a frozen dataclass and return any nn.Module: an encoder takes
(x, extra) and has an attribute `n_out`; a decoder maps (*leading, n_in) to (*leading, n).
"""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from .errors import SpecError
from .spec import Spec
from .tensors import Shape, numel, over_leading

Activation = Literal["relu", "elu", "gelu", "silu", "sigmoid", "softplus", "tanh"]
Init = Literal["glorot", "he"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


@dataclass(frozen=True, repr=False)
class Network(Spec, abc.ABC):
    """How data of any event shape becomes features, and how codes become data."""

    @abc.abstractmethod
    def encoder(self, event: Shape, extra: int) -> nn.Module:
        """A module (x (B, *E), y (B, extra)) -> (B, n_out); `extra` label numbers enter beside x."""

    @abc.abstractmethod
    def decoder(self, n_in: int, event: Shape, n: int) -> nn.Module:
        """A module (*leading, n_in) -> (*leading, n): n raw numbers for a likelihood over `event`."""


@dataclass(frozen=True, repr=False)
class MLP(Network):
    """Dense layers, one for each of `hidden`; `MLP(())` is linear.

    `init="he"` scales normal weights by sqrt(2 / fan-in) (He et al. 2015), `"glorot"` draws them
    uniformly (Glorot and Bengio 2010). The last layer is always linear with Glorot's weights.
    """

    hidden: tuple[int, ...] = (256, 256)
    activation: Activation = "relu"
    init: Init = "glorot"

    def check(self) -> None:
        if any(width < 1 for width in self.hidden):
            raise SpecError(f"MLP.hidden takes widths of 1 or more, not {self.hidden}")

    def layers(self, n_in: int) -> list[nn.Module]:
        widths = (n_in, *self.hidden)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [linear(a, b, self.init), ACTIVATIONS[self.activation]()]
        return layers

    def encoder(self, event: Shape, extra: int) -> nn.Module:
        n_in = numel(event) + extra
        return Encoder(nn.Flatten(), nn.Sequential(*self.layers(n_in)), (n_in, *self.hidden)[-1])

    def decoder(self, n_in: int, event: Shape, n: int) -> nn.Module:
        return nn.Sequential(*self.layers(n_in), linear((n_in, *self.hidden)[-1], n))


@dataclass(frozen=True, repr=False)
class Conv(Network):
    """Stride-2 convolutions down to a small map, dense layers, and the mirror image up again.

    Any height, width and number of channels: each layer halves the size, rounding up, and its mirror
    undoes exactly that. Events are (H, W) or (C, H, W).
    """

    channels: tuple[int, ...] = (32, 64)
    kernel: int = 3
    hidden: tuple[int, ...] = (256,)
    activation: Activation = "relu"
    init: Init = "he"

    def check(self) -> None:
        if not self.channels or self.kernel % 2 == 0:
            raise SpecError("Conv needs at least one width in channels, and an odd kernel")

    @property
    def dense(self) -> MLP:
        return MLP(self.hidden, self.activation, self.init)

    def sizes(self, event: Shape) -> list[Shape]:
        """Height and width before each layer, and after the last."""
        if len(event) not in (2, 3):
            raise SpecError(
                f"Conv needs pictures, (H, W) or (C, H, W); these data have shape {event}. Use MLP"
            )
        sizes = [event[-2:]]
        for _ in self.channels:
            sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
        return sizes

    def encoder(self, event: Shape, extra: int) -> nn.Module:
        layers: list[nn.Module] = []
        widths = (event[0] if len(event) == 3 else 1, *self.channels)
        sizes = self.sizes(event)
        for a, b in pairwise(widths):
            conv = nn.Conv2d(a, b, self.kernel, stride=2, padding=self.kernel // 2)
            layers += [initialised(conv, self.init), ACTIVATIONS[self.activation]()]
        n_in = numel(sizes[-1]) * widths[-1] + extra
        channel: nn.Module = nn.Unflatten(1, (1, event[0])) if len(event) == 2 else nn.Identity()
        stem = nn.Sequential(channel, *layers, nn.Flatten())
        return Encoder(stem, nn.Sequential(*self.dense.layers(n_in)), (n_in, *self.hidden)[-1])

    def decoder(self, n_in: int, event: Shape, n: int) -> nn.Module:
        sizes = self.sizes(event)[::-1]
        widths = (*self.channels[::-1], n // numel(event[-2:]))
        if n % numel(event[-2:]):
            raise SpecError(
                "Conv gives the same raw numbers for every pixel; this likelihood asks otherwise. Use MLP"
            )
        dense = MLP((*self.hidden[::-1], numel(sizes[0]) * widths[0]), self.activation, self.init)
        layers: list[nn.Module] = [*dense.layers(n_in), nn.Unflatten(1, (widths[0], *sizes[0]))]
        for i, (a, b) in enumerate(pairwise(widths)):
            height, width = sizes[i + 1]
            beyond = ((height + 1) % 2, (width + 1) % 2)
            up = nn.ConvTranspose2d(a, b, self.kernel, 2, self.kernel // 2, output_padding=beyond)
            layers += [ACTIVATIONS[self.activation]()] if i else []
            layers.append(initialised(up, self.init if i + 2 < len(widths) else "glorot"))
        return Leading(nn.Sequential(*layers, nn.Flatten()))


def default_network(event: Shape) -> Network:
    """Conv for pictures of more than 1,024 numbers, with layers enough to come down to 8 pixels; else MLP."""
    if len(event) not in (2, 3) or numel(event) <= 1024:
        return MLP()
    layers = max(2, math.ceil(math.log2(max(event[-2:]) / 8)))
    return Conv(tuple(min(16 << i, 256) for i in range(layers)))


class Encoder(nn.Module):
    """`stem` flattens x to a vector, label numbers join it, `body` gives `n_out` features."""

    def __init__(self, stem: nn.Module, body: nn.Module, n_out: int) -> None:
        super().__init__()
        self.stem, self.body, self.n_out = stem, body, n_out

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        h = self.stem(x)
        return self.body(h if extra is None else torch.cat((h, extra), -1))  # type: ignore[no-any-return]


class Leading(nn.Module):
    """Convolutions want one batch axis; a decoder sees (S, B, n_in)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, z: Tensor) -> Tensor:
        return over_leading(self.net, z, 1)


class Free(nn.Module):
    """n learned numbers that read nothing: the layer of a prior."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(0.5 * torch.randn(n))

    def forward(self, h: None) -> Tensor:
        return self.raw


def width_of(encoder: nn.Module) -> int:
    """How many features an encoder gives; SpecError where a module of your own does not say."""
    width = getattr(encoder, "n_out", None)
    if not isinstance(width, int):
        raise SpecError(
            f"an encoder needs a whole number n_out, its feature count; {type(encoder).__name__} has {width}"
        )
    return width


def linear(n_in: int, n_out: int, init: Init = "glorot") -> nn.Module:
    return initialised(nn.Linear(n_in, n_out), init)


def initialised(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, init: Init) -> nn.Module:
    if layer.weight.numel():
        if init == "he":
            nn.init.kaiming_normal_(layer.weight)
        else:
            nn.init.xavier_uniform_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


Net = Annotated[Network, MLP, Conv]


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side on the last axis, leading axes broadcast."""
    if len(tensors) == 1:
        return tensors[0]
    leading = torch.broadcast_shapes(*(t.shape[:-1] for t in tensors))  # type: ignore[no-untyped-call]
    return torch.cat([t.expand(*leading, t.shape[-1]) for t in tensors], -1)
