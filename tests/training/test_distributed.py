"""Two processes train as one does with the same batches, where the objective is a sum over rows."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Independent, Normal

from reparam.data.stream import LocalBatch
from reparam.tensors import rows_on_axis
from reparam.training.distributed import SharedNoise

PROGRAM = """
import json, os, sys
from dataclasses import replace
import numpy as np
from reparam import *

digits = load("digits")
X, y = (digits.X > 0.5).astype(np.float32)[:300], digits.y[:300]
holes = digits.X[:300].copy()
holes[::3, 2:5] = np.nan
half = np.where(np.arange(300) % 3 == 0, y, -1)
own = Training(epochs=2, batch_size=97, devices=int(sys.argv[1]), precision="32-true")
fits = {
    "elbo": (VAE(4, training=replace(own, validation=0.2, patience=3, clip=1.0, ema=0.9)), X, None),
    "iwae": (VAE(4, objective=IWAE(5, gradient="dreg"), training=own), X, None),
    "holes": (VAE(4, training=replace(own, missing=0.1), likelihood=Gaussian(scale=Shared())), holes, None),
    "labels": (VAE(4, labels=Auxiliary(10), training=own), X, y),
    "m2": (VAE(4, labels=Enumerated(10), objective=(ELBO(), CrossEntropy(1.0)), training=own), X, half),
    "ladder": (VAE((4, 3), prior=VampPrior(10), training=own), X, None),
    "flow": (VAE(4, posterior=Flow(steps=(IAF((8,)),)), training=own), X, None),
    "codes": (VAE(8, posterior=GumbelSigmoid(), training=own), X, None),
}
for name, (vae, a, b) in fits.items():
    vae.set_params(random_state=0).fit(a, b)
losses = {name: [row["loss"] for row in vae.history_] for name, (vae, *_) in fits.items()}
fast = replace(own, epochs=None, patience=4, learning_rate=0.05, ema=None)
stopped = VAE(2, encoder=MLP((8,)), training=fast, random_state=0).fit(X)
critic = VAE(4, objective=(ELBO(), LatentCritic()), training=own, random_state=0).fit(X)
shards = VAE(8, posterior=VQ(16, 4), objective=(ELBO(beta=0), Commitment()), training=own, random_state=0)
shards.fit(Stream([60] * 5, lambda i: X[60 * i : 60 * (i + 1)]))
weights = [p.detach().double().sum().item() for vae in (critic, shards) for p in vae.model_.parameters()]
weights += [b.double().sum().item() for b in shards.model_.buffers()]
with open(sys.argv[2] + os.environ.get("LOCAL_RANK", "0"), "w") as file:
    epochs = [len(stopped.history_), stopped.training_.epochs]
    json.dump({"losses": losses, "weights": weights, "epochs": epochs}, file)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What one process and each of two report, with the same products on every processor."""
    folder = tmp_path_factory.mktemp("processes")
    program = folder / "program.py"
    program.write_text(PROGRAM)
    for devices in "12":
        words = [sys.executable, str(program), devices, str(folder / f"of{devices}-")]
        subprocess.run(words, check=True, timeout=300, env=os.environ | {"MKL_CBWR": "AVX2"})
    return {name: json.loads((folder / name).read_text()) for name in ("of1-0", "of2-0", "of2-1")}


def test_two_processes_lose_as_one(results: dict[str, dict[str, Any]]) -> None:
    one, two = results["of1-0"]["losses"], results["of2-0"]["losses"]
    for name, losses in one.items():
        assert losses == pytest.approx(two[name], rel=1e-5), name


def test_processes_stop_at_the_same_epoch(results: dict[str, dict[str, Any]]) -> None:
    first, second = results["of2-0"]["epochs"], results["of2-1"]["epochs"]
    assert first == second and first[0] < first[1]


def test_processes_hold_the_same_weights(results: dict[str, dict[str, Any]]) -> None:
    """Where each sees its own rows alone, too: a critic, a codebook, shards."""
    assert results["of2-0"]["weights"] == results["of2-1"]["weights"]
    assert results["of2-0"]["weights"] != results["of1-0"]["weights"]


DRAWS = {  # the axis of the batch, and a draw for n rows
    "posterior": (1, lambda n: Independent(Normal(torch.zeros(n, 3), torch.ones(n, 3)), 1).rsample((2,))),
    "mask": (0, lambda n: torch.rand_like(torch.empty(n, 5))),
    "uniform": (1, lambda n: torch.rand(2, n, 3)),
    "float64": (1, lambda n: torch.randn((2, n, 3), dtype=torch.float64)),
    "in place": (1, lambda n: torch.empty(2, n, 3).exponential_()),
    "as many columns as rows": (0, lambda n: torch.rand(n, 4)),
    "as many draws as rows": (1, lambda n: torch.randn(4, n, 3)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_noise_is_a_share_of_the_batch(name: str) -> None:
    """The axis of the batch is said, never guessed by its size: the first process has 4 rows."""
    axis, draw = DRAWS[name]
    torch.manual_seed(0)
    together = draw(7)
    parts = []
    for start, n in ((0, 4), (4, 3)):
        torch.manual_seed(0)
        with SharedNoise(LocalBatch(torch.arange(n), torch.empty(n), start, n, 7)), rows_on_axis(axis):
            parts.append(draw(n))
    torch.testing.assert_close(torch.cat(parts, axis), together)


@pytest.mark.slow
def test_two_nodes_of_torchrun_train_as_one_process(tmp_path: Path) -> None:
    """Two machines, here two launchers with one process each, as docs/do/larger-than-memory.md says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    fit = ["-m", "reparam", "fit", "digits", "--epochs", "2", "--seed", "0", "--quiet", "-o"]
    words = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", port]
    launcher = [sys.executable, "-m", "torch.distributed.run", *words]
    same = os.environ | {"MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "1"}
    nodes = [
        subprocess.Popen([*launcher, "--node-rank", rank, *fit, str(tmp_path / "two")], env=same)
        for rank in "01"
    ]
    assert [node.wait(timeout=200) for node in nodes] == [0, 0]
    subprocess.run([sys.executable, *fit, str(tmp_path / "one")], check=True, timeout=200, env=same)
    two, one = (
        [json.loads(line)["loss"] for line in (tmp_path / run / "history.jsonl").read_text().splitlines()]
        for run in ("two", "one")
    )
    assert len(one) == 2
    assert two == pytest.approx(one, rel=1e-5)
