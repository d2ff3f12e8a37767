"""The environments that peers are installed in, and the processes of theirs that take turns with ours."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE

from .. import ROOT


def python_in(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


PEERS = {"pythae": "pythae==0.1.2", "pyod": "pyod", "keras": "keras"}
"""The peers, as pip is asked for them; `constraints.txt` holds torch at our own version."""
ENVIRONMENT, TABLE_ENVIRONMENT = ROOT / ".venv-peers", ROOT / ".venv-peers-tables"
TABLE_PEERS = {
    "miceforest": ["miceforest==6.0.5", "lightgbm<4.7"],
    "ctgan": ["ctgan==0.12.1"],
    "arfpy": ["arfpy==0.1.1", "numpy<2.4", "pandas<3"],
    "ForestDiffusion": ["ForestDiffusion==1.0.6"],
    "mostlyai-engine": ["mostlyai-engine==2.7.3"],
}
"""Peers that fill or draw tables: they need older libraries than ours, and so an environment of their own."""
PYTHON = python_in(ENVIRONMENT)


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


def python_of(peer: str) -> Path:
    return python_in(TABLE_ENVIRONMENT if peer in TABLE_PEERS else ENVIRONMENT)


def version_of(peer: str) -> str | None:
    """The version of a peer that is there."""
    code = f"from importlib.metadata import version; print(version({peer!r}))"
    if not (python := python_of(peer)).exists():
        return None
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return None if done.returncode else done.stdout.strip()


@cache
def installed(peer: str) -> str:
    """The version of a peer, installed if it is not there; PeerError where that fails."""
    if there := version_of(peer):
        return there
    python = python_of(peer)
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    torch = next(line for line in pinned if line.startswith("torch=="))
    wanted = TABLE_PEERS[peer] if peer in TABLE_PEERS else ["-c", ROOT / "constraints.txt", PEERS[peer]]
    pip = [python, "-m", "pip"]
    commands = [] if python.exists() else [[sys.executable, "-m", "venv", python.parent.parent]]
    commands.append([*pip, "install", "--quiet", torch, *wanted])
    if peer == "mostlyai-engine":  # it asks for torchvision, uses none, and fails beside one of another torch
        commands.append([*pip, "uninstall", "--quiet", "--yes", "torchvision"])
    for command in commands:
        if subprocess.run(command, stdout=sys.stderr).returncode:
            raise PeerError("cannot be installed")
    return str(version_of(peer))
