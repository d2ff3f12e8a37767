"""The threads of torch: few for small work, and the caller's number everywhere else.

Threads of OpenMP wait for one another by spinning. Where the work between two waits is small, a second
thread gains little, and beside another busy process each wait lasts until the system lets the other thread
run: a step of a small network then takes ten to fifty times as long.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .stopwatch import Stopwatch

SMALL, SMALL_TABLE = 30_000_000, 60_000_000
"""Multiplications of a forward pass up to which one thread is used: 128 rows of a network of 234,000
weights, or 256 rows of a table, most of whose work is in small operations."""
NOTICED = 2.0
"""Seconds of work after which other processes are noticed."""
CROWDED = 60.0
"""Involuntary switches per second of a thread from which on other processes are said to take its place."""


def threads_for(products: int, small: int = SMALL) -> int | None:
    """The threads for work with so many multiplications in a forward pass, one for `small` work or less;
    None: as many as the caller has.

    It depends on the sizes alone, so that a seed gives the same bits on a busy and on a quiet machine.

    >>> threads_for(128 * 150_000), threads_for(128 * 1_500_000)
    (1, None)
    """
    return 1 if products <= small else None


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Inside, torch uses so many threads; afterwards, and with None, the number that it had."""
    before = torch.get_num_threads()
    if threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Crowd:
    """Notices other processes that take the processors away from the threads of this one."""

    def __init__(self) -> None:
        self.seconds, self.switches, self.said = 0.0, 0, False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Work on several threads, during which the system may give a processor to another process."""
        watch, before = Stopwatch(), involuntary_switches()
        yield
        self.seconds += watch.read()
        self.switches += involuntary_switches() - before

    def notice(self, threads: int) -> str | None:
        """What to tell the user, once, where there is something to tell."""
        if self.said or threads < 2 or self.seconds < NOTICED:
            return None
        if self.switches < CROWDED * self.seconds:
            return None
        self.said = True
        return (
            f"other processes use the processors too, and {threads} threads wait for one another: "
            "set threads=1, or OMP_WAIT_POLICY=PASSIVE in the environment"
        )


def involuntary_switches() -> int:
    """How often the system has stopped a thread of this process to run another; 0 where it does not say."""
    if os.name != "posix":
        return 0
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_nivcsw
