"""`reparam detect`: the anomalies in DATA, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, SpecError
from .arguments import STDOUT, AsJson, Data, DataOptions, OutputFile, data_options, is_table, writable_file
from .output import note_columns, print_anomalies, print_json, print_path, with_keys

if TYPE_CHECKING:
    import pandas as pd

    from .. import AnomalyDetector, Dataset

EXPLAINED = 100
"""The most rows, beside those that are flagged, whose reasons are written."""
SHOWN = 5


@data_options()
def detect(
    data: Data,
    options: DataOptions,
    output: OutputFile = STDOUT,
    normal: Annotated[
        str | None, typer.Option(help="rows without anomalies, to judge DATA by; default: DATA itself")
    ] = None,
    contamination: Annotated[
        float | None, typer.Option(help="fraction of anomalies, e.g. 0.05; default: Tukey's fence")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="also write a .png: the histogram of scores with the threshold", callback=writable_file
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    as_json: AsJson = False,
) -> None:
    """Find anomalies in DATA: score, rank, flag and the strangest columns of each row."""
    from .. import AnomalyDetector, Covariates
    from .load import load_data, load_data_for
    from .write_results import write

    if not is_table(output):
        raise SpecError(f"detect writes a table: -o takes .csv or .parquet, not {output.name!r}")
    if picture is not None and picture.suffix != ".png":
        raise SpecError(f"--picture takes a .png file, not {picture.name!r}")
    detector = AnomalyDetector(
        novelty=normal is not None,
        contamination="auto" if contamination is None else contamination,
        labels=None if options.given_columns is None else Covariates(),
        random_state=seed,
    )
    dataset = load_data(normal or data, options)
    if dataset.X.shape[0] < 2:
        raise DataError(f"{normal or data} has one row; finding anomalies needs two or more")
    detector.fit(dataset.X, dataset.y)
    note_columns(detector.vaes_[0])
    scores = detector.scores_
    if normal is not None:
        dataset = load_data_for(detector.vaes_[0], data, options)
        scores = detector.score_samples(dataset.X, dataset.y)
    found = table(detector, dataset, scores)
    written = result_table(detector, dataset, found, output)
    if not (as_json and output == STDOUT):
        write(output, written)
    if picture is not None:
        from ..plotting.figures import encoded
        from ..plotting.score_figures import score_histogram
        from ..serialization.atomic import replace_file

        replace_file(picture, encoded(score_histogram(scores, threshold=detector.offset_))[1])
    anomalies = int(found["anomaly"].sum())
    if as_json:
        strangest = found.nsmallest(SHOWN, "rank").index.tolist()
        figures = {"n": len(found), "anomalies": anomalies, "threshold": detector.offset_}
        print_json(
            figures
            | {
                "strangest": written.iloc[strangest].to_dict("records"),
                "scores": None if output == STDOUT else str(output),
            }
        )
        return
    print_anomalies(
        written.nsmallest(SHOWN, "rank"), anomalies, len(found), detector.offset_, stderr=output == STDOUT
    )
    print_path(output)


def table(detector: "AnomalyDetector", dataset: "Dataset", scores: Any) -> "pd.DataFrame":
    """Score, rank, flag and reasons of each row."""
    import numpy as np
    import pandas as pd

    rank = scores.argsort(kind="stable").argsort() + 1
    flagged = scores < detector.offset_
    explained = np.flatnonzero(flagged | (rank <= EXPLAINED))
    some = dataset.X.iloc[explained] if hasattr(dataset.X, "iloc") else dataset.X[explained]
    told = detector.vaes_[-1].preprocessor_.targets.chosen(dataset.y, len(scores), explained)
    reasons = np.full(len(scores), "", dtype=object)
    for row, each in zip(explained, detector.explain(some, y=told), strict=True):
        reasons[row] = "; ".join(map(str, each))
    return pd.DataFrame({"score": scores, "rank": rank, "anomaly": flagged, "reasons": reasons})


def result_table(detector: "AnomalyDetector", dataset: "Dataset", found: "pd.DataFrame", output: Path) -> Any:
    """The table of results beside the key of each row, or its number where there is none."""
    names = list(found.columns)
    keyed = with_keys(detector.vaes_[0], dataset, found.to_numpy(dtype=object), names, output)
    return keyed.astype({name: found[name].dtype for name in names}).reset_index(drop=True)
