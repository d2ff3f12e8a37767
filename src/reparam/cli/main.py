"""The command line: from a file to a result. Errors are one line; heavy imports wait for the verb."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, ReparamError, SpecError
from .arguments import (
    class_of,
    configured,
    dataset_of,
    evaluation_subset,
    load_model_and_data,
    model_of,
    pair,
    pixels,
    read,
    toml,
)
from .output import (
    announced,
    column_lines,
    detections,
    nats,
    print_detections,
    print_evaluation,
    print_json,
    print_profile,
    show_progress,
    unclashing,
    write,
    write_blocks,
)

if TYPE_CHECKING:
    from ..data.load import Dataset

app = typer.Typer(
    help="Variational autoencoders: fit, evaluate, sample, look inside. Every number is in nats.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Data = Annotated[
    str,
    typer.Argument(
        help="digits, mnist, fashion-mnist, binarized-mnist (:train, :test); a .npy, .npz, .csv or .parquet "
        "file; a folder of .parquet shards, or of pictures, its sub-folders the classes"
    ),
]
ModelPath = Annotated[Path, typer.Argument(help="a run folder or a .safetensors file")]


def _writable(path: Path) -> Path:
    """The file to write, refused before the work where its ending says nothing."""
    from .write_results import check

    check(path)
    return path


Out = Annotated[Path, typer.Option("-o", "--output", help="file to write", callback=_writable)]
Missing = Annotated[
    list[str] | None, typer.Option("--na", help="another spelling of a missing cell in a .csv")
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label", help="a column that holds labels, which the model remembers; of a series 1 is an anomaly"
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="leave out pictures that cannot be read, and name them")
]
Buffer = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="stream DATA from disk (.npy, .parquet, pictures), so many MiB at once; large DATA are anyway",
    ),
]
Annealing = Annotated[
    int | None, typer.Option("--ais", min=1, help="beside it, annealing over so many temperatures; 1000, say")
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout and nothing else")]


@app.command()
def fit(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="run folder to write")],
    recipe: Annotated[str | None, typer.Option(help="a published model: see `reparam recipes`")] = None,
    config: Annotated[Path | None, typer.Option(help="a TOML file of arguments")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: training.epochs=5, columns.age=...")
    ] = None,
    latent_dim: Annotated[str | None, typer.Option(help="latent size, or one a rung: (8, 16)")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda")] = None,
    precision: Annotated[str | None, typer.Option(help="32-true or bf16-mixed")] = None,
    window: Annotated[int | None, typer.Option(help="a time series, by windows of so many points")] = None,
    label: Label = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="HEIGHTxWIDTH of the pictures in a folder, say 64x96; each is scaled and cropped about its "
            "centre. Without it the median, its longer side kept to 64; the choice is printed"
        ),
    ] = None,
    skip_bad: SkipBad = False,
    na: Missing = None,
    log: Annotated[
        list[str] | None, typer.Option(help="csv, tensorboard, wandb or mlflow, beside history.jsonl")
    ] = None,
    buffer: Buffer = None,
    devices: Annotated[int | None, typer.Option(min=1, help="so many processes share each batch")] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="first say where the time of a training step goes")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on where this run folder stopped")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on DATA and write the run folder."""
    from ..training.config import Training
    from ..training.distributed import launched
    from ..training.loggers import Tracker
    from .run_folder import Run

    words = [f"{key}={value}" for key, value in toml(config).items()] + (set_ or [])
    words += [f"latent_dim={latent_dim}"] if latent_dim else []
    words += [f"training.epochs={epochs}"] if epochs else []
    words += [f"training.device={device!r}"] if device else []
    words += [f"training.precision={precision!r}"] if precision else []
    words += [f"training.devices={devices}"] if devices else []
    words += [f"window={window}"] if window is not None else []
    vae, found = configured(recipe, words, seed)
    rows = found.rows if found else None
    dataset = dataset_of(data, na, skip_bad, label, size=size, buffer=buffer)
    X: Any = pixels(dataset.X, vae)
    y: Any = dataset.y
    if X.shape[0] < 2:
        raise DataError(f"{data} has one row; a model learns from two or more")
    if rows:
        X, y = X[:rows], list(range(len(X[:rows])))
        typer.echo(f"{recipe} trains on the first {len(X)} rows, each a class of its own", err=True)
    told = vae.labels is not None or vae.window is not None
    run = Run(output)
    training = vae.training or Training()
    if launched(training.devices, training.resolved_device()).rank:
        run.follow(vae, X, y if told else None, resume)
        return
    if label is not None and not told:
        from pandas import Series

        cure = f"--set 'labels=Auxiliary({Series(y).nunique()})'"
        typer.echo(f"reparam: {label} is left out of the model; {cure} would learn it", err=True)
    if profile:
        print_profile(vae, X, y if told else None)
    trackers = [Tracker(name, output) for name in log or []]
    show_progress(announced(run.train(vae, X, y if told else None, resume), vae), trackers, quiet=as_json)
    if found and found.then:
        vae.refit_prior(X, found.then, y if told else None)
    vae.trained_on_ = {"data": data, "rows": X.shape[0], "recipe": recipe, "label": label}
    run.finish(vae)
    last, judged = vae.history_[-1], evaluation_subset(vae, X, y)
    if as_json:
        print_json(
            vae.evaluate(*judged).to_dict()
            | {"seconds": last["seconds"], "epochs": last["epoch"], "model": str(output)}
        )
    else:
        typer.echo(
            f"{output / 'model.safetensors'}: {nats(last)} "
            f"after {last['epoch']} epochs, {last['seconds']:.0f} s"
        )
        for warning in vae.evaluate(*judged, k=1).warnings:
            typer.echo(f"warning: {warning}", err=True)


@app.command()
def evaluate(
    model: ModelPath,
    data: Data,
    k: Annotated[int, typer.Option("-k", min=1, help="importance samples a datum")] = 500,
    ais: Annealing = None,
    report: Annotated[Path | None, typer.Option(help="a page of figures and pictures, .html")] = None,
    label: Label = None,
    delay: Annotated[
        int | None, typer.Option(min=0, help="of an alarm after the start of an anomaly in a series; 7")
    ] = None,
    skip_bad: SkipBad = False,
    na: Missing = None,
    buffer: Buffer = None,
    as_json: AsJson = False,
) -> None:
    """Log-likelihood with its standard error, rate, distortion, active units; nats per datum.

    Of a series with --label also the best F1 of its anomalies.
    """
    if report is not None and report.suffix != ".html":
        raise SpecError(f"--report writes .html, not {report.name!r}")
    vae, dataset = load_model_and_data(model, data, na, skip_bad, label, buffer)
    judged = bool(label and vae.window)
    if delay is not None and not judged:
        raise SpecError("--delay is for a series with --label: leave it out")
    delay = 7 if delay is None else delay
    result = vae.evaluate(dataset.X, dataset.y if vae.classes_ is not None else None, k, ais=ais)
    found = detections(vae, dataset, delay) if judged else {}
    if as_json:
        print_json(result.to_dict() | ({"detection": {"delay": delay, **found}} if found else {}))
    else:
        print_evaluation(result)
    if found and not as_json:
        print_detections(found)
    if report is not None:
        from ..plotting.html_report import page
        from ..serialization.atomic import replace_file

        replace_file(report, page(vae, dataset, result, f"{model} on {data}").encode())
        typer.echo(report, err=as_json)


@app.command()
def score(
    model: ModelPath,
    data: Data,
    output: Out,
    k: Annotated[int, typer.Option("-k", min=1)] = 100,
    per_cell: Annotated[bool, typer.Option("--per-cell", help="beside it each column's share")] = False,
    skip_bad: SkipBad = False,
    na: Missing = None,
    buffer: Buffer = None,
) -> None:
    """One score a row: the importance-weighted bound on log p(x), in nats, beside the row's key."""
    vae, dataset = load_model_and_data(model, data, na, skip_bad, buffer=buffer)
    cells = vae.codec_.names() if per_cell else []
    unclashing({"score"} & set(cells))
    names = ["score", *cells]

    def scored(block: "Dataset") -> Any:
        import numpy as np

        scores = vae.score_samples(block.X, block.y, k)[:, None]
        if not per_cell:
            return scores
        shares = vae.score_cells(block.X, block.y, k)
        return np.concatenate([scores, shares.reshape(len(scores), -1)], 1)

    write_blocks(output, vae, dataset, scored, names)


@app.command()
def encode(
    model: ModelPath,
    data: Data,
    output: Out,
    skip_bad: SkipBad = False,
    na: Missing = None,
    buffer: Buffer = None,
) -> None:
    """Posterior means, one row a datum, beside the row's key."""
    vae, dataset = load_model_and_data(model, data, na, skip_bad, buffer=buffer)
    names = [f"z{i + 1}" for i in range(vae.latent_dim_)]
    write_blocks(output, vae, dataset, lambda b: vae.transform(b.X, b.y), names)


@app.command()
def predict(
    model: ModelPath,
    data: Data,
    output: Out,
    skip_bad: SkipBad = False,
    na: Missing = None,
    buffer: Buffer = None,
) -> None:
    """Each class's probability, one row a datum, beside the row's key; by a label head's classifier."""
    vae, dataset = load_model_and_data(model, data, na, skip_bad, buffer=buffer)
    if vae.classes_ is None or not hasattr(vae, "predict_proba"):
        cure = "fit with --label COLUMN --set 'labels=Auxiliary(CLASSES)'"
        raise DataError(f"{model} has no classifier; {cure}")
    write_blocks(output, vae, dataset, lambda b: vae.predict_proba(b.X), list(map(str, vae.classes_)))


@app.command()
def decode(
    model: ModelPath, data: Data, output: Out, label: Annotated[str | None, typer.Option()] = None
) -> None:
    """Codes (n, L) to decoded means."""
    vae, dataset = model_of(model), dataset_of(data)
    write(output, vae.inverse_transform(dataset.X, class_of(vae, label)), of=vae)


@app.command()
def reconstruct(
    model: ModelPath, data: Data, output: Out, skip_bad: SkipBad = False, na: Missing = None
) -> None:
    """Decoded means of the posterior means."""
    vae, dataset = load_model_and_data(model, data, na, skip_bad)
    write(output, vae.reconstruct(dataset.X, dataset.y), of=vae)


@app.command()
def impute(
    model: ModelPath,
    data: Data,
    output: Out,
    draws: Annotated[
        int | None, typer.Option(min=1, help="so many draws, told apart by a column `draw`")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="importance samples a row")] = 100,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    skip_bad: SkipBad = False,
    na: Missing = None,
) -> None:
    """Fill missing cells: the best guess, or draws of it."""
    vae, dataset = load_model_and_data(model, data, na, skip_bad)
    if draws is not None:
        unclashing({"draw"} & set(getattr(dataset.X, "columns", ())))
    filled = vae.impute(dataset.X, dataset.y, draws=draws, n_samples=k, random_state=seed)
    if draws is None:
        write(output, filled, of=vae)
    elif hasattr(dataset.X, "columns"):
        import pandas as pd

        write(output, pd.concat([frame.assign(draw=i + 1) for i, frame in enumerate(filled)]))
    else:
        for i, each in enumerate(filled):
            write(output.with_stem(f"{output.stem}-{i + 1}"), each, of=vae)


@app.command()
def sample(
    model: ModelPath,
    output: Out,
    n: Annotated[int, typer.Option("-n", min=1)] = 64,
    label: Annotated[str | None, typer.Option(help="the class to draw")] = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="draw x ~ p(x|z) for pictures too, not its mean")
    ] = False,
    given: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE, e.g. sex=Female")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
) -> None:
    """New data: pictures show the mean of p(x|z), other files hold draws."""
    vae = model_of(model)
    mean = output.suffix.lower() == ".png" and not draw
    held = dict(pair(word, "--given") for word in given or [])
    if len(held) < len(given or []):
        raise SpecError("--given says a column twice; say one value each")
    write(output, vae.sample(n, label=class_of(vae, label), mean=mean, given=held, random_state=seed), of=vae)


@app.command()
def plot(
    model: Annotated[list[Path], typer.Argument(help="one or more models")],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to write")],
    data: Annotated[str | None, typer.Option(help="data for maps and reconstructions")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Losses, samples by epoch, latent map, manifold, traversals (.png and .gif), interpolation; several
    models side by side."""
    from ..plotting import model_plots as gallery

    names = [path.name if path.suffix != ".safetensors" else path.stem for path in model]
    keys = names if len(set(names)) == len(names) else [str(path) for path in model]
    models = {key: model_of(path) for key, path in zip(keys, model, strict=True)}
    first = next(iter(models.values()))
    for path in gallery.plot(models, read(data, first, skip_bad=skip_bad) if data else None, output):
        typer.echo(path)


@app.command()
def show(model: ModelPath, as_json: AsJson = False) -> None:
    """What a model file says of itself; its net is not built."""
    from ..serialization.header import file_of, read_header

    header = read_header(file_of(model))
    if as_json:
        print_json(header)
        return
    for name, spec in header["spec"].items():
        typer.echo(f"{name:>14}  {spec}")
    typer.echo(f"{'event':>14}  {tuple(header['event'])}")
    typer.echo(f"{'trained on':>14}  {header['trained_on'].get('data', 'arrays')}")
    for line in column_lines(header["codec"].get("columns", [])):
        typer.echo(f"{'':>14}  {line}")
    if header["history"]:
        typer.echo(f"{'epochs':>14}  {len(header['history'])}: {nats(header['history'][-1])}")


@app.command()
def cite(model: Annotated[str, typer.Argument(help="a recipe's name, a run folder or a model file")]) -> None:
    """BibTeX of what a model is made of."""
    from ..recipes import RECIPES, recipe, references

    name = model
    if not Path(model).exists():
        recipe(name)
    elif model not in RECIPES:
        from ..serialization.header import file_of, read_header

        name = read_header(file_of(Path(model)))["trained_on"].get("recipe") or ""
    keys = [RECIPES[name].key] if name in RECIPES else []
    typer.echo("\n\n".join(references()[key] for key in dict.fromkeys([*keys, "kingma2014auto"])))


@app.command()
def recipes(as_json: AsJson = False) -> None:
    """The published models by name: source, data and what to expect."""
    from ..recipes import RECIPES

    if as_json:
        table = {
            name: {
                "about": r.about,
                "source": r.source,
                "data": r.data,
                "expect": r.expect,
                "model": repr(r.model),
            }
            for name, r in RECIPES.items()
        }
        print_json(table)
        return
    for name, r in RECIPES.items():
        typer.echo(f"{name}\n  {r.about}\n  source: {r.source}\n  data: {r.data}; expect: {r.expect}\n")


def main() -> None:
    """The entry point: an error of ours is one line on stderr, and its exit status."""
    warnings.formatwarning = lambda message, *_, **__: f"reparam: warning: {message}\n"
    try:
        status = app(standalone_mode=False)
    except ReparamError as error:
        typer.echo(f"reparam: {' '.join(str(error).split())}", err=True)
        status = error.status
    except OSError as error:
        typer.echo(f"reparam: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        status = DataError.status
    except typer.Abort:
        status = 130
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
            raise
        if error.format_message():
            typer.echo(f"reparam: {error.format_message()}", err=True)
        status = 2
    sys.exit(status if isinstance(status, int) else 0)
