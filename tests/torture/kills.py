"""Trainings killed at random steps and inside writes, resumed until they end, and compared bit for bit."""

import os
import random
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reparam.plotting import model_plots
from reparam.training.update import Update

from .outcome import outcome

SETTINGS = {
    "plain": ("training.ema=None",),
    "early stopping": ("training.patience=1", "training.validation=0.2"),
    "averaged": ("training.ema=0.9",),
    "scheduled": ("objective=ELBO(Linear(0, 1, 20))", "training.learning_rate=Linear(0.0, 0.01, 9)"),
    "streamed": (),
    "adversarial": ("objective=(ELBO(), LatentCritic(10))",),
    "vector-quantised": ("posterior=VQ(4, 2)", "latent_dim=4"),
}
"""The settings of each kind of training."""


def write_rows(folder: Path) -> None:
    X = np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32)
    np.save(folder / "rows.npy", X)


def command(kind: str, folder: Path, out: Path) -> list[object]:
    """`reparam fit` of a kind of SETTINGS, which saves at every step."""
    words = [word for each in ("encoder=MLP((8,))", "training.batch_size=20") for word in ("--set", each)]
    words += [word for each in SETTINGS[kind] for word in ("--set", each)]
    words += ["--buffer", "1"] if kind == "streamed" else []
    return ["fit", folder / "rows.npy", *words, "--epochs", 5, "--checkpoint-every", 0, "-o", out]


def in_child(work: Callable[[], int]) -> int:
    """What a forked process ends with: its exit status, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        model_plots.plot = lambda *words: []
        try:
            os._exit(work())
        finally:
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)


def die_at_step(n: int) -> None:
    """Before step n of this process, it is killed."""
    take, left = Update.__call__, [n]

    def step(update: Update, epoch: int) -> bool:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(update, epoch)

    Update.__call__ = step  # type: ignore[assignment, method-assign]


def die_in_write(n: int, half: bool) -> None:
    """In call n of os.fsync and os.replace this process is killed, `half` with half of the file written."""
    left = [n]

    def deadly(call: Any) -> Any:
        def counted(*words: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                if half and isinstance(words[0], int) and os.fstat(words[0]).st_size:
                    os.ftruncate(words[0], os.fstat(words[0]).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*words)

        return counted

    os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)


class Deadly(NamedTuple):
    """Where a process is killed: at a step or in a write, its number, and with half of a file written."""

    in_write: bool
    number: int
    half: bool


def deadly_at(rng: random.Random) -> Deadly:
    return Deadly(rng.random() < 0.5, rng.randrange(12), rng.random() < 0.5)


def fitted(words: list[object], deadly: Deadly | None) -> int:
    """The exit status of a command that may be killed; 98 where it ends with a fault."""
    if deadly and deadly.in_write:
        die_in_write(3 * deadly.number, deadly.half)
    elif deadly:
        die_at_step(deadly.number)
    found = outcome(*words)
    return 98 if found.fault else found.status


def killed(kind: str, folder: Path, rng: random.Random, most: int = 6) -> tuple[int, int, str]:
    """A training that is killed up to `most` times: kills at steps, kills in writes, and its fault."""
    whole, out = folder / f"{kind}.whole", folder / f"{kind}.killed"
    if not whole.is_dir():
        status = in_child(lambda: outcome(*command(kind, folder, whole)).status)
        if status:
            return 0, 0, f"without a kill, exit status {status}"
    shutil.rmtree(out, ignore_errors=True)
    kills = [0, 0]
    for attempt in range(most + 1):
        deadly = deadly_at(rng) if attempt < most else None
        begun = any(out.glob("training*.safetensors"))
        words = [*command(kind, folder, out), *(["--resume"] if begun else ["--overwrite"])]
        status = in_child(partial(fitted, words, deadly))
        if status == 0:
            break
        if status != -signal.SIGKILL:
            return kills[0], kills[1], f"{kind}, attempt {attempt + 1}: exit status {status}"
        assert deadly is not None
        kills[deadly.in_write] += 1
    files = [(place / "model.safetensors").read_bytes() for place in (whole, out)]
    left = [path.name for path in out.iterdir() if path.name.startswith(".")]
    fault = "" if files[0] == files[1] else f"{kind}: other bits after {sum(kills)} kills"
    return kills[0], kills[1], fault or (f"{kind}: {left} are left" if left else "")
