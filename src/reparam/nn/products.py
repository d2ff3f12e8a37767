"""torch's layers with weights, which multiply in bfloat16 where torch is set to that."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn


def has_amx() -> bool:
    """Whether the processor multiplies matrices in bfloat16."""
    return torch.cpu._is_amx_tile_supported()


def has_bfloat16() -> bool:
    """Whether the processor multiplies vectors in bfloat16 (AVX-512 BF16)."""
    return torch.cpu._is_avx512_bf16_supported()


def layers_round() -> bool:
    """Whether torch is set to products in bfloat16 ("medium") on a processor where it leaves them in float32:
    it takes AMX for them, and nothing else."""
    return products_now() == "medium" and has_bfloat16() and not has_amx()


def products_now() -> str | None:
    """How torch multiplies now; None where backends are set one by one."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


class Multiplying(nn.Module):
    """A layer that, where torch is set to "medium" and it pays, rounds its factors and the gradients of its
    products to bfloat16. Sums are of float32 and rounded once; weights and all else stay in float32."""

    weight: Tensor
    least: ClassVar[int] = 0
    """Weights from which on rounding takes less time than it saves."""
    layout: ClassVar[torch.memory_format] = torch.preserve_format
    """Of the rounded input."""

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        large = self.weight.numel() >= self.least and x.dtype == torch.float32
        if not (large and x.device.type == "cpu" and layers_round()):
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
