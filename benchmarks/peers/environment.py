"""The environment that peers are installed in, and the processes of theirs that take turns with ours."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from subprocess import DEVNULL, PIPE

from .. import ROOT

PEERS = {"pythae": "pythae==0.1.2", "pyod": "pyod", "keras": "keras"}
"""The peers, as pip is asked for them; `constraints.txt` holds torch at our own version."""
ENVIRONMENT = ROOT / ".venv-peers"
PYTHON = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin") / "python"


class PeerError(Exception):
    """A peer that cannot be had, in words for its column."""


class Peer:
    """A child that takes one turn for each line it is sent (see `peers/training.py`)."""

    def __init__(self, peer: str, task: str, threads: int, *words: int) -> None:
        installed(peer)
        self.child = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.peers.training", peer, task, *map(str, words)],
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "KERAS_BACKEND": "torch"},
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
    tasks: dict[str, str], threads: int, *words: int
) -> Iterator[tuple[dict[str, Callable[[], float]], dict[str, str]]]:
    """The peers (peer: task) that are ready to take turns, and why the others are not."""
    ready: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    try:
        for peer, task in tasks.items():
            try:
                ready[peer] = Peer(peer, task, threads, *words)
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
    for command in ([] if PYTHON.exists() else [[sys.executable, "-m", "venv", ENVIRONMENT]]) + [pip]:
        if subprocess.run(command, stdout=sys.stderr).returncode:
            raise PeerError("cannot be installed")
    code = f"from importlib.metadata import version; print(version({peer!r}))"
    return subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
