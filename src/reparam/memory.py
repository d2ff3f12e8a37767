"""Memory: what of it is kept between batches; and where it does not suffice, what was asked for, what is
free, and what would fit."""

import ctypes
import functools
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
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

KEPT, MAPPED = 256 << 20, 32 << 20
"""Bytes of free memory that glibc keeps at the end of the heap at most, and from which on it maps a block by
itself."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>


@functools.cache
def allocator() -> Callable[[int, int], int] | None:
    """glibc's mallopt; None of another system, and where the user has set the allocator."""
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, the memory that a batch frees is there for the next one, up to KEPT bytes; afterwards up to as
    many as glibc keeps by itself once a block of MAPPED bytes has been freed.

    What glibc gives back to the system is zeroed page by page when it is asked for again.
    """
    mallopt = allocator()
    if mallopt is None:
        yield
        return
    mallopt(M_MMAP_THRESHOLD, MAPPED)
    mallopt(M_TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        mallopt(M_TRIM_THRESHOLD, 2 * MAPPED)


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
