"""How contestants are measured: in turns, peers as child processes in an environment of their own.

Machines drift, so a ratio is the median of the rounds' ratios, and the rounds are short.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE

from ..torch_nets import PLAIN

PEERS = {"pythae": "pythae==0.1.2", "pyod": "pyod", "keras": "keras"}
"""The peers, as pip is asked for them; `constraints.txt` holds torch at our own version."""
ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-peers"
PYTHON = HOME / ("Scripts" if os.name == "nt" else "bin") / "python"

PAIRS = (
    *(("reparam", who) for who in ("floor", "hand", "compiled", "bf16")),
    ("compiled", "floor"),
    *((who, "reparam") for who in ("expert", *PEERS)),
    ("expert", "compiled"),
)
"""Whose time is held against whose."""

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


class PeerError(Exception):
    """A peer that cannot be had, in words for its column."""


class Peer:
    """A child that takes one turn for each line it is sent (see `peers.py`)."""

    def __init__(self, peer: str, task: str, effort: Effort, *words: int) -> None:
        installed(peer)
        self.child = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.peers", peer, task, *map(str, words)],
            env=os.environ | {"OMP_NUM_THREADS": str(effort.threads), "KERAS_BACKEND": "torch"},
            cwd=ROOT,
            text=True,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )

    def __call__(self) -> float:
        try:
            print(file=self.child.stdin, flush=True)
            return float(json.loads(answer := self.child.stdout.readline()))
        except BrokenPipeError:
            answer = "nothing"
        except ValueError:
            pass
        print(f"{self.child.args[3:]} said {answer.strip()}", file=sys.stderr)
        raise PeerError("fails")

    def close(self) -> None:
        try:
            self.child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()


@contextmanager
def children(
    tasks: dict[str, str], effort: Effort, *words: int
) -> Iterator[tuple[dict[str, Timed], dict[str, str]]]:
    """The peers (peer: task) that are ready to take turns, and why the others are not."""
    ready: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    try:
        for peer, task in tasks.items() if effort.peers else ():
            try:
                ready[peer] = Peer(peer, task, effort, *words)
                ready[peer]()
            except PeerError as error:
                absent[peer] = str(error)
        yield {name: ready[name] for name in ready if name not in absent}, absent
    finally:
        for child in ready.values():
            child.close()


@cache
def installed(peer: str) -> str:
    """The version of a peer, installed if it is not there; PeerError where that fails."""
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", "torch", PEERS[peer]]
    for command in ([] if PYTHON.exists() else [[sys.executable, "-m", "venv", HOME]]) + [pip]:
        if subprocess.run(command, stdout=sys.stderr).returncode:
            raise PeerError("cannot be installed")
    code = f"from importlib.metadata import version; print(version({peer!r}))"
    return subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
