"""Model files and checkpoints cut short, and with flipped bits."""

import random
from collections.abc import Iterator
from pathlib import Path

from reparam import FormatError
from reparam.errors import ReparamError
from reparam.serialization.model_file import read


def cut(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """The file up to a random byte, without end."""
    while True:
        yield data[: rng.randrange(len(data))]


def flipped(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """The file with one bit changed, without end."""
    while True:
        place = rng.randrange(8 * len(data))
        held = bytearray(data)
        held[place // 8] ^= 1 << (place % 8)
        yield bytes(held)


def noticed(data: bytes, path: Path) -> str:
    """The fault of reading a damaged file: "" where it is refused with a FormatError."""
    path.write_bytes(data)
    try:
        read(path)
    except FormatError:
        return ""
    except ReparamError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "not noticed"
