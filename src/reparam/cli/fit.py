"""`reparam fit`: train a model on DATA and write the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, SpecError
from .arguments import (
    AsJson,
    Data,
    DataOptions,
    SpecText,
    data_options,
    parse_settings,
    read_toml,
    writable_folder,
)
from .output import kept_epoch, print_json, print_profile, with_column_summary
from .progress import show_progress
from .terminal import note, say, warn

if TYPE_CHECKING:
    from .. import VAE
    from ..model.label_head import LabelHead


@data_options()
def fit(
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="run folder to write", callback=writable_folder)
    ],
    options: DataOptions,
    recipe: Annotated[str | None, typer.Option(help="a published model: see `reparam recipes`")] = None,
    config: Annotated[Path | None, typer.Option(help="a TOML file of arguments")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: training.epochs=5, columns.age=...")
    ] = None,
    latent_dim: Annotated[str | None, typer.Option(help="latent size, or one per layer: (8, 16)")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="passes over DATA; default: until held-out rows gain no more")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="32-true, medium or bf16-mixed; default: by the network's size and the data's kind"
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="processor threads; default: by the size of the network")
    ] = None,
    window: Annotated[int | None, typer.Option(help="time series: window length in time steps")] = None,
    log: Annotated[
        list[str] | None, typer.Option(help="csv, tensorboard, wandb or mlflow, beside history.jsonl")
    ] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="processes that share each batch")] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="first show where the time of a training step goes")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="continue the training in this folder")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the model or stopped training in this folder")
    ] = False,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, help="seconds of training between checkpoints")
    ] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Train a model on DATA and write the run folder."""
    from .. import Training
    from ..training.loggers import Tracker
    from .load import build_estimator, load_data, scale_pixels
    from .run_folder import RunFolder, is_first_process

    overrides = read_toml(config) | parse_settings(set_ or [])
    said = {
        "latent_dim": None if latent_dim is None else SpecText(latent_dim),
        "training.epochs": epochs,
        "training.device": device,
        "training.precision": precision,
        "training.devices": devices,
        "training.threads": threads,
        "window": window,
    }
    overrides |= {key: value for key, value in said.items() if value is not None}
    vae, published = build_estimator(recipe, overrides, seed)
    if options.given_columns is not None:
        vae.set_params(labels=covariate_head(vae))
    elif vae.labels and vae.labels.measured:
        raise SpecError(
            f"labels={vae.labels} needs covariates: name their columns, --given-columns age,batch"
        )
    (vae.training or Training()).resolved_device()
    dataset = load_data(data, options)
    X: Any = scale_pixels(dataset.X, vae)
    y: Any = dataset.y
    if X.shape[0] < 2:
        raise DataError(f"{data} has one row; training needs two or more")
    if published and published.rows:
        X = X[: published.rows]
        y = list(range(len(X)))
        note(f"{recipe} trains on the first {len(X)} rows, each its own class")
    has_labels = bool(vae.labels and vae.labels.reads_y) or vae.window is not None
    targets = y if has_labels else None
    run = RunFolder(output)
    if not is_first_process(vae):
        run.train_beside(vae, X, targets, resume)
        return
    if options.label is not None and not has_labels:
        note(f"{options.label} is not in the model; {label_hint(y)}")
    if profile:
        from .profiling import profile_step

        print_profile(profile_step(vae, X, targets))
    trackers = [Tracker(name, output) for name in log or []]
    vae.trained_on_ = {"data": data, "rows": X.shape[0], "recipe": recipe, "label": options.label}
    with run.reserved(resume, overwrite):
        training = run.train(vae, X, targets, resume, checkpoint_every)
        show_progress(with_column_summary(training, vae), trackers, quiet=as_json)
        if published and published.then:
            vae.refit_prior(X, published.then, targets)
        evaluation = run.finish(vae, X, targets)
    print_result(vae, evaluation, output, as_json)


def covariate_head(vae: "VAE") -> "LabelHead":
    """The label head for --given-columns: the one that is set, else Covariates()."""
    from .. import Covariates

    if vae.labels is not None and not vae.labels.measured:
        raise SpecError(f"--given-columns with labels={vae.labels}: leave one of the two out")
    return vae.labels or Covariates()


def label_hint(y: Any) -> str:
    """How labels y that the model does not use could enter it."""
    from pandas import Series

    from ..estimator.validation import first_real

    if first_real(y) is not None:
        return "it holds real numbers and labels are classes: without --label it is a column of the model"
    return f"--set 'labels=Auxiliary({Series(y).nunique()})' would add it"


def print_result(vae: "VAE", evaluation: dict[str, Any], output: Path, as_json: bool) -> None:
    """What the model is worth on rows held out, how long it was trained, and warnings."""
    from ..training.display import epoch_summary

    last = vae.history_[-1]
    if as_json:
        run = {"seconds": last["seconds"], "epochs": last["epoch"], "model": str(output)}
        print_json(evaluation | run)
        return
    kept, length = kept_epoch(vae.history_, vae.training_.epochs if vae.training_.patience else None)
    say(f"{output / 'model.safetensors'}: {epoch_summary(kept)}; {length}, {last['seconds']:.0f} s")
    say(likelihood_summary(evaluation))
    for warning in evaluation["warnings"]:
        warn(warning)


def likelihood_summary(evaluation: dict[str, Any]) -> str:
    """The log-likelihood with its standard error and the rows that it is of.

    >>> likelihood_summary({"log_likelihood": {"mean": -56.2, "se": 0.31}, "n": 212, "held_out": True})
    'log p(x) -56.20 ± 0.31 nats a row, on 212 rows held out'
    """
    rows = f"on {evaluation['n']} {'rows held out' if evaluation['held_out'] else 'training rows'}"
    found = evaluation["log_likelihood"]
    if found is None:
        return f"reconstruction {evaluation['distortion']:.2f} nats a row, {rows}"
    spread = "" if found["se"] is None else f" ± {found['se']:.2f}"
    return f"log p(x) {found['mean']:.2f}{spread} nats a row, {rows}"
