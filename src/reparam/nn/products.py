"""torch's layers with weights, which multiply in bfloat16 where torch is set to that."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn


def has_amx() -> bool:
    """Whether the processor multiplies matrices in bfloat16."""
    return torch.cpu._is_amx_tile_supported()


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16, matrices or only vectors (AVX-512 BF16)."""
    return has_amx() or torch.cpu._is_avx512_bf16_supported()


def products_now() -> str | None:
    """How torch multiplies now; None where backends are set one by one."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


class Multiplying(nn.Module):
    """A layer that rounds its factors and the gradients of its products to bfloat16 where torch is set to
    "medium", the processor multiplies in it, torch leaves it to the layer, and it is large.

    Sums are of float32 and rounded once; weights and all else stay in float32.
    """

    weight: Tensor
    rounded_for_amx: ClassVar[bool] = False
    """Whether torch itself, so set, rounds the factors on a processor with AMX."""
    least: ClassVar[int] = 0
    """Weights from which on rounding takes less time than it saves."""
    layout: ClassVar[torch.memory_format] = torch.preserve_format
    """Of the rounded input."""

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        if not (self.weight.numel() >= self.least and self.rounds(x)):
            return super().forward(x, *rest)  # type: ignore[no-any-return]
        with torch.autocast(x.device.type, torch.bfloat16):
            y: Tensor = super().forward(x.to(torch.bfloat16, memory_format=self.layout), *rest)
        return y.float()

    def rounds(self, x: Tensor) -> bool:
        """Whether the products with x are rounded here."""
        left_to_us = has_bfloat16() and not (has_amx() and self.rounded_for_amx)
        return (
            left_to_us and products_now() == "medium" and x.device.type == "cpu" and x.dtype == torch.float32
        )


class Linear(Multiplying, nn.Linear):
    """torch.nn.Linear."""

    least, rounded_for_amx = 30_000, True


class Conv2d(Multiplying, nn.Conv2d):
    """torch.nn.Conv2d."""

    layout = torch.channels_last


class ConvTranspose2d(Multiplying, nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d."""

    layout = torch.channels_last
