"""torch's layers with weights, which multiply in bfloat16 where that is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

_rounded = ContextVar("rounded", default=False)


@contextmanager
def rounded_products() -> Iterator[None]:
    """Inside, the layers below round float32 factors, and the gradients of their products, to bfloat16. Sums
    are of float32 and rounded once; weights, and all that is no product of a layer, stay in float32."""
    token = _rounded.set(True)
    try:
        yield
    finally:
        _rounded.reset(token)


class Multiplying(nn.Module):
    """A layer whose factors are rounded where `rounded_products` says so, and that pays for it."""

    weight: Tensor
    least: ClassVar[int] = 0
    """Weights from which on rounding takes less time than it saves."""
    layout: ClassVar[torch.memory_format] = torch.preserve_format
    """Of the rounded input."""

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        if not _rounded.get() or self.weight.numel() < self.least or x.dtype != torch.float32:
            return super().forward(x, *rest)  # type: ignore[no-any-return]
        with torch.autocast(x.device.type, torch.bfloat16):
            y: Tensor = super().forward(x.to(torch.bfloat16, memory_format=self.layout), *rest)
        return y.float()


class Linear(Multiplying, nn.Linear):
    """torch.nn.Linear."""

    least = 30_000


class Conv2d(Multiplying, nn.Conv2d):
    """torch.nn.Conv2d."""

    layout = torch.channels_last


class ConvTranspose2d(Multiplying, nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d."""

    layout = torch.channels_last
