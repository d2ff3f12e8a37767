"""What is shown and written at the terminal. Heavy imports wait for their use."""

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import DataError, extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..data.load import Dataset
    from ..estimator.vae import VAE
    from ..evaluation.evaluate import Evaluation
    from ..training.loggers import Tracker
    from ..training.trainer import Progress

SHOWN = 40
"""Columns of a table that are listed."""


def follow(training: "Iterator[Progress]", trackers: "list[Tracker]", quiet: bool) -> None:
    """Iterate with a bar, which appears with the first epoch; trackers hear of each."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, console=Console(stderr=True), disable=quiet)
    task = bar.add_task("epochs", total=None)
    try:
        for progress in training:
            words = nats(progress.row())
            bar.update(task, total=progress.epochs, completed=progress.epoch, description=words)
            bar.start()
            for tracker in trackers:
                tracker.log(progress)
    except KeyboardInterrupt:
        bar.stop()
        typer.echo("reparam: stopped; the same words with --resume go on", err=True)
        raise
    finally:
        bar.stop()
        for tracker in trackers:
            tracker.close()


def announced(training: "Iterator[Progress]", vae: "VAE") -> "Iterator[Progress]":
    """Training, and once it is under way what the columns of a table were taken for, on stderr."""
    for first in islice(training, 1):
        laws = [str(law) for law in getattr(vae.likelihood_, "families", ())]
        for line in column_lines(vae.codec_.header().get("columns", []), laws):
            typer.echo(f"reparam: {line}", err=True)
        yield first
    yield from training


def column_lines(columns: "list[dict[str, Any]]", laws: "Sequence[str]" = ()) -> "list[str]":
    """A line for each column of a table's header: its name, kind and family; SHOWN at most."""
    left, lines = list(laws), []
    for column in columns:
        kind = column["kind"]
        if kind in ("constant", "key"):
            lines.append(f"{column['name']}: {kind}, left out of the model")
        else:
            lines.append(f"{column['name']}: {kind}{f', {left.pop(0)}' if left else ''}")
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more} more columns"] if more > 0 else [])]


def detections(vae: "VAE", dataset: "Dataset", delay: int) -> dict[str, dict[str, float]]:
    """How well the score finds the anomalies, point by point and with segments adjusted."""
    from ..evaluation.anomaly import detection

    assert dataset.y is not None
    scores = vae.score_samples(dataset.X)
    ways = {"points": None, "segments": delay}
    return {name: detection(scores, dataset.y, way).to_dict() for name, way in ways.items()}


def beside_keys(vae: "VAE", dataset: "Dataset", values: Any, names: list[str], output: Path) -> Any:
    """In a table, columns beside the key of each row: the time, key columns, or names of files."""
    time = getattr(vae.codec_, "time", None)
    columns = () if time else getattr(vae.codec_, "columns", ())
    keys = [time] if time else [column.name for column in columns if column.kind == "key"]
    if output.suffix.lower() not in (".csv", ".parquet") or (dataset.keys is None and not keys):
        return values
    with extra("tables", "a table of results"):
        import pandas as pd

    held = pd.DataFrame({"file": dataset.keys}) if dataset.keys is not None else dataset.X[keys]
    unclashing(set(names) & set(held.columns))
    return pd.concat([held, pd.DataFrame(values, columns=names, index=held.index)], axis=1)


def unclashing(twice: "set[str]") -> None:
    """Refuse to write two columns of one name."""
    if twice:
        raise DataError(f"the table has a column {min(twice)!r}, as the result has: rename it there")


def write_blocks(
    path: Path, vae: "VAE", dataset: "Dataset", f: "Callable[[Dataset], Any]", names: list[str]
) -> None:
    """f of each block of the data beside its keys; one block is in memory at a time."""
    from . import write_results as sinks

    pieces = (beside_keys(vae, block, f(block), names, path) for block in dataset.blocks())
    sinks.write_all(path, pieces, dataset.X.shape[0], names)
    typer.echo(path)


def write(path: Path, values: Any, names: list[str] | None = None, of: "VAE | None" = None) -> None:
    from . import write_results as sinks

    sinks.write(path, values, names, of.likelihood_.top if of else None)
    typer.echo(path)


def nats(row: dict[str, Any]) -> str:
    parts = [f"{name} {row[name]:.2f}" for name in ("bound", "rate", "distortion") if row[name] is not None]
    return ", ".join(parts) + " nats"


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, allow_nan=False, default=str))


def print_evaluation(result: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    from ..plotting.html_report import table

    rows = Table("figure", "value", "unit", title=f"{result.n} rows, {result.k} importance samples")
    for row in table(result):
        rows.add_row(*row)
    Console().print(rows)
    for warning in result.warnings:
        typer.echo(f"warning: {warning}", err=True)


def print_detections(found: dict[str, dict[str, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = {"best F1": "f1", "precision": "precision", "recall": "recall", "score below": "threshold"}
    table = Table("anomalies by", *columns, "PR-AUC")
    for name, figures in found.items():
        table.add_row(name, *(f"{figures[key]:.4g}" for key in (*columns.values(), "pr_auc")))
    Console().print(table)


def print_profile(vae: "VAE", X: Any, y: Any) -> None:
    """On stderr, so that --json stays alone on stdout."""
    from rich.console import Console
    from rich.table import Table

    from .profiling import profiled

    times = profiled(vae, X, y)
    floor, total = next(iter(times.values())), sum(times.values())
    table = Table("of a training step", "milliseconds", "share", "x floor")
    for name, each in (times | {"in all": total}).items():
        table.add_row(name, f"{each:.2f}", f"{each / total:.0%}", f"{each / floor:.2f}" if floor else "")
    Console(stderr=True).print(table)
