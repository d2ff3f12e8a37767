"""Commands in a process that may allocate only so much more than it has when reparam is imported."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reparam import MLP, VAE, Training

from .outcome import ORDERLY

CHILD = """
import resource, sys, warnings
warnings.simplefilter("ignore")
import torch, pandas, pyarrow.parquet, matplotlib.pyplot, PIL.Image, rich.progress, sklearn.linear_model
import reparam, reparam.cli.main, reparam.cli.run_folder, reparam.cli.load, reparam.plotting.model_plots
import reparam.evaluation.evaluate, reparam.cli.write_results
reparam.VAE(1, training=reparam.Training(epochs=1), random_state=0).fit([[0.0, 1.0], [1.0, 0.5], [0.5, 0.0]])
own = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = own + int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.argv[0] = "reparam"
reparam.cli.main.main()
"""
ROWS, COLUMNS = 3000, 2000
VERBS = {
    "fit": "DATA --epochs 1 --set encoder=MLP((32,)) --overwrite -o OUT/run",
    "evaluate": "MODEL DATA -k 20 --json",
    "compare": "MODEL MODEL DATA -k 5 --json",
    "score": "MODEL DATA -k 5 -o OUT/scores.csv",
    "encode": "MODEL DATA -o OUT/z.npy",
    "reconstruct": "MODEL DATA -o OUT/x.npy",
    "impute": "MODEL DATA -k 5 -o OUT/filled.npy",
    "sample": "MODEL -n 30000 -o OUT/sample.npy",
    "plot": "MODEL --data DATA -o OUT/figures",
    "detect": "TABLE --seed 0 -o OUT/anomalies.csv",
}
"""A verb, and arguments with which it needs tens or hundreds of MiB."""


@dataclass(frozen=True)
class Limited:
    """The exit status of a command under a limit, what it said last, and its fault."""

    status: int
    said: str
    fault: str


def write_data(folder: Path) -> None:
    """DATA.npy of 24 MB, TABLE.csv of 8 MB, and a model of the former."""
    X = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    np.save(folder / "DATA.npy", X)
    np.savetxt(
        folder / "TABLE.csv", X[:, :300], "%.4f", ",", header=",".join(map(str, range(300))), comments=""
    )
    training = Training(epochs=1, batch_size=500)
    VAE(4, encoder=MLP((32,)), training=training, random_state=0).fit(X).save(folder / "MODEL.safetensors")


def limited(verb: str, extra: int, folder: Path) -> Limited:
    """A verb of VERBS with `extra` bytes more than a process needs that has done nothing yet."""
    places = {"DATA": "DATA.npy", "TABLE": "TABLE.csv", "MODEL": "MODEL.safetensors", "OUT": "out"}
    words = [verb, *VERBS[verb].split()]
    for name, file in places.items():
        words = [word.replace(name, str(folder / file)) if word.startswith(name) else word for word in words]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(extra), *words],
        capture_output=True,
        text=True,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        timeout=300,
    )
    said, fault = done.stderr.strip(), ""
    if "Traceback" in said:
        fault = f"a traceback: {said.splitlines()[-1]}"
    elif done.returncode not in ORDERLY:
        fault = f"exit status {done.returncode}: {said[-200:]}"
    elif done.returncode == 3 and "memory does not suffice" not in said:
        fault = f"the message is of something else: {said[-200:]}"
    return Limited(done.returncode, said.splitlines()[-1] if said else "", fault)
