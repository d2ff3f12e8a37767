"""In which numbers matrices are multiplied while a model trains."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from ..families.base import Measurement
from ..nn.products import has_bfloat16, products_now
from ..threads import SMALL

Precision = Literal["32-true", "medium", "bf16-mixed"]
"""Float32 throughout; float32 whose products of matrices are of bfloat16 on a processor and of TF32 on a GPU,
summed in float32; or bfloat16 wherever torch's autocast takes it."""
PRODUCTS = {"32-true": "highest", "medium": "medium"}


STEADY: tuple[Measurement, ...] = ("binary", "nominal")
"""Cells whose log-probability changes by at most twice as much as a logit, so by little where logits are
rounded. A density may be as narrow as it likes, and a count's rate is the exponential of what is rounded."""


def precision_for(
    products: int, device: torch.device, measurement: Measurement | None, small: int = SMALL
) -> Precision | None:
    """ "medium" where it is faster for work with so many multiplications in a forward pass: on a GPU, and on
    a processor that multiplies in bfloat16 for more than `small` work on STEADY cells. None: as torch is set.

    On a processor products of small matrices in bfloat16 take longer, up to twice as long.

    >>> precision_for(128 * 150_000, torch.device("cpu"), "binary")
    """
    if device.type == "cpu":
        return "medium" if products > small and measurement in STEADY and has_bfloat16() else None
    return "medium" if device.type == "cuda" else None


@contextmanager
def multiplied(precision: str | None) -> Iterator[None]:
    """Inside, torch multiplies in this precision; afterwards, and with None or "bf16-mixed", as it is set.

    Nothing is changed where the precision is set for each backend by itself
    (`torch.backends.mkldnn.matmul.fp32_precision`).
    """
    wanted, before = PRODUCTS.get(precision or ""), products_now()
    if wanted is None or before is None:
        yield
        return
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(wanted)
    torch.backends.cudnn.allow_tf32 = wanted == "medium"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolutions
