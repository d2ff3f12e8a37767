"""Quality against time: who models static MNIST best after so many seconds of training?

Contestants take turns epoch by epoch, always the one whose clock is behind, so that a machine that slows down
slows all of them; each number of seconds is a run of its own. All are evaluated on the same random 1,000 test
images.
"""

import copy
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from reparam import VAE, Training
from reparam.data.load import load

from .. import ROOT
from ..importance_sampling import negative_log_likelihood
from ..markdown import Rows
from ..peers.environment import PYTHON
from ..torch_nets import Dense

MARKS = (60, 300)
"""Seconds of training."""
IMAGES = 1000


class Contestant(Protocol):
    def epoch(self) -> object: ...
    def evaluate(self, test: Tensor) -> dict[str, float]: ...


class Reparam:
    """Forty latents and the defaults, with as many epochs as the seconds are enough for."""

    def __init__(self, train: np.ndarray, seconds: float) -> None:
        x = train.reshape(-1, 28, 28)
        trial = VAE(40, training=Training(epochs=10**6), random_state=0).fit_iter(x)
        first, second = next(trial).seconds, next(trial).seconds
        trial.close()  # type: ignore[attr-defined]
        epochs = 1 + int((seconds - first) / (second - first))
        self.vae = VAE(40, training=Training(epochs=max(epochs, 1)), random_state=0)
        self.epochs = self.vae.fit_iter(x)

    def epoch(self) -> None:
        next(self.epochs)

    def evaluate(self, test: Tensor) -> dict[str, float]:
        model = copy.deepcopy(self.vae.model_).double().eval()

        def encode(x: Tensor) -> tuple[Tensor, Tensor]:
            q = model(x.reshape(-1, 28, 28)).layers[0].q
            return q.mean, q.stddev

        def decode(z: Tensor) -> Tensor:
            return model.decode(model.state(z)).mean.flatten(-2)

        return negative_log_likelihood(test, encode, decode)


class ByHand:
    """The net of the IWAE paper in a plain loop: 784-200-200-50, tanh, Adam at 1e-3, batches of 128."""

    def __init__(self, train: np.ndarray) -> None:
        torch.manual_seed(0)
        self.x, self.net = torch.as_tensor(train), Dense((784, 200, 200), 50, nn.Tanh)
        self.optimiser = torch.optim.Adam(self.net.parameters(), 1e-3)

    def epoch(self) -> None:
        for rows in torch.randperm(len(self.x)).split(128):
            x = self.x[rows]
            loss = self.net(x, x)[0]
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    def evaluate(self, test: Tensor) -> dict[str, float]:
        net = copy.deepcopy(self.net).double()

        def encode(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_var = net.encoder(x).chunk(2, -1)
            return mu, (0.5 * log_var).exp()

        return negative_log_likelihood(test, encode, lambda z: net.decoder(z).sigmoid())


class Pythae:
    """pythae's VAE with its default MLP (one layer of 512), in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, word: str) -> dict[str, float]:
        assert self.process.stdin and self.process.stdout
        print(word, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def epoch(self) -> None:
        self.ask("epoch")

    def evaluate(self, test: Tensor) -> dict[str, float]:
        return self.ask("evaluate")


def alternate(contestants: dict[str, Contestant], mark: float, test: Tensor) -> Iterator[tuple]:
    """(name, epochs, figures) of each when its clock passes the mark or its training ends."""
    clocks, epochs = dict.fromkeys(contestants, 0.0), dict.fromkeys(contestants, 0)
    while clocks:
        name, start = min(clocks, key=clocks.__getitem__), time.perf_counter()
        try:
            contestants[name].epoch()
            epochs[name] += 1
            clocks[name] += time.perf_counter() - start
        except StopIteration:
            clocks[name] = mark
        if clocks[name] >= mark:
            del clocks[name]
            yield name, epochs[name], contestants[name].evaluate(test)


def against_time(marks: tuple[float, ...] = MARKS, rows: int | None = None, images: int = IMAGES) -> Rows:
    """The rows of all contestants; pythae's is left out where no environment of the peers is."""
    train, test = (load(f"binarized-mnist:{part}").X.reshape(-1, 784) for part in ("train", "test"))
    train = train[:rows]
    test = test[np.sort(np.random.default_rng(0).choice(len(test), images, replace=False))]
    found: Rows = {}
    for mark in marks:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as open_:
            contestants: dict[str, Contestant] = {
                "reparam, VAE(40)": Reparam(train, mark),
                "plain PyTorch loop": ByHand(train),
            }
            if PYTHON.exists():
                np.savez(Path(folder) / "data.npz", train=train, test=test)
                words = [str(PYTHON), "-m", "benchmarks.peers.static_mnist", f"{folder}/data.npz"]
                quiet = os.environ | {"TQDM_DISABLE": "1"}
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
                process = open_.enter_context(
                    subprocess.Popen(words, text=True, cwd=ROOT, env=quiet, **pipes)
                )
                contestants["pythae, default MLP"] = Pythae(process)
            for name, epochs, figures in alternate(contestants, mark, torch.as_tensor(test)):
                row = found.setdefault(name, {"tables": ["quality"]})
                row |= {f"nll_{mark}": figures, f"epochs_{mark}": epochs}
    return found
