"""Trainings killed at random steps and inside writes, resumed until they end, and compared bit for bit."""

import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
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
    "compiled": ("training.compile=True",),
    "two processes": ("training.devices=2",),
}
"""The settings of each kind of training."""
MOST = 6
"""The kills of a training, at most."""
HANGING = 60.0
"""A process that has not ended so many seconds after the other of two was killed counts as one that hangs."""
SLOW_FIT = 300.0
"""Seconds of a training that hangs: a first one is compiled."""
LOST, HUNG = 3, 97
"""The exit status of a process whose partner has ended, and the one that stands for a process that hangs."""


def write_rows(folder: Path) -> None:
    X = np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32)
    np.save(folder / "rows.npy", X)


def command(kind: str, folder: Path, out: Path) -> list[object]:
    """`reparam fit` of a kind of SETTINGS, which saves at every step."""
    words = [word for each in ("encoder=MLP((8,))", "training.batch_size=20") for word in ("--set", each)]
    words += [word for each in SETTINGS[kind] for word in ("--set", each)]
    words += ["--buffer", "1"] if kind == "streamed" else []
    return ["fit", folder / "rows.npy", *words, "--epochs", 5, "--checkpoint-every", 0, "-o", out]


def prepare() -> None:
    """Import once what every child needs."""
    for name in ("reparam.cli.load", "reparam.cli.run_folder", "lightning_fabric"):
        import_module(name)


def prepare_compiler(folder: Path) -> None:
    """Keep compiled graphs in a folder, so that later trainings find those of the first one."""
    os.environ |= {"TORCHINDUCTOR_CACHE_DIR": str(folder), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    import_module("torch._inductor.compile_fx")


def together(n: int) -> list[dict[str, str]]:
    """What torchrun puts into the environment of each of n processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(n), "GROUP_RANK": "0"}
    shared |= {"LOCAL_WORLD_SIZE": str(n), "TORCHELASTIC_RUN_ID": "torture"}
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(n)]


def in_children(works: Sequence[Callable[[], int]]) -> list[int]:
    """What a forked process for each work ends with: its exit status, or minus the signal that killed it.
    Several are the processes of one training."""
    children = []
    for work, words in zip(works, together(len(works)), strict=True):
        child = os.fork()
        if child == 0:
            os.environ |= words if len(works) > 1 else {}
            model_plots.plot = lambda *words: []
            try:
                os._exit(work())
            finally:
                os._exit(99)
        children.append(child)
    ended = dict[int, int]()
    deadline = float("inf")
    while len(ended) < len(children):
        for child in children:
            if child not in ended:
                pid, status = os.waitpid(child, os.WNOHANG)
                if pid:
                    ended[child] = os.waitstatus_to_exitcode(status)
                    deadline = min(deadline, time.monotonic() + HANGING)
                elif time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    ended[child] = HUNG
        time.sleep(0.01)
    return [ended[child] for child in children]


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
    """Where a process is killed: at a step or in a write, its number, with half of a file written, and which
    process of several."""

    in_write: bool
    number: int
    half: bool
    rank: int = 0


def deadly_at(rng: random.Random, processes: int = 1) -> Deadly:
    """Only the first of several processes writes."""
    in_write = rng.random() < 0.5
    number, half = rng.randrange(12), rng.random() < 0.5
    return Deadly(in_write, number, half, 0 if in_write else rng.randrange(processes))


def fitted(words: list[object], deadly: Deadly | None) -> int:
    """The exit status of a command that may be killed; 98 where it ends with a fault."""
    if deadly and deadly.in_write:
        die_in_write(3 * deadly.number, deadly.half)
    elif deadly:
        die_at_step(deadly.number)
    found = outcome(*words, slow=SLOW_FIT)
    return 98 if found.fault else found.status


def run_once(kind: str, words: list[object], deadly: Deadly | None) -> int:
    """What the training ends with that may be killed: 0, minus the signal, or the status of a fault."""
    processes = 2 if kind == "two processes" else 1
    mine = [deadly if deadly and deadly.rank == rank else None for rank in range(processes)]
    ends = in_children([partial(fitted, words, each) for each in mine])
    if -signal.SIGKILL in ends:
        return next((end for end in ends if end not in (-signal.SIGKILL, LOST, 0)), -signal.SIGKILL)
    return next((end for end in ends if end), 0)


def killed(kind: str, folder: Path, rng: random.Random, most: int = MOST) -> tuple[int, int, str]:
    """A training that is killed up to `most` times: kills at steps, kills in writes, and its fault."""
    whole, out = folder / f"{kind}.whole", folder / f"{kind}.killed"
    if not whole.is_dir():
        status = run_once(kind, command(kind, folder, whole), None)
        if status:
            return 0, 0, f"without a kill, exit status {status}"
    shutil.rmtree(out, ignore_errors=True)
    kills = [0, 0]
    for attempt in range(most + 1):
        deadly = deadly_at(rng, 2 if kind == "two processes" else 1) if attempt < most else None
        begun = any(out.glob("training*.safetensors"))
        words = [*command(kind, folder, out), *(["--resume"] if begun else ["--overwrite"])]
        status = run_once(kind, words, deadly)
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
