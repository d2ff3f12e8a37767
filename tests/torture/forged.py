"""What the commands make of a forged model file."""

from collections.abc import Iterator
from pathlib import Path

from .outcome import Outcome, outcome


def rows_of(folder: Path, kind: str) -> Path:
    """The rows that a model of `models.write_models` takes."""
    table = folder / f"{kind}.csv"
    return table if table.is_file() else folder / f"{kind}.npy"


def used(model: Path, rows: Path, out: Path) -> Iterator[Outcome]:
    """The outcome of each command that reads a model: of all if it loads, else of those that only look."""
    loaded = outcome("verify", model)
    yield loaded
    yield outcome("show", model)
    yield outcome("show", model, "--json")
    yield outcome("cite", model)
    if loaded.status == 0:
        yield outcome("sample", model, "-n", 3, "-o", out / f"sample{rows.suffix}")
        yield outcome("score", model, rows, "-k", 2, "-o", out / "score.csv")
        yield outcome("encode", model, rows, "-o", out / "z.csv")
        yield outcome("reconstruct", model, rows, "-o", out / f"x{rows.suffix}")
        yield outcome("impute", model, rows, "-k", 2, "-o", out / f"filled{rows.suffix}")
