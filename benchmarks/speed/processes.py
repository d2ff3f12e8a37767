"""What a process costs before its work begins, and how the work grows with the data and the net."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from reparam import MLP, VAE, Training

from .. import ROOT
from ..markdown import Rows
from .timing import Effort, ratio, rounds, timed

MAIN = "from reparam.cli.main import main; main()"
LIBRARIES = "import torch, sklearn.base"


FIRST = """
import sys, time, torch
from benchmarks.speed.training import reparam
from benchmarks.torch_nets import PLAIN
name, compile, threads = sys.argv[1], sys.argv[2] == "compiled", int(sys.argv[3])
torch.set_num_threads(threads)
x = torch.rand(PLAIN[name].batch, 28, 28)
turn, start = reparam(name, x, torch.arange(len(x)) % 10, compile=compile), time.perf_counter()
turn()
print(time.perf_counter() - start, file=sys.stderr)
"""
"""An epoch of one step, the first of its process."""


def python(*words: str, **environment: str) -> str:
    """What a fresh interpreter says on stderr."""
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stderr


def startup(effort: Effort) -> Rows:
    """Seconds from the start of a process to its end, and whether it imports torch."""
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.safetensors")
        X = np.random.default_rng(0).normal(size=(64, 4))
        VAE(2, training=Training(epochs=1), random_state=0).fit(X).save(model)
        commands = {
            "`python -c pass`": ("-c", "pass"),
            "`reparam --help`": ("-c", MAIN, "--help"),
            "`import reparam`": ("-c", "import reparam"),
            "`reparam show MODEL`": ("-c", MAIN, "show", model),
            f"`{LIBRARIES}`": ("-c", LIBRARIES),
            "`from reparam import VAE`": ("-c", "from reparam import VAE"),
        }
        if effort.small:
            commands = dict(list(commands.items())[:3])
        seconds = rounds({name: timed(partial(python, *w)) for name, w in commands.items()}, effort.rounds)
        trees = {name: python("-X", "importtime", *words) for name, words in commands.items()}
    return {
        name: {
            "seconds": statistics.median(seconds[name]),
            "torch": "yes" if re.search(r"\| +torch$", trees[name], re.M) else "no",
            "share": None if effort.small else ratio(seconds, name, f"`{LIBRARIES}`"),
        }
        for name in commands
    }


def warmup(effort: Effort) -> Rows:
    """Seconds of a net's first step in a fresh process: plain, compiled with nothing kept from before, and
    with what that process has kept."""
    rows: Rows = {}
    for name in effort.nets[: 1 if effort.small else None]:
        ways = {"plain": "plain"} | ({} if effort.small else {"compiled": "compiled", "found": "compiled"})
        with tempfile.TemporaryDirectory() as folder:
            kept = {"TORCHINDUCTOR_CACHE_DIR": folder, "TMPDIR": folder}
            said = {
                key: python("-c", FIRST, name, way, f"{effort.threads}", **kept) for key, way in ways.items()
            }
        rows[name] = {key: float(words.split()[-1]) for key, words in said.items()}
    return rows


def epoch(X: np.ndarray, width: int, effort: Effort) -> tuple[float, int]:
    """Median seconds of an epoch after the first, and the number of parameters."""
    count = max(2, min(effort.rounds, 500_000 // len(X)))
    vae = VAE(4, encoder=MLP((width,)), training=Training(epochs=count + 1), random_state=0)
    epochs, seconds = vae.fit_iter(X), []
    next(epochs)
    for _ in range(count):
        start = time.perf_counter()
        next(epochs)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), sum(p.numel() for p in vae.model_.parameters())


def growth(effort: Effort) -> Rows:
    """Seconds of an epoch (batches of 128) over made-up rows of 8 columns, by rows and by width."""
    most = 1_000 if effort.small else 1_000_000
    X = np.random.default_rng(0).normal(size=(most, 8)).astype(np.float32)
    cases = [(n, 64) for n in (1_000, 10_000, 100_000, 1_000_000)]
    cases += [(10_000, width) for width in (256, 1_024, 4_096)]
    rows: Rows = {}
    for n, width in cases[: 1 if effort.small else None]:
        seconds, parameters = epoch(X[:n], width, effort)
        figures = {"width": width, "parameters": parameters, "seconds": seconds}
        rows[f"{n:,} x {width}"] = {"rows": f"{n:,}", "each": 1e6 * seconds / n, **figures}
    return rows
