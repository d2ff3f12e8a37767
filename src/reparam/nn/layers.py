"""Layers of the networks and of the hierarchy."""

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import SpecError
from ..tensors import Shape, broadcast_shape, numel, over_batch_axes
from .products import Conv2d, Linear

Init = Literal["glorot", "he"]


class Encoder(nn.Module):
    """x and label numbers through `blocks`; the outputs of the blocks in `taps` are the features.

    They are flattened and concatenated; `shapes` gives their shapes.
    """

    def __init__(
        self, stem: nn.Module, blocks: Sequence[nn.Module], taps: Sequence[int], shapes: tuple[Shape, ...]
    ) -> None:
        super().__init__()
        self.stem, self.blocks = stem, nn.ModuleList(blocks[: max(taps) + 1])
        self.taps, self.shapes, self.n_out = tuple(taps), shapes, sum(numel(s) for s in shapes)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        h: Tensor = self.stem(x)
        if extra is not None:
            size = h.shape[2:]
            h = torch.cat((h, extra.reshape(*extra.shape, *(1 for _ in size)).expand(-1, -1, *size)), 1)
        return self.after(self.blocks[0](h))

    def first_dense(self) -> tuple[nn.Linear, nn.Module] | None:
        """The first block, where it is a dense layer and an activation."""
        match self.blocks[0]:
            case nn.Sequential() as block if len(block) == 2 and isinstance(block[0], nn.Linear):
                return block[0], block[1]
        return None

    def after(self, h: Tensor) -> Tensor:
        """The features, from the output of the first block."""
        seen = [h]
        for block in islice(self.blocks, 1, None):
            seen.append(block(seen[-1]))
        return joined([seen[i].flatten(1) for i in self.taps])


def features_per_class(encoder: nn.Module, x: Tensor, codes: Tensor) -> Tensor:
    """The encoder's features of x (B, *E) with each of the codes (K, extra): (K, B, n_out).

    A first dense layer is W (x, y) = W_x x + W_y y, and W_x x is computed once.
    """
    k, n = len(codes), x.shape[0]
    dense = encoder.first_dense() if isinstance(encoder, Encoder) else None
    if isinstance(encoder, Encoder) and dense:
        layer, activation = dense
        h = encoder.stem(x)
        of_x, of_y = layer.weight[:, : h.shape[1]], layer.weight[:, h.shape[1] :]
        both = functional.linear(h, of_x) + functional.linear(codes.to(h.dtype), of_y, layer.bias)[:, None]
        features: Tensor = encoder.after(activation(both).flatten(0, 1))
    else:
        features = encoder(x.repeat(k, *(1 for _ in x.shape[1:])), codes.repeat_interleave(n, 0))
    return features.reshape(k, n, -1)


class FlattenBatch(nn.Module):
    """Merges the batch axes: convolutions need one, a decoder gets (S, B, n_in)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, z: Tensor) -> Tensor:
        return over_batch_axes(self.net, z, 1)


class LearnedVector(nn.Module):
    """n learned numbers without an input: the layer of a prior."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(0.5 * torch.randn(n))

    def forward(self, h: None) -> Tensor:
        return self.raw


class Maps(nn.Module):
    """Flat tensors of `shapes`, concatenated -> n numbers on maps of `size`: each is resized, a vector by a
    dense layer, and all go through one 3 x 3 convolution."""

    def __init__(self, shapes: Sequence[Shape], size: Shape, n: int) -> None:
        super().__init__()
        channels = n // numel(size)
        if n % numel(size):
            raise SpecError(f"maps of {size[0]} x {size[1]} cannot hold {n} numbers. Use Gaussian()")
        self.widths = [numel(shape) for shape in shapes]
        self.fit = nn.ModuleList(
            nn.Sequential(nn.Unflatten(-1, shape), nn.Upsample(size))
            if len(shape) == 3
            else nn.Sequential(linear(shape[0], n), nn.Unflatten(-1, (channels, *size)))
            for shape in shapes
        )
        seen = sum(shape[0] if len(shape) == 3 else channels for shape in shapes)
        self.conv = initialised(Conv2d(seen, channels, 3, padding=1), "glorot")

    def forward(self, t: Tensor) -> Tensor:
        return over_batch_axes(self.laid, t, 1)

    def laid(self, t: Tensor) -> Tensor:
        parts = zip(self.fit, torch.split(t, self.widths, -1), strict=True)
        maps: Tensor = self.conv(torch.cat([fit(part) for fit, part in parts], 1))
        return maps.flatten(1)


def projection(shapes: Sequence[Shape], onto: Shape, n: int) -> nn.Module:
    """Flat tensors of `shapes`, concatenated -> n numbers as a vector or on the maps `onto`."""
    return Maps(shapes, onto[1:], n) if len(onto) == 3 else linear(sum(map(numel, shapes)), n)


def width_of(encoder: nn.Module) -> int:
    """The number of features of an encoder; SpecError where a custom module does not define it."""
    width = getattr(encoder, "n_out", None)
    if not isinstance(width, int):
        raise SpecError(
            f"an encoder needs an integer n_out, its number of features; {type(encoder).__name__} has {width}"
        )
    return width


def shapes_of(encoder: nn.Module) -> tuple[Shape, ...]:
    """The shapes of an encoder's features, one for each layer; a single one is for all layers."""
    own: tuple[Shape, ...] = getattr(encoder, "shapes", None) or ((width_of(encoder),),)
    return own


def linear(n_in: int, n_out: int, init: Init = "glorot") -> nn.Module:
    return initialised(Linear(n_in, n_out), init)


def initialised(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, init: Init) -> nn.Module:
    if layer.weight.numel():
        if init == "he":
            nn.init.kaiming_normal_(layer.weight)
        else:
            nn.init.xavier_uniform_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors concatenated on the last axis, leading axes broadcast."""
    if len(tensors) == 1:
        return tensors[0]
    leading = broadcast_shape(*(t[..., :0] for t in tensors))[:-1]
    return torch.cat([t.expand(*leading, t.shape[-1]) for t in tensors], -1)
