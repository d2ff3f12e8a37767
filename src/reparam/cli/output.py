"""Terminal output and result files. Heavy imports wait until they are used."""

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import DataError, SpecError
from .arguments import STDOUT, Engine, is_table
from .terminal import note, printable, say, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.text import Text

    from .. import VAE, Dataset, Evaluation
    from ..evaluation.draw_quality import DrawQuality
    from ..training.trainer import Progress

LISTED_COLUMNS = 40
"""The most columns of a table that are listed."""
BETRAYING = 5
"""The columns that are listed by which a classifier finds draws best."""


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, allow_nan=False, default=str))


def kept_epoch(history: "Sequence[dict[str, Any]]", planned: int | None) -> tuple[dict[str, Any], str]:
    """The best epoch on rows held out, and how long training took; `planned` epochs at most where it stops
    early.

    >>> rows = [{"epoch": i + 1, "validation": bound} for i, bound in enumerate([-60.0, -56.2, -57.0])]
    >>> kept_epoch(rows, 90)[1]
    'stopped after 3 epochs, best 2, held-out bound -56.20'
    >>> kept_epoch(rows, 3)[1], kept_epoch(rows, None)[1]
    ('all 3 epochs, best 2, held-out bound -56.20', '3 epochs')
    >>> kept_epoch(rows[:1], None)[1]
    '1 epoch'
    >>> rows[-1]["stopped"] = True
    >>> kept_epoch([*rows, {"epoch": 4, "validation": None}], 90)[1]
    'stopped after 3 epochs, best 2, held-out bound -56.20; then all rows: 1 epoch'
    """
    until = [i for i, row in enumerate(history, 1) if row.get("stopped")]
    more = len(history) - until[-1] if until else 0
    last = history[until[-1] - 1 if until else -1]
    held = [row for row in history if row["validation"] is not None]
    if planned is None or not held:
        return last, f"{last['epoch']} epoch{'s' * (last['epoch'] > 1)}"
    best = max(held, key=lambda row: row["validation"])
    stopped = "stopped after" if last["epoch"] < planned else "all"
    words = f"{stopped} {last['epoch']} epochs, best {best['epoch']}, held-out bound {best['validation']:.2f}"
    return best, words + (f"; then all rows: {more} epoch{'s' * (more > 1)}" if more else "")


def with_column_summary(training: "Iterator[Progress]", vae: "VAE") -> "Iterator[Progress]":
    """Training; after its first epoch the inferred column types of a table go to stderr."""
    for first in islice(training, 1):
        note_columns(vae)
        yield first
    yield from training


def note_columns(vae: "VAE") -> None:
    """Say on stderr how each column of a table was read."""
    families = [str(family) for family in getattr(vae.likelihood_, "families", ())]
    for line in column_summary(vae.codec_.header().get("columns", []), families):
        note(line)


def column_summary(columns: "list[dict[str, Any]]", families: "Sequence[str]" = ()) -> "list[str]":
    """A line for each column of a table's header, LISTED_COLUMNS at most: its name, kind and family."""
    remaining, lines = list(families), []
    for column in columns:
        kind = column["kind"]
        if kind in ("constant", "key"):
            lines.append(f"{column['name']}: {kind}, left out of the model")
        else:
            parts = [kind, *([remaining.pop(0)] if remaining else []), *column_notes(column)]
            lines.append(f"{column['name']}: {', '.join(parts)}")
    more = len(lines) - LISTED_COLUMNS
    return [*lines[:LISTED_COLUMNS], *([f"and {more} more columns"] if more > 0 else [])]


def column_notes(column: "dict[str, Any]") -> "Iterator[str]":
    """What is peculiar to a column of a table's header: times of day, a frequent number, missing cells."""
    if column.get("hhmm"):
        yield "times of day as hhmm"
    if spike := column.get("spike"):
        yield f"{spike[1]:.0%} are {spike[0]:g}"
    if missing := column.get("missing"):
        yield f"{missing:.0%} missing" if missing >= 0.01 else "some missing"


# -- results to files ------------------------------------------------------------------------------------


def check_duplicate_columns(added: "Iterable[str]", columns: "Iterable[str]") -> None:
    """DataError where a result adds a column that the table already has."""
    if both := set(added) & set(columns):
        raise DataError(
            f"duplicate column name {min(both)!r}: the result adds this column, rename it in the table"
        )


def with_keys(vae: "VAE", dataset: "Dataset", values: Any, names: list[str], output: Path) -> Any:
    """In a table, the results (n, ...) or columns {name: (n,)} beside the key of each row: time, key columns,
    file names, or else its number, from 0."""
    time = getattr(vae.codec_, "time", None)
    columns = () if time else getattr(vae.codec_, "columns", ())
    keys = [time] if time else [column.name for column in columns if column.kind == "key"]
    if not is_table(output):
        return values
    import pandas as pd

    if dataset.keys is not None:
        held = pd.DataFrame({"file": dataset.keys})
    elif keys and hasattr(dataset.X, "columns"):
        held = dataset.X[keys]
    else:
        held = pd.DataFrame({"row": range(dataset.first, dataset.first + dataset.X.shape[0])})
    check_duplicate_columns(names, held.columns)
    return pd.concat([held, pd.DataFrame(values, columns=names, index=held.index)], axis=1)


def write_by_block(
    path: Path,
    vae: "VAE",
    dataset: "Dataset",
    f: "Callable[[Dataset], Any]",
    names: list[str] | None = None,
    engine: Engine = Engine.local,
) -> None:
    """f of each block of the data, with one block in memory at a time, or by several processes of an engine.

    `names`: the columns of f, written beside the key of each row.
    """
    from .cluster import on_ray
    from .write_results import write_pieces

    def result(block: "Dataset") -> Any:
        values = f(block)
        return values if names is None else with_keys(vae, block, values, names, path)

    top = vae.likelihood_.top if names is None else None
    pieces = on_ray(result, dataset) if engine == Engine.ray else map(result, dataset.blocks())
    write_pieces(path, pieces, dataset.X.shape[0], names, top)
    print_path(path)


def rows_file(path: Path | None, vae: "VAE") -> Path:
    """The file that is named for rows like those of the model, else stdout for rows of a table."""
    if path is None and not vae.codec_.takes_frames:
        raise SpecError(
            "rows of this model are images or arrays: name a file, -o FILE, or -o - for csv on stdout"
        )
    return path or STDOUT


def print_path(path: Path) -> None:
    """The file that was written; nothing where results are on stdout."""
    if path != STDOUT:
        say(path)


def write_result(path: Path, values: Any, vae: "VAE | None" = None) -> None:
    """Write rows to a file; pixels are in the range of the model's likelihood."""
    from .write_results import write

    write(path, values, top=vae.likelihood_.top if vae is not None else None)
    print_path(path)


# -- tables on the terminal ------------------------------------------------------------------------------


def cell(value: Any) -> "Text":
    """A cell of a table as it is written in a file: without what the terminal or rich would follow."""
    from rich.text import Text

    return Text(printable(value))


def print_evaluation(result: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    from ..evaluation.metric_names import table

    rows = Table("metric", "value", "unit", title=f"{result.n} rows, {result.k} importance samples")
    for row in table(result):
        rows.add_row(*row)
    Console().print(rows)
    for warning in result.warnings:
        warn(warning)


def print_detection(found: dict[str, dict[str, float]]) -> None:
    """How well anomalies are found, for each way of counting them."""
    from rich.console import Console
    from rich.table import Table

    columns = {"best F1": "f1", "precision": "precision", "recall": "recall", "threshold": "threshold"}
    table = Table("anomalies by", *columns, "PR-AUC")
    for name, figures in found.items():
        table.add_row(name, *(f"{figures[key]:.4g}" for key in (*columns.values(), "pr_auc")))
    Console().print(table)


def print_draw_quality(found: "DrawQuality") -> None:
    """Drawn rows against real ones: the figures, and the columns that differ most."""
    from rich.console import Console
    from rich.table import Table

    from ..evaluation.metric_names import of_draws

    table = Table("drawn rows", "value", "best")
    for row in of_draws(found):
        table.add_row(*row)
    console = Console()
    console.print(table)
    worst = sorted(found.detection_by_column.items(), key=lambda item: -item[1])[:BETRAYING]
    console.print("AUC by one column alone: " + ", ".join(f"{name} {auc:.2f}" for name, auc in worst))


def print_anomalies(strangest: Any, anomalies: int, n: int, threshold: float, *, stderr: bool) -> None:
    """The strangest rows (a frame), and how many are below the threshold."""
    from rich.console import Console
    from rich.table import Table

    title = f"{anomalies} of {n} rows are anomalies: log p(x) below {threshold:.2f} nats"
    table = Table(title=title)
    for name in strangest.columns:
        table.add_column(cell(name))
    for row in strangest.itertuples(index=False):
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else cell(value) for value in row))
    Console(stderr=stderr).print(table)


def print_profile(times: dict[str, float]) -> None:
    """Milliseconds of each kind of work, on stderr, so that stdout holds only --json."""
    from rich.console import Console
    from rich.table import Table

    floor, total = next(iter(times.values())), sum(times.values())
    table = Table("part of a training step", "milliseconds", "share", "x minimum")
    for name, each in (times | {"total": total}).items():
        table.add_row(name, f"{each:.2f}", f"{each / total:.0%}", f"{each / floor:.2f}" if floor else "")
    Console(stderr=True).print(table)
