"""Memory that does not suffice: what was asked for, what is free, and what would fit."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutOfMemoryError

UNITS = {"": 0, "bytes": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40, "PiB": 50, "EiB": 60}
ASKED = re.compile(r"(?:allocate|of size) ([\d.]+) ?(bytes|[KMGTPE]iB)?")
"""How numpy, pyarrow and torch say what they could not allocate."""
WORDS = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "can't start new thread",
    "failed to map segment",
)
"""In the messages of errors that are not of MemoryError."""

LARGEST_COUNTED = 31 << 20
"""Bytes, just below glibc's DEFAULT_MMAP_THRESHOLD_MAX of 32 MiB."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory cannot be allocated: torch's is a RuntimeError."""
    if isinstance(error, MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError | ImportError) and any(word in said for word in WORDS)


def asked_for(error: BaseException) -> int | None:
    """The bytes that could not be allocated.

    >>> asked_for(MemoryError("Unable to allocate 1.5 GiB for an array")), asked_for(MemoryError())
    (1610612736, None)
    """
    found = ASKED.search(str(error))
    return int(float(found[1]) * 2 ** UNITS[found[2] or ""]) if found else None


def free_memory(error: BaseException) -> int | None:
    """The bytes that this process can still get: of the GPU where its memory was too small, else of the
    machine, within the process's own limit. None where the system does not say."""
    if "cuda" in str(error).lower():
        import torch

        return int(torch.cuda.mem_get_info()[0])
    limits = []
    with suppress(OSError, StopIteration, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, page = resource.getrlimit(resource.RLIMIT_AS)[0], resource.getpagesize()
        if limit != resource.RLIM_INFINITY:
            limits.append(max(0, limit - page * int(Path("/proc/self/statm").read_text().split()[0])))
    return min(limits, default=None)


def reuse_freed_memory() -> None:
    """From now on memory that a batch frees is there for the next one, in a process of the user.

    glibc gives free memory at the end of the heap back to the system, and zeros it page by page when it is
    asked for again, unless it is less than twice the largest block that was ever mapped by itself and freed.
    Such a block is freed here, the largest that counts. Other allocators have rules of their own.
    """
    import torch

    torch.empty(LARGEST_COUNTED, dtype=torch.uint8)


def in_units(size: float) -> str:
    """Bytes in words.

    >>> in_units(3 << 29), in_units(5 << 20)
    ('1.5 GiB', '5 MiB')
    """
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def shortage(error: BaseException, cure: str) -> OutOfMemoryError:
    """The error in words: what was asked for, what is free, and what to do."""
    asked, free = asked_for(error), free_memory(error)
    place = "the GPU's memory" if "cuda" in str(error).lower() else "memory"
    amounts = f"{in_units(asked)} were asked for" if asked is not None else ""
    if free is not None:
        amounts += f"{' and ' if amounts else ''}{in_units(free)} are free"
    return OutOfMemoryError(f"{place} does not suffice{f': {amounts}' if amounts else ''}. {cure}")


@contextmanager
def enough_for(name: str, size: int) -> Iterator[None]:
    """Inside, memory grows with an argument: where it does not suffice, the error says which would fit."""
    try:
        yield
    except OutOfMemoryError:
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        fits = smaller(size, asked_for(error), free_memory(error))
        cure = f"{name}={size} is too much; {name}={fits} may fit" if fits else "Use a smaller model"
        raise shortage(error, cure) from None


def smaller(size: int, asked: int | None, free: int | None) -> int:
    """A size of which twice as much memory as was asked for is free; half of it where nobody says; 0: none.

    >>> smaller(128, 4000, 1000), smaller(128, None, None), smaller(1, None, None)
    (16, 64, 0)
    """
    times = 2.0 if asked is None or not free else max(2.0, 2 * asked / free)
    return size >> math.ceil(math.log2(times))
