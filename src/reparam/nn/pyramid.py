"""Feature maps of decreasing size, shared by the networks for images."""

from collections.abc import Sequence
from itertools import chain, repeat

from torch import nn

from ..errors import SpecError
from ..specs.spec import Spec
from ..tensors import Shape, numel
from .layers import Encoder


class Pyramid:
    """The maps of a network whose levels each halve height and width, n -> ceil(n / 2).

    `sizes` are heights and widths before each level and after the last, `shapes` the maps after each level.

    >>> Pyramid(Spec(), (3, 7, 10), (8, 16)).shapes
    [(8, 4, 5), (16, 2, 3)]
    """

    def __init__(self, network: Spec, event: Shape, channels: Sequence[int]) -> None:
        if len(event) not in (2, 3):
            name = type(network).__name__
            raise SpecError(
                f"{name} needs images, (H, W) or (C, H, W); these data have shape {event}. Use MLP"
            )
        self.network, self.event = network, event
        self.sizes: list[Shape] = [event[-2:]]
        for _ in channels:
            self.sizes.append(tuple((n + 1) // 2 for n in self.sizes[-1]))
        self.shapes: list[Shape] = [(c, *size) for c, size in zip(channels, self.sizes[1:], strict=True)]

    def level(self, latent: Shape) -> int:
        """The number of levels to the size of a latent's maps (C, H, W)."""
        if latent[1:] not in self.sizes[1:]:
            maps = ", ".join(f"{h} x {w}" for h, w in self.sizes[1:])
            raise SpecError(f"latent maps {latent}: sizes of {self.network} on {self.event} are {maps}")
        return self.sizes.index(latent[1:])

    def channels_of(self, n: int) -> int:
        """The number of channels per pixel, of n numbers in total."""
        if n % numel(self.event[-2:]):
            name = type(self.network).__name__
            raise SpecError(
                f"{name} needs the same number of parameters in every pixel, unlike this likelihood. Use MLP"
            )
        return n // numel(self.event[-2:])

    def encoder(
        self,
        levels: Sequence[nn.Module],
        dense: Sequence[nn.Module],
        widths: Sequence[int],
        latents: Sequence[Shape],
    ) -> Encoder:
        """Levels, then `dense` layers of `widths`. Each latent has its own features: a map those of its size,
        a vector those of a dense layer, the last first."""
        shapes: list[Shape] = [*self.shapes, (numel(self.shapes[-1]),), *((width,) for width in widths)]
        n = len(levels)
        vectors = chain(range(len(shapes) - 1, n, -1), repeat(n))
        taps = [self.level(latent) - 1 if len(latent) == 3 else next(vectors) for latent in latents]
        stem: nn.Module = nn.Unflatten(1, (1, self.event[0])) if len(self.event) == 2 else nn.Identity()
        return Encoder(stem, [*levels, nn.Flatten(), *dense], taps, tuple(shapes[i] for i in taps))
