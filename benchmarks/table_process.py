"""One way to fill or draw a table, in a process of its own, so that its time and memory are its own.

`python -m benchmarks.table_process MODULE VERB WAY FOLDER N SEED LIMIT` reads FOLDER/train.parquet, and
FOLDER/seen.parquet for FILL; it writes best.parquet and draw-*.parquet, and prints seconds and megabytes.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import pandas as pd

from . import ROOT
from .peers.environment import PeerError

Verb = Literal["FILL", "DRAW"]
WALL = 10
"""A process that waits this many times as long as it may compute hangs."""


@dataclass(frozen=True)
class Done:
    """What one way gave: `best` is its own best value of each gap, where it has one."""

    best: pd.DataFrame | None
    draws: list[pd.DataFrame]
    seconds: float
    megabytes: float


def measured(
    python: Path,
    module: str,
    verb: Verb,
    way: str,
    tables: dict[str, pd.DataFrame],
    n: int,
    seed: int,
    limit: int,
) -> Done:
    """`module.verb[way]` on one thread; PeerError after `limit` seconds of a processor, or where it fails."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, rows in tables.items():
            rows.to_parquet(folder / f"{name}.parquet")
        words = ["-m", "benchmarks.table_process", module, verb, way, place, str(n), str(seed), str(limit)]
        alone = {"OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}
        try:
            done = subprocess.run(
                [python, *words],
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=os.environ | alone,
                timeout=WALL * limit,
            )
        except subprocess.TimeoutExpired:
            raise PeerError(f"stopped after {WALL * limit} s") from None
        if done.returncode:
            if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
                raise PeerError(f"stopped after {limit} s")
            print(done.stderr[-2000:], file=sys.stderr)
            raise PeerError("fails")
        best = folder / "best.parquet"
        return Done(
            best=pd.read_parquet(best) if best.exists() else None,
            draws=[pd.read_parquet(path) for path in sorted(folder.glob("draw-*.parquet"))],
            **json.loads(done.stdout.splitlines()[-1]),
        )


def main(module: str, verb: str, way: str, place: str, n: str, seed: str, limit: str) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
    warnings.simplefilter("ignore")
    folder = Path(place)
    function = getattr(import_module(module), verb)[way]
    inputs = [
        pd.read_parquet(path) for name in ("train", "seen") if (path := folder / f"{name}.parquet").exists()
    ]
    with contextlib.redirect_stdout(sys.stderr):
        found = function(*inputs, int(n), int(seed))
    best, draws = found if verb == "FILL" else (None, [found])
    if best is not None:
        best.to_parquet(folder / "best.parquet")
    for i, rows in enumerate(draws):
        rows.to_parquet(folder / f"draw-{i:03}.parquet")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in used)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    print(json.dumps({"seconds": seconds, "megabytes": max(each.ru_maxrss for each in used) / unit}))


if __name__ == "__main__":
    main(*sys.argv[1:])
