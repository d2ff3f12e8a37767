"""Residual networks: each block is h + f(h) and starts as the identity.

Normalisation is within a row, by LayerNorm or GroupNorm, never over the batch: a row's code, bound and
score must not depend on other rows.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor, nn

from ..errors import SpecError
from ..specs.spec import AtLeast, Count, Several
from ..tensors import Shape, numel
from .layers import Encoder, FlattenBatch, Maps, initialised, linear
from .networks import ACTIVATIONS, MLP, Activation, Network
from .products import Conv2d
from .pyramid import Pyramid


class Residual(nn.Module):
    """h + f(h), f the layers in sequence; the last starts at 0 (Goyal et al. 2017, section 5.1)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.f = nn.Sequential(*layers)
        for parameter in layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = h + self.f(h)
        return out


class Attend(nn.Module):
    """Queries, keys and values of c channels each, stacked (B, 3 c, H, W) -> (B, c, H, W):
    softmax(q' k / sqrt c) v over the positions of the map."""

    def forward(self, maps: Tensor) -> Tensor:
        q, k, v = maps.flatten(2).chunk(3, 1)
        weights = (q.transpose(1, 2) @ k / math.sqrt(q.shape[1])).softmax(-1)
        return (v @ weights.transpose(1, 2)).reshape(maps.shape[0], -1, *maps.shape[2:])


@dataclass(frozen=True, repr=False)
class ResMLP(Network):
    """h = W x, then h <- h + W2 act(W1 norm(h)) for each of the `blocks`, then act(norm(h)).

    All layers are `width` wide; norm is LayerNorm (Ba et al. 2016). Sources: He et al., "Identity mappings
    in deep residual networks" (2016); Gorishniy et al., "Revisiting deep learning models for tabular data"
    (2021), section 3.2, which uses batch normalisation.
    """

    width: Several = 256
    blocks: Count = 2
    activation: Activation = "relu"

    def layers(self, n_in: int) -> list[nn.Module]:
        """Modules in sequence; the first reads n_in numbers."""
        n, act = self.width, ACTIVATIONS[self.activation]
        blocks: list[nn.Module] = [
            Residual(nn.LayerNorm(n), linear(n, n, "he"), act(), linear(n, n)) for _ in range(self.blocks)
        ]
        blocks[0] = nn.Sequential(linear(n_in, n), blocks[0])
        blocks[-1] = nn.Sequential(blocks[-1], nn.LayerNorm(n), act())
        return blocks

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        if any(len(shape) == 3 for shape in layers):
            raise SpecError(f"{self} has no maps for the latents {layers}. Use ResNet(), or flat sizes")
        taps = [max(self.blocks - 1 - i, 0) for i in range(len(layers))]
        shapes = tuple((self.width,) for _ in layers)
        return Encoder(nn.Flatten(), self.layers(numel(event) + extra), taps, shapes)

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        return nn.Sequential(*self.layers(sum(map(numel, seen))), linear(self.width, n))


@dataclass(frozen=True, repr=False)
class ResNet(Network):
    """Levels to a small map, each a stride-2 convolution and residual `blocks`, then dense layers; the
    decoder is the mirror image, with nearest-neighbour upsampling to the exact size and a convolution.

    A block is h + conv(act(norm(conv(act(norm(h)))))), all 3 x 3 (He et al., "Identity mappings in deep
    residual networks", 2016), norm a GroupNorm of `norm` groups (Wu and He 2018), none where it is 0.
    `attention` adds self-attention on the smallest map, as in Ho et al., "Denoising diffusion
    probabilistic models" (2020), appendix B. Any height, width and number of channels, as `Conv`.
    """

    channels: tuple[int, ...] = (32, 64)
    blocks: Count = 2
    hidden: tuple[int, ...] = (256,)
    norm: Annotated[int, AtLeast(0)] = 8
    attention: bool = False
    activation: Activation = "silu"

    def check(self) -> None:
        if not self.channels or any(width < 1 for width in (*self.channels, *self.hidden)):
            raise SpecError("ResNet needs at least one width in channels, and widths of 1 or more")
        bad = [c for c in self.channels if self.norm and (c % self.norm or c == self.norm)]
        if bad:
            raise SpecError(
                f"ResNet.channels has {bad[0]}: {self.norm} groups need 2 or more channels each, as many in "
                f"each. Use a multiple such as {self.norm * max(2, round(bad[0] / self.norm))}, or norm=0"
            )

    def ready(self, c: int) -> list[nn.Module]:
        """act(norm(h)) for c channels."""
        norm = [nn.GroupNorm(self.norm, c)] if self.norm else []
        return [*norm, ACTIVATIONS[self.activation]()]

    def level(self, c: int, attention: bool) -> list[nn.Module]:
        """The blocks of one map size with c channels."""
        blocks: list[nn.Module] = [
            Residual(*self.ready(c), conv(c, c), *self.ready(c), conv(c, c)) for _ in range(self.blocks)
        ]
        if attention:
            blocks.append(Residual(*self.ready(c)[:-1], conv(c, 3 * c, 1), Attend(), conv(c, c, 1)))
        return blocks

    def attends(self, level: int) -> bool:
        """Whether the maps of a level, counted from 1, have self-attention."""
        return self.attention and level == len(self.channels)

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        pyramid = Pyramid(self, event, self.channels)
        levels, a = [], (event[0] if len(event) == 3 else 1) + extra
        for i, c in enumerate(self.channels, 1):
            down = conv(a, c, stride=2)
            levels.append(nn.Sequential(down, *self.level(c, self.attends(i)), *self.ready(c)))
            a = c
        dense = MLP(self.hidden, self.activation, "he").blocks(numel(pyramid.shapes[-1]))
        return pyramid.encoder(levels, dense, self.hidden, layers)

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        pyramid = Pyramid(self, event, self.channels)
        depth = pyramid.level(seen[0]) if len(seen[0]) == 3 else len(self.channels)
        start = pyramid.shapes[depth - 1]
        layers: list[nn.Module] = [
            Maps(seen, start[1:], numel(start))
            if len(seen[0]) == 3
            else MLP(self.hidden[::-1], self.activation, "he").decoder(seen, (), numel(start)),
            nn.Unflatten(1, start),
        ]
        for i in range(depth, 0, -1):
            c, above = self.channels[i - 1], self.channels[max(i - 2, 0)]
            up = [nn.Upsample(pyramid.sizes[i - 1]), conv(c, above)]
            layers += [*self.level(c, self.attends(i))[::-1], *self.ready(c), *up]
        c = self.channels[0]
        layers += [*self.ready(c), initialised(Conv2d(c, pyramid.channels_of(n), 3, padding=1), "glorot")]
        return FlattenBatch(nn.Sequential(*layers, nn.Flatten()))


def conv(a: int, b: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    return initialised(Conv2d(a, b, kernel, stride, kernel // 2), "he")
