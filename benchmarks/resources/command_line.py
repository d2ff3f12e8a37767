"""Seconds and peak memory of the command line on the data of docs/results.md, each verb a process."""

import os
import sys
import tempfile
import time
from pathlib import Path

HOME = Path(os.environ.get("REPARAM_DATA", "."))
RUNS: dict[str, tuple[str, ...]] = {
    "tabular/adult.csv": ("--epochs", "30"),
    "tabular/titanic.csv": (),
    "tabular/penguins.csv": (),
    "image_folder": ("--size", "48x64", "--epochs", "10"),
    "single_cell/pbmc_cite_400x.npz": ("--recipe", "scvi", "--epochs", "5"),
    "kpi/cpu4.csv": ("--recipe", "donut", "--epochs", "20"),
}
VERBS = ("evaluate", "score", "encode", "sample", "impute")
WRITES = {"score": "score.csv", "encode": "encode.csv", "sample": "sample.npy", "impute": "impute.csv"}


def cost(*words: str) -> str:
    """Runs `reparam` with these words: its seconds and its peak in MiB, or "-" where it refuses."""
    command = [sys.executable, "-c", "from reparam.cli.main import main; main()", *words]
    start, quiet = time.monotonic(), os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    os.close(quiet)
    return f"{time.monotonic() - start:.0f} s, {used.ru_maxrss // 1024} MiB" if not status else "-"


def command_line() -> None:
    """Prints the table; data that $REPARAM_DATA does not hold are left out."""
    print("| data | options of `fit` | fit |", " | ".join(VERBS), "|")
    print("|---|---|---|" + "---|" * len(VERBS))
    for name, words in RUNS.items():
        if not (HOME / name).exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            run, data = f"{folder}/run", str(HOME / name)
            costs = [cost("fit", data, "-o", run, *words)]
            for verb in VERBS:
                given = () if verb == "sample" else (data,)
                output = ("-o", f"{folder}/{WRITES[verb]}") if verb in WRITES else ()
                output = (
                    ("-o", f"{folder}/sample.csv") if verb == "sample" and name.endswith(".csv") else output
                )
                costs.append(cost(verb, run, *given, *output))
        print(f"| {name} | {' '.join(words)} |", " | ".join(costs), "|", flush=True)
