"""Commands in a process that may allocate only so much more than it has when reparam is imported."""

import json
import os
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from reparam import MLP, VAE, Auxiliary, Training

from .outcome import ORDERLY

IMPORTED = (
    *("pandas", "pyarrow.parquet", "matplotlib.pyplot", "PIL.Image", "rich.progress", "sklearn.linear_model"),
    *(f"reparam.cli.{name}" for name in ("main", "run_folder", "load", "write_results")),
    *("reparam.plotting.model_plots", "reparam.evaluation.evaluate"),
)
"""What a command needs, and what counts as the process that has done nothing yet."""
ROWS, COLUMNS = 3000, 2000
VERBS = {
    "fit": "DATA --epochs 1 --set encoder=MLP((32,)) --overwrite -o OUT/run",
    "evaluate": "MODEL DATA -k 5 --json",
    "compare": "MODEL MODEL DATA -k 5 --json",
    "score": "MODEL DATA -k 5 -o OUT/scores.csv",
    "encode": "MODEL DATA -o OUT/z.npy",
    "reconstruct": "MODEL DATA -o OUT/x.npy",
    "impute": "MODEL DATA -k 5 -o OUT/filled.npy",
    "predict": "LABELLED DATA -o OUT/classes.csv",
    "decode": "MODEL CODES -o OUT/decoded.npy",
    "sample": "MODEL -n 30000 -o OUT/sample.npy",
    "plot": "MODEL --data DATA -o OUT/figures",
    "detect": "TABLE --seed 0 -o OUT/anomalies.csv",
}
"""A verb, and arguments with which it needs tens of MiB or more."""


@dataclass(frozen=True)
class Limited:
    """The exit status of a command under a limit, what it said last, and its fault."""

    status: int
    said: str
    fault: str


PLACES = {
    "DATA": "data.npy",
    "TABLE": "table.csv",
    "CODES": "codes.npy",
    "MODEL": "model.safetensors",
    "LABELLED": "labelled.safetensors",
    "OUT": "out",
}
"""What stands for which file of `write_data`."""
SLOW = 120.0
"""A command that takes so many seconds hangs."""


def write_data(folder: Path) -> None:
    """An array of 24 MB, a table of 8 MB, codes that decode into 320 MB, and models of the array."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    np.save(folder / PLACES["DATA"], X)
    np.save(folder / PLACES["CODES"], rng.normal(size=(40_000, 4)).astype(np.float32))
    head = ",".join(map(str, range(300)))
    np.savetxt(folder / PLACES["TABLE"], X[:, :300], "%.4f", ",", header=head, comments="")
    training = Training(epochs=1, batch_size=500)
    vae = VAE(4, encoder=MLP((32,)), training=training, random_state=0)
    vae.fit(X).save(folder / PLACES["MODEL"])
    labelled = VAE(4, encoder=MLP((32,)), training=training, labels=Auxiliary(2), random_state=0)
    labelled.fit(X, np.arange(ROWS) % 2).save(folder / PLACES["LABELLED"])
    (folder / PLACES["OUT"]).mkdir()


def command(verb: str, folder: Path) -> list[str]:
    words = [verb]
    for word in VERBS[verb].split():
        name, slash, rest = word.partition("/")
        words.append(f"{folder / PLACES[name]}{slash}{rest}" if name in PLACES else word)
    return words


def limited(cases: Iterable[tuple[str, int]], folder: Path) -> list[Limited]:
    """Verbs of VERBS with so many bytes more than a process needs that has done nothing yet."""
    asked = [[command(verb, folder), extra] for verb, extra in cases]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(folder / "said")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=os.environ | threads,
        check=True,
    )
    return [judged(*json.loads(line)) for line in done.stdout.splitlines()]


def judged(status: int, said: str) -> Limited:
    fault = ""
    if "Traceback" in said:
        fault = f"a traceback: {said.splitlines()[-1]}"
    elif status not in ORDERLY:
        fault = f"exit status {status}: {said[-200:]}"
    elif status == 3 and "memory does not suffice" not in said:
        fault = f"the message is of something else: {said[-200:]}"
    return Limited(status, said.splitlines()[-1] if said else "", fault)


def limit_memory(extra: int) -> None:
    """This process may allocate so many bytes more than it has."""
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + extra, own + extra))


def run_limited(words: list[str], extra: int, said: Path) -> int:
    """The exit status of a command in a forked process, whose words go to the file `said`."""
    from reparam.cli.main import main

    child = os.fork()
    if child == 0:
        stream = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        signal.alarm(int(SLOW))
        sys.argv = ["reparam", *words]
        limit_memory(extra)
        main()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve(said: Path) -> None:
    """Run the commands that stdin lists; a line for each with its exit status and words."""
    warnings.simplefilter("ignore")
    for name in IMPORTED:
        import_module(name)
    VAE(1, training=Training(epochs=1), random_state=0).fit([[0.0, 1.0], [1.0, 0.5], [0.5, 0.0]])
    for words, extra in json.load(sys.stdin):
        status = run_limited(words, extra, said)
        print(json.dumps([status, said.read_text().strip()]), flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
