"""Named arrays and JSON in one safetensors blob: what the page, the server and the notebook exchange.

>>> arrays, info = unpack(pack({"z": np.zeros((2, 3), np.float32)}, {"n": 2}))
>>> arrays["z"].shape, info
((2, 3), {'n': 2})
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import DataError
from ..tensors import finite

Array = NDArray[Any]
Arrays = dict[str, Array]
Info = dict[str, Any]
KINDS = {"F32", "F64", "I32", "U8", "BOOL"}
MEDIA = "application/x-safetensors"


def to_json(info: Any) -> str:
    """JSON without non-finite numbers, which become null."""
    return json.dumps(finite(info), allow_nan=False, default=plain)


def plain(value: Any) -> Any:
    """A numpy value as Python's; text of anything else."""
    return finite(value.tolist()) if isinstance(value, np.generic | np.ndarray) else str(value)


def pack(arrays: Mapping[str, Array], info: Mapping[str, Any]) -> bytes:
    """Arrays, and `info` as JSON text in the metadata `json`."""
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(held, {"json": to_json(dict(info))})


def unpack(blob: bytes) -> tuple[Arrays, Info]:
    """The inverse of `pack`; DataError where the bytes are anything else."""
    try:
        size = int.from_bytes(blob[:8], "little")
        header = json.loads(blob[8 : 8 + size])
        other = {header[name]["dtype"] for name in header if name != "__metadata__"} - KINDS
        info = json.loads(header.get("__metadata__", {}).get("json", "{}"))
        arrays: Arrays = load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError("the message is not one safetensors blob with JSON in its metadata") from None
    if other:
        raise DataError(f"arrays of {min(other)}: send {', '.join(sorted(KINDS))}")
    if not isinstance(info, dict):
        raise DataError("the metadata `json` of the message has to be an object")
    return arrays, info
