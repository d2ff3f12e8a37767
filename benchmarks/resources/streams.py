"""Peak memory of a fit and an encoding of 1, 10 and 100 times the rows, streamed and in memory."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from reparam import VAE, Training, load, stream

ROWS, COLUMNS, BUFFER = 20_000, 32, 16 << 20
PICTURES = 300


def make(folder: Path, times: int) -> dict[str, Path]:
    """A .npy file, parquet shards and a folder of pictures, made up."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(times * ROWS, COLUMNS)).astype(np.float32)
    np.save(folder / "x.npy", X)
    shards, pictures = folder / "shards", folder / "pictures"
    shards.mkdir()
    for i in range(times):
        rows = pd.DataFrame(X[i * ROWS : (i + 1) * ROWS], columns=[f"x{j}" for j in range(COLUMNS)])
        rows.to_parquet(shards / f"{i:03}.parquet", row_group_size=5_000)
    pictures.mkdir()
    for i in range(times * PICTURES):
        Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(pictures / f"{i:06}.png")
    return {".npy": folder / "x.npy", "parquet shards": shards, "pictures": pictures}


def measure(path: str, streamed: str) -> None:
    """One epoch and the codes of all rows: this process's peak in MiB, and the epoch's seconds."""
    X = stream(path, BUFFER) if streamed == "streamed" else load(path).X
    start = time.monotonic()
    vae = VAE(8, training=Training(epochs=1, batch_size=1024), random_state=0).fit(X)
    seconds = time.monotonic() - start
    vae.transform(X)
    print(peak(), round(seconds, 1))


def peak() -> int:
    """Most MiB that this process had in memory, as Linux counts; getrusage would count its parent's too."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


def streams() -> None:
    print(
        "| data | held | 1x, MiB | 10x, MiB | 100x, MiB | 100x, seconds an epoch |\n|---|---|---|---|---|---|"
    )
    peaks: dict[tuple[str, str], list[str]] = {}
    for times in (1, 10, 100):
        with tempfile.TemporaryDirectory() as folder:
            for kind, path in make(Path(folder), times).items():
                for held in ("streamed", *(["in memory"] if kind == ".npy" else [])):
                    command = [sys.executable, "-m", "benchmarks.resources.streams", str(path), held]
                    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    peak, seconds = printed.split()
                    peaks.setdefault((kind, held), []).append(peak)
                    if times == 100:
                        print(
                            f"| {kind} | {held} | {' | '.join(peaks[kind, held])} | {seconds} |", flush=True
                        )


if __name__ == "__main__":
    measure(*sys.argv[1:])
