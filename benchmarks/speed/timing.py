"""Contestants are timed in turns, because machines drift. A ratio is the median of the rounds' ratios."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..torch_nets import PLAIN

Timed = Callable[[], float]
"""Takes a turn and says how many seconds it took."""
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Effort:
    """How long to measure; `small` is a rehearsal that tells crashes, not times."""

    rounds: int = 15
    threads: int = 2
    peers: bool = True
    bf16: bool = False
    small: bool = False
    nets: tuple[str, ...] = tuple(PLAIN)


def timed(turn: Callable[[], object]) -> Timed:
    def measured() -> float:
        start = time.perf_counter()
        turn()
        return time.perf_counter() - start

    return measured


def rounds(contestants: dict[str, Timed], n: int) -> Seconds:
    """Seconds of n turns of each; before them one that warms up and does not count."""
    for turn in contestants.values():
        turn()
    seconds: Seconds = {name: [] for name in contestants}
    for _ in range(n):
        for name, turn in contestants.items():
            seconds[name].append(turn())
    return seconds


def ratio(seconds: Seconds, slow: str, fast: str) -> float:
    """How many times as long `slow` took, the median over rounds."""
    return statistics.median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))
