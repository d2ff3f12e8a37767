"""`reparam compare`: held-out metrics of several models, on the same rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, ReparamError, SpecError
from .arguments import AsJson, Data, DataOptions, data_options, unique_names, writable_file
from .output import cell, print_json
from .terminal import say, warn

if TYPE_CHECKING:
    from torch import Tensor

    from .. import VAE, Dataset, Evaluation
    from ..evaluation.evaluate import Estimate

TABLES = (".csv", ".parquet")
DISCRETE = ("count", "binary", "nominal", "ordinal")
"""The column types whose likelihood is a probability, not a density."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model, and the data in the units that it takes."""

    name: str
    vae: "VAE"
    dataset: "Dataset"


@dataclass(frozen=True)
class Row:
    """The metrics of one model; `difference`: its log-likelihood minus that of the first model."""

    name: str
    evaluation: "Evaluation"
    difference: "Estimate | None"

    def to_dict(self) -> dict[str, Any]:
        found = self.difference
        difference = None if found is None else {"mean": found.mean, "se": found.se}
        return {"model": self.name, **self.evaluation.to_dict(), "difference": difference}


def table_file(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in TABLES:
        raise SpecError(f"a comparison is written as a table: use {' or '.join(TABLES)}, not {path.name!r}")
    return writable_file(path)


@data_options(without=["size"])
def compare(
    model: Annotated[list[Path], typer.Argument(help="two models or more: run folders, .safetensors files")],
    data: Data,
    options: DataOptions,
    k: Annotated[int, typer.Option("-k", min=1, help="importance samples per row")] = 100,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="also write this file, .csv or .parquet", callback=table_file),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Held-out metrics of several models on the same rows; nats per datum.

    The difference is the mean over rows of a model's log-likelihood minus that of the first model, with its
    standard error: above 0 the model is better than the first.
    """
    if is_model(data):
        raise SpecError(f"{data} is a model, and DATA is the last argument: name the data after the models")
    candidates = [
        load_candidate(name, path, data, options)
        for name, path in zip(unique_names(model), model, strict=True)
    ]
    warnings = list(incomparable(candidates))
    for warning in warnings:
        warn(warning)
    rows = evaluate_all(candidates, k)
    if as_json:
        print_json({"data": data, "models": [row.to_dict() for row in rows], "warnings": warnings})
    else:
        print_comparison(rows)
        for row in rows:
            for warning in row.evaluation.warnings:
                warn(f"{row.name}: {warning}")
    if output is not None:
        write_comparison(output, rows)
        say(output, err=as_json)


def is_model(data: str) -> bool:
    return Path(data).suffix == ".safetensors" or (Path(data) / "model.safetensors").is_file()


def load_candidate(name: str, path: Path, data: str, options: DataOptions) -> Candidate:
    """A model and the data, checked on the first row; an error names the model."""
    from .load import load_model_and_data

    try:
        vae, dataset = load_model_and_data(path, data, options)
        if vae.window is None:
            vae.score_samples(dataset.X[:1], None if dataset.y is None else dataset.y[:1], 1)
    except ReparamError as error:
        raise type(error)(f"{name}: {error}") from None
    return Candidate(name, vae, dataset)


# -- metrics ---------------------------------------------------------------------------------------------


def evaluate_all(candidates: Sequence[Candidate], k: int) -> list[Row]:
    """The metrics of each model, and its log-likelihood minus that of the first."""
    rows: list[Row] = []
    for candidate in candidates:
        vae, X, y = candidate.vae, candidate.dataset.X, candidate.dataset.y
        try:
            evaluation = vae.evaluate(X, y if vae.labels_.reads_y else None, k)
        except ReparamError as error:
            raise type(error)(f"{candidate.name}: {error}") from None
        difference = None
        if rows:
            first = rows[0].evaluation
            if evaluation.n != first.n:
                raise DataError(
                    f"{candidate.name} reads {evaluation.n} rows and {rows[0].name} {first.n}: "
                    "compare models on the same rows"
                )
            difference = paired_difference(evaluation.log_likelihood_by_row, first.log_likelihood_by_row)
        rows.append(Row(candidate.name, evaluation, difference))
    return rows


def paired_difference(scores: "Tensor | None", reference: "Tensor | None") -> "Estimate | None":
    """The mean of scores (n,) minus `reference` (n,), and its standard error, over the rows that have both.

    None where a model has no density or a score is infinite. Pairing removes the variation between rows that
    both models share, so the standard error is usually far below that of each mean.
    """
    from ..evaluation.evaluate import estimate_of

    if scores is None or reference is None:
        return None
    difference = scores.double() - reference.double()
    known = difference[~(scores.isnan() | reference.isnan())]
    return estimate_of(known) if len(known) and bool(known.isfinite().all()) else None


# -- whether metrics can be compared ---------------------------------------------------------------------


def incomparable(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Why the log-likelihoods of these models and of the first cannot be compared."""
    first = candidates[0]
    for other in candidates[1:]:
        if reason := difference_in_kind(first.vae, other.vae):
            yield f"the log-likelihoods of {first.name} and {other.name} are not comparable: {reason}"


def difference_in_kind(a: "VAE", b: "VAE") -> str | None:
    """Why two log-likelihoods are not of the same event, in the order of their models."""
    from .load import model_columns, pixel_range

    if a.window != b.window:
        return f"windows of {a.window} and {b.window} points"
    if only := set(model_columns(a)) ^ set(model_columns(b)):
        return f"one models the column {min(only)!r} and the other does not"
    if pixel_range(a) != pixel_range(b) and len(a.event_) > 1:
        return f"pixels up to {pixel_range(a):g} and up to {pixel_range(b):g}"
    if a.labels_.observed != b.labels_.observed:
        return "one is of log p(x | label) and the other of log p(x)"
    kinds, others = value_kinds(a), value_kinds(b)
    names = [name for name in kinds if others.get(name, kinds[name]) != kinds[name]]
    if names:
        place = f" of column {names[0]!r}" if a.codec_.header()["kind"] == "table" else ""
        words = {True: "probabilities", False: "densities"}
        return f"{words[kinds[names[0]]]} and {words[others[names[0]]]}{place}"
    return None


def value_kinds(vae: "VAE") -> dict[str, bool]:
    """For each column, whether its likelihood is a probability and not a density."""
    names = vae.codec_.names() if vae.window is None else ["value"]
    families = getattr(vae.likelihood_, "families", (vae.likelihood_,) * len(names))
    return {name: family.measurement in DISCRETE for name, family in zip(names, families, strict=True)}


# -- what is shown and written ---------------------------------------------------------------------------


COLUMNS = {
    "log_likelihood": ("log-\nlikelihood", ".2f"),
    "difference": ("difference", "+.2f"),
    "bits_per_dim": ("bits/\ndim", ".3f"),
    "elbo": ("ELBO", ".2f"),
    "rate": ("KL", ".2f"),
    "distortion": ("recon-\nstruction", ".2f"),
    "active_units": ("active\nunits", "d"),
    "ess": ("ESS", ".1f"),
    "accuracy": ("accuracy", ".3f"),
}
"""The metrics that are shown, each with its title and format."""


def print_comparison(rows: Sequence[Row]) -> None:
    """One row per model, with the metrics that any of them has."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    first = rows[0]
    table = Table(
        title=f"{first.evaluation.n} rows, {first.evaluation.k} importance samples; nats per datum",
        caption=cell(
            f"difference: log-likelihood minus that of {first.name}, paired by row; above 0 is better"
        )
        if len(rows) > 1
        else None,
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("model", no_wrap=True)
    figures = [row.to_dict() for row in rows]
    shown = [name for name in COLUMNS if any(each[name] is not None for each in figures)]
    for name in shown:
        table.add_column(COLUMNS[name][0], justify="right", no_wrap=True)
    for each in figures:
        table.add_row(cell(each["model"]), *(format_figure(each[name], COLUMNS[name][1]) for name in shown))
    wide = Console(width=10_000).measure(table).maximum
    console = Console()
    console.width = max(console.width, wide)
    console.print(table)


def format_figure(value: Any, form: str) -> str:
    """A number, or a mean and its standard error.

    >>> format_figure(None, ".2f"), format_figure({"mean": 0.5, "se": 0.125}, "+.2f")
    ('', '+0.50 ± 0.12')
    """
    if value is None:
        return ""
    if not isinstance(value, dict):
        return f"{value:{form}}"
    if value["mean"] is None:
        return ""
    se = "" if value["se"] is None else f" ± {value['se']:{form.lstrip('+')}}"
    return f"{value['mean']:{form}}{se}"


def write_comparison(path: Path, rows: Sequence[Row]) -> None:
    """One row per model; an estimate is two columns, the second its standard error."""
    import pandas as pd

    from .write_results import write

    records = []
    for row in rows:
        figures = row.to_dict()
        record = {name: figures[name] for name in ("model", "n", "k")}
        for name in COLUMNS:
            value = figures[name]
            if name in ("log_likelihood", "difference"):
                value = value or {"mean": None, "se": None}
                record |= {name: value["mean"], f"{name}_se": value["se"]}
            else:
                record[name] = value
        records.append(record)
    write(path, pd.DataFrame(records))
