"""One .safetensors file: weights, and a header of canonical JSON. Nothing in it is ever executed."""

import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors, save as save_tensors
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import FormatError
from . import version_1
from .atomic import replace_file
from .header import FORMAT, LONGEST, UNSIGNED, VERSION, header_of, opened, signed

SLACK = 1 << 26
"""Bytes that a model may allocate while it is built, in addition to the size of its file."""
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Exceptions that a manipulated header can cause."""


def write(
    path: str | Path, tensors: dict[str, Tensor], header: dict[str, Any], previous: Path | None = None
) -> None:
    """Write atomically: equal models give equal bytes, and a failed write leaves no file. `previous`: the new
    name of the old file."""
    own = {"format": FORMAT, "version": VERSION, "sha256": UNSIGNED}
    text = json.dumps({**header, **own}, sort_keys=True, allow_nan=False)
    if len(text) > LONGEST:
        raise FormatError(
            f"the header has {len(text)} characters; at most {LONGEST} fit. Shorten the history"
        )
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    replace_file(Path(path), signed(save_tensors(held, {FORMAT: text})), previous)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file whose checksum is right; a warning where it has none."""
    with opened(path) as file:
        data = file.read()
    header = header_of(io.BytesIO(data), path)
    if header.pop("sha256", None) is None:
        warnings.warn(
            f"{path} is of an older format and has no checksum; a model that is saved again has one",
            stacklevel=4,
        )
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, KeyError):
        raise FormatError(f"{path} is damaged: its weights cannot be read") from None
    if header["version"] < 2:
        tensors = {version_1.tensor_name(name): tensor for name, tensor in tensors.items()}
    return tensors, header


class AllocationLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While a model is built, raise before allocating a tensor larger than its file justifies."""

    def __init__(self, tensors: dict[str, Tensor], path: str | Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left = SLACK + 16 * sum(tensor.nbytes for tensor in tensors.values())
        self.path = path

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch keeps its compiler away from this mode, for which it would import it."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        held = [arg for arg in args if isinstance(arg, Tensor)]
        sizes = next((arg for arg in args if isinstance(arg, list | tuple)), None)
        if name.startswith(("empty", "zeros", "ones", "full", "rand", "new_")) and sizes is not None:
            self.take(math.prod(sizes))
        elif not held and name in ("arange", "linspace", "randperm", "eye"):
            whole = [abs(arg) for arg in args if isinstance(arg, int)]
            self.take(math.prod(whole) if name == "eye" else max(whole, default=0))
        elif len(held) > 1:
            self.take(_broadcast(held))
        return func(*args, **(kwargs or {}))

    def take(self, numbers: int) -> None:
        self.left -= 4 * numbers
        if self.left < 0:
            raise FormatError(f"{self.path}: the spec describes a larger model than the file holds")


def _broadcast(tensors: list[Tensor]) -> int:
    try:
        return math.prod(np.broadcast_shapes(*(tuple(tensor.shape) for tensor in tensors)))
    except ValueError:
        return 0


def load_weights(model: torch.nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    for name, own in model.state_dict().items():
        held = tensors.get(name, own)
        if held.dtype != own.dtype:
            raise FormatError(f"{path}: {name} holds {held.dtype}, not {own.dtype}")
        if held.is_floating_point() and not bool(held.isfinite().all()):
            raise FormatError(f"{path}: {name} holds a number that is not finite; train again")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise FormatError(
            f"{path}: the weights do not fit the spec ({str(error).splitlines()[-1].strip()})"
        ) from None
