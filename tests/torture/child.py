"""Cases in a forked process with limits: what kills or stops it is the fault of the case that it was at."""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from .memory import limit_memory
from .outcome import Tally

C = TypeVar("C")
BATCH = 100
"""The cases of one process."""
HANGING = 60.0
"""A case that takes so many seconds hangs."""
MEMORY = 4 << 30
"""The bytes that a case may allocate beyond what this process has."""


def tally_of(cases: Iterable[C], check: Callable[[C], tuple[str, str]], seconds: float = HANGING) -> Tally:
    """How each case ended and its fault, as `check` says, or what it did to its process."""
    started, tally, every = time.monotonic(), Tally(), iter(cases)
    while left := list(islice(every, BATCH)):
        while left:
            done = 0
            for end, fault in _in_child(left, check, seconds):
                tally.add(end, fault)
                done += 1
            left = left[done:]
    tally.seconds = time.monotonic() - started
    return tally


def _in_child(
    cases: Sequence[C], check: Callable[[C], tuple[str, str]], seconds: float
) -> Iterator[tuple[str, str]]:
    """The ends and faults of all cases, or of those up to the one that ends the process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            limit_memory(MEMORY)
            for case in cases:
                os.write(writing, json.dumps(check(case)).encode() + b"\n")
            os._exit(0)
        finally:
            os._exit(99)
    os.close(writing)
    held, found = b"", 0
    with open(reading, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], seconds)[0]:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                yield "a hang", f"no end after {seconds:.0f} s: {cases[found]!r:.200}"
                return
            data = pipe.read(1 << 16)
            if not data:
                break
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                end, fault = json.loads(line)
                yield end, fault
                found += 1
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if found < len(cases):
        yield "a crash", f"the process ends with {status}: {cases[found]!r:.200}"
