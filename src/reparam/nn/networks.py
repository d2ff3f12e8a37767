"""Networks as specs. An encoder gives features (B, n_out); a decoder gives the raw parameters of p(x|z).

Any nn.Module is an encoder or a decoder as `Wrap(module)`. For a network that fits any data, subclass
`Network` as a frozen dataclass and return any nn.Module: an encoder takes
(x, extra) and has an attribute `n_out`; a decoder maps (*leading, n_in) to (*leading, n). A model file
holds its repr: load it with `VAE.load(path, specs=[Mine])`.
"""

import abc
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self

from torch import nn

from ..errors import SpecError
from ..specs.spec import Spec
from ..tensors import Shape, numel
from .layers import Encoder, FlattenBatch, Init, Maps, initialised, linear
from .products import Conv2d, ConvTranspose2d
from .pyramid import Pyramid

Activation = Literal["relu", "elu", "gelu", "silu", "sigmoid", "softplus", "tanh"]
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
    """A spec of an encoder and a decoder for data of any event shape."""

    @property
    def mirrored(self) -> bool:
        """Whether the decoder is of the same spec where none is named."""
        return True

    def bound(self, role: str, module: Any) -> Self:
        """The network of a loaded model, with the `module` given for it."""
        if module is not None:
            raise SpecError(f"its {role} is {self}, not a Wrap: leave {role!r} out of modules")
        return self

    @abc.abstractmethod
    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        """A module (x (B, *E), y (B, extra)) -> (B, n_out); `extra` label numbers enter beside x.

        `layers` are the shapes of the stochastic layers. Each has its own features, the deepest first,
        concatenated, with shapes in the module's `shapes`; without `shapes` every layer reads all.
        """

    @abc.abstractmethod
    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        """A module (*leading, n_in) -> (*leading, n): n raw parameters for a likelihood over `event`,
        from flat tensors of the shapes `seen`, concatenated."""


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

    def blocks(self, n_in: int) -> list[nn.Module]:
        """Dense layers, each with its activation."""
        return [
            nn.Sequential(linear(a, b, self.init), ACTIVATIONS[self.activation]())
            for a, b in pairwise((n_in, *self.hidden))
        ]

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        if any(len(shape) == 3 for shape in layers):
            raise SpecError(f"{self} has no maps for the latents {layers}. Use Conv(), or flat sizes")
        n_in = numel(event) + extra
        blocks = self.blocks(n_in) or [nn.Identity()]
        taps = [max(len(blocks) - 1 - i, 0) for i in range(len(layers))]
        return Encoder(nn.Flatten(), blocks, taps, tuple(((self.hidden or (n_in,))[i],) for i in taps))

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        n_in = sum(map(numel, seen))
        return nn.Sequential(*self.blocks(n_in), linear((n_in, *self.hidden)[-1], n))


@dataclass(frozen=True, repr=False)
class Conv(Network):
    """Stride-2 convolutions to a small map, then dense layers; the decoder is the mirror image.

    Any height, width and number of channels: each layer halves the size, rounding up, and its mirror
    restores that size. Events are (H, W) or (C, H, W).
    """

    channels: tuple[int, ...] = (32, 64)
    kernel: int = 3
    hidden: tuple[int, ...] = (256,)
    activation: Activation = "relu"
    init: Init = "he"

    def check(self) -> None:
        if not self.channels or self.kernel % 2 == 0:
            raise SpecError("Conv needs at least one width in channels, and an odd kernel")

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        pyramid = Pyramid(self, event, self.channels)
        levels: list[nn.Module] = []
        for a, b in pairwise(((event[0] if len(event) == 3 else 1) + extra, *self.channels)):
            conv = Conv2d(a, b, self.kernel, stride=2, padding=self.kernel // 2)
            levels.append(nn.Sequential(initialised(conv, self.init), ACTIVATIONS[self.activation]()))
        dense = MLP(self.hidden, self.activation, self.init).blocks(numel(pyramid.shapes[-1]))
        return pyramid.encoder(levels, dense, self.hidden, layers)

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        pyramid = Pyramid(self, event, self.channels)
        depth = pyramid.level(seen[0]) if len(seen[0]) == 3 else len(self.channels)
        sizes = pyramid.sizes[depth::-1]
        widths = (*self.channels[:depth][::-1], pyramid.channels_of(n))
        start = (widths[0], *sizes[0])
        if len(seen[0]) == 3:
            layers: list[nn.Module] = [Maps(seen, sizes[0], numel(start)), ACTIVATIONS[self.activation]()]
        else:
            layers = MLP((*self.hidden[::-1], numel(start)), self.activation, self.init).blocks(
                sum(map(numel, seen))
            )
        layers.append(nn.Unflatten(1, start))
        for i, (a, b) in enumerate(pairwise(widths)):
            height, width = sizes[i + 1]
            beyond = ((height + 1) % 2, (width + 1) % 2)
            up = ConvTranspose2d(a, b, self.kernel, 2, self.kernel // 2, output_padding=beyond)
            layers += [ACTIVATIONS[self.activation]()] if i else []
            layers.append(initialised(up, self.init if i + 2 < len(widths) else "glorot"))
        return FlattenBatch(nn.Sequential(*layers, nn.Flatten()))


def default_network(event: Shape) -> Network:
    """Conv for images of more than 1,024 numbers, with enough layers to reach 8 pixels; else MLP."""
    if len(event) not in (2, 3) or numel(event) <= 1024:
        return MLP(activation="silu")
    layers = max(2, math.ceil(math.log2(max(event[-2:]) / 8)))
    return Conv(tuple(min(16 << i, 256) for i in range(layers)), activation="silu")
