"""The mean and standard deviation of training data, which are a location-scale family's units."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..tensors import numel

CONSTANT = 1e-3
"""The scale of a column that is constant, as a share of its size."""
PIECE = 1 << 22
"""Numbers of the data per block, in double precision."""


def units(x: Tensor, to_axis: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of to_axis(x) (n, *E), without NaN: of each column, or one for images.

    A constant has the scale CONSTANT times its size, so that a change of it is improbable.
    """
    axes = (0,) if x.dim() <= 2 else tuple(range(x.dim()))
    pieces = torch.split(x, max(1, PIECE // numel(x.shape[1:])))

    def over(f: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([f(to_axis(piece.double())) for piece in pieces])

    known = over(lambda x: (~x.isnan()).sum(axes, keepdim=True)).sum(0)
    mean = (over(lambda x: x.nansum(axes, keepdim=True)).sum(0) / known).nan_to_num(nan=0.0)
    squares = over(lambda x: (x - mean).square().nansum(axes, keepdim=True)).sum(0)
    spread = (squares / known).sqrt()
    largest = over(lambda x: x.abs().nan_to_num().amax(axes, keepdim=True)).amax(0)
    tiny = 1e-6 * largest.clamp_min(torch.finfo(torch.float64).tiny)
    constant = CONSTANT * torch.where(largest > 0, largest, 1.0)
    return mean, torch.where(spread > tiny, spread, constant)
