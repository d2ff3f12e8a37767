"""Whole fits with no option but the number of epochs, compilation included: what a user waits for."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial

from .. import ROOT
from ..markdown import Rows
from ..peers.environment import PEERS, Peer, PeerError
from ..torch_nets import PLAIN
from .timing import Effort

IMAGES = 60_000
EPOCHS = {"zeldes": 21, "geron": 31, "conv": 3}
"""Of dense nets as many as have more than 10,000 steps, which are compiled where nothing is said."""

FIT = """
import sys, time, torch
from benchmarks.speed.training import estimator
name, epochs, rows, threads = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
x, y = torch.rand(rows, 28, 28).numpy(), (torch.arange(rows) % 10).numpy()
vae, start = estimator(name, epochs), time.perf_counter()
vae.fit(x, None if vae.labels is None else y)
print(time.perf_counter() - start)
"""


def ours(name: str, epochs: int, rows: int, effort: Effort) -> float:
    """Seconds of a fit in a fresh process, which finds nothing compiled before."""
    words = [sys.executable, "-c", FIT, name, *map(str, (epochs, rows, effort.threads))]
    with tempfile.TemporaryDirectory() as folder:
        cold = os.environ | {"TORCHINDUCTOR_CACHE_DIR": folder, "TMPDIR": folder}
        done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT, env=cold)
    return float(done.stdout.split()[-1])


def theirs(peer: str, name: str, epochs: int, rows: int, effort: Effort) -> float:
    with closing(Peer(peer, name, effort.threads, rows // PLAIN[name].batch)) as epoch:
        return sum(epoch() for _ in range(epochs))


def fits(effort: Effort) -> Rows:
    """Seconds of one fit of each net, and how many times as long peers take."""
    rows: Rows = {}
    for name in effort.nets[: 1 if effort.small else None]:
        epochs, images = (2, 2 * PLAIN[name].batch) if effort.small else (EPOCHS[name], IMAGES)
        able = [peer for peer in PEERS if PLAIN[name].hidden or peer != "pyod"] if effort.peers else []
        turns: dict[str, Callable[..., float]] = {"reparam": ours}
        turns |= {peer: partial(theirs, peer) for peer in able}
        rows[name] = {"epochs": epochs}
        for who, turn in turns.items():
            try:
                rows[name][who] = turn(name, epochs, images, effort)
            except PeerError as error:
                rows[name][who] = str(error)
        seconds = {who: each for who, each in rows[name].items() if isinstance(each, float)}
        rows[name] |= {
            f"{who} / reparam": seconds[who] / seconds["reparam"] for who in able if who in seconds
        }
    return rows
