"""`reparam evaluate` and `reparam score`: how good a model is, and how likely each row."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpecError
from .arguments import (
    STDOUT,
    AsJson,
    Data,
    DataOptions,
    Engine,
    EngineOption,
    ModelPath,
    OutputFile,
    Products,
    data_options,
    writable_file,
)
from .output import (
    check_duplicate_columns,
    print_detection,
    print_draw_quality,
    print_evaluation,
    print_json,
    write_by_block,
)
from .progress import rows_shown
from .terminal import say

if TYPE_CHECKING:
    from .. import VAE, Dataset
    from ..evaluation.draw_quality import DrawQuality

DELAY = 7
"""Default for --delay: time steps after the start of an anomaly within which an alarm counts."""


@data_options(without=["size"])
def evaluate(
    model: ModelPath,
    data: Data,
    options: DataOptions,
    k: Annotated[int, typer.Option("-k", min=1, help="importance samples per row")] = 500,
    ais: Annotated[
        int | None,
        typer.Option(min=1, help="also annealed importance sampling, number of temperatures, e.g. 1000"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="also write an .html page of metrics and plots", callback=writable_file),
    ] = None,
    delay: Annotated[
        int | None, typer.Option(min=0, help="time steps within which an alarm counts; default 7")
    ] = None,
    draws: Annotated[
        int | None, typer.Option(min=10, help="tables: also compare so many drawn rows with those of DATA")
    ] = None,
    training: Annotated[
        str | None, typer.Option(help="with --draws: the training rows; how close do draws lie to them?")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="with --draws and --training: a column to predict from the others")
    ] = None,
    precision: Annotated[
        Products | None,
        typer.Option(help="of products of matrices; default: float32. medium is faster, some .001 nats off"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Log-likelihood with its standard error, rate, distortion, active units; nats per datum.

    For a time series with --label also the best F1 of anomaly detection.
    """
    from ..training.precision import multiplied
    from .load import load_model_and_data

    if report is not None and report.suffix != ".html":
        raise SpecError(f"--report takes an .html file, not {report.name!r}")
    vae, dataset = load_model_and_data(model, data, options)
    has_anomalies = options.label is not None and vae.window is not None
    if delay is not None and not has_anomalies:
        raise SpecError("--delay is only for a time series with --label: leave it out")
    delay = DELAY if delay is None else delay
    with rows_shown(), multiplied(precision):
        result = vae.evaluate(dataset.X, dataset.y if vae.labels_.reads_y else None, k, ais=ais)
    found = anomaly_detection(vae, dataset, delay) if has_anomalies else {}
    drawn = draws_compared(vae, dataset, draws, training, target, options)
    if as_json:
        more = {"detection": {"delay": delay, **found}} if found else {}
        print_json(result.to_dict() | more | ({"draws": drawn.to_dict()} if drawn else {}))
    else:
        print_evaluation(result)
        if drawn:
            print_draw_quality(drawn)
        if found:
            print_detection(found)
    if report is not None:
        from ..plotting.html_report import page
        from ..serialization.atomic import replace_file

        replace_file(report, page(vae, dataset, result, f"{model} on {data}", drawn).encode())
        say(report, err=as_json)


def draws_compared(
    vae: "VAE",
    dataset: "Dataset",
    draws: int | None,
    training: str | None,
    target: str | None,
    options: DataOptions,
) -> "DrawQuality | None":
    """Rows drawn from a table's model against those of the data; None where they are not asked for."""
    from .load import load_data

    if draws is None:
        if training is not None or target is not None:
            raise SpecError("--training and --target are for --draws: add --draws 1000")
        return None
    if not hasattr(dataset.X, "columns") or vae.window is not None:
        raise SpecError("--draws compares rows of tables, and this model is not of one: leave it out")
    from ..evaluation.draw_quality import draw_quality

    drawn = vae.sample(draws, random_state=0)
    names = [name for name in dataset.X.columns if name in drawn.columns]
    rows = None if training is None else load_data(training, options).X[names]
    return draw_quality(dataset.X[names], drawn[names], training=rows, target=target)


def anomaly_detection(vae: "VAE", dataset: "Dataset", delay: int) -> dict[str, dict[str, float]]:
    """How well the score finds the anomalies, point by point and with segments adjusted."""
    from .. import detection

    assert dataset.y is not None
    scores = vae.score_samples(dataset.X)
    ways = {"points": None, "segments": delay}
    return {name: detection(scores, dataset.y, way).to_dict() for name, way in ways.items()}


@data_options(without=["size"])
def score(
    model: ModelPath,
    data: Data,
    options: DataOptions,
    output: OutputFile = STDOUT,
    k: Annotated[int, typer.Option("-k", min=1, help="importance samples per row")] = 100,
    per_cell: Annotated[bool, typer.Option("--per-cell", help="also the score of each column")] = False,
    engine: EngineOption = Engine.local,
) -> None:
    """One score per row: the importance-weighted bound on log p(x), in nats, beside the row's key."""
    import numpy as np

    from .load import load_model_and_data

    vae, dataset = load_model_and_data(model, data, options)
    cells = vae.codec_.names() if per_cell else []
    check_duplicate_columns(["score"], cells)

    def scores(block: "Dataset") -> Any:
        of_rows = vae.score_samples(block.X, block.y, k)[:, None]
        if not per_cell:
            return of_rows
        of_cells = np.asarray(vae.score_cells(block.X, block.y, k))
        return np.concatenate([of_rows, of_cells.reshape(len(of_rows), -1)], 1)

    write_by_block(output, vae, dataset, scores, ["score", *cells], engine)
