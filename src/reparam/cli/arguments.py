"""What was typed, as objects: a model by its words, data by its name. Heavy imports wait for their use."""

import difflib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import DataError, SpecError

if TYPE_CHECKING:
    from ..data.load import Dataset
    from ..estimator.vae import VAE
    from ..recipes import Recipe


def toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} is not TOML: {error}") from None
    flat = {key: value for key, value in table.items() if not isinstance(value, dict)}
    flat |= {f"{part}.{key}": v for part, t in table.items() if isinstance(t, dict) for key, v in t.items()}
    return {key: value if isinstance(value, str) else repr(value) for key, value in flat.items()}


def configured(name: str | None, words: list[str], seed: int) -> "tuple[VAE, Recipe | None]":
    """The estimator that a recipe and KEY=VALUE words describe, and the recipe."""
    from ..estimator.vae import VAE
    from ..estimator.validation import KINDS
    from ..families import Cell
    from ..recipes import recipe
    from ..specs.parse import parse
    from ..specs.spec import annotations
    from ..training.config import Training

    found = recipe(name) if name else None
    arguments = found.arguments() if found else {}
    training: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    places = {name: (arguments, name, kind) for name, kind in KINDS.items()}
    places |= {f"training.{name}": (training, name, kind) for name, kind in annotations(Training).items()}
    for word in words:
        key, equals, value = word.partition("=")
        if column := key.startswith("columns.") and key.removeprefix("columns."):
            places[key] = (columns, column, Cell)
        if not equals or key not in places:
            near = difflib.get_close_matches(key, places, 1)
            some = f"a KEY of {', '.join(KINDS)}, training.KEY or columns.NAME"
            raise SpecError(
                f"--set takes KEY=VALUE, not {word!r}: {f'did you mean {near[0]}?' if near else some}"
            )
        target, name_in, kind = places[key]
        try:
            target[name_in] = parse(value, kind)
        except SpecError as error:
            raise SpecError(f"{key}={value}: {error}") from None
    if columns:
        arguments["likelihood"] = columns
    if training:
        arguments["training"] = replace(arguments.get("training") or Training(), **training)
    return VAE(**(arguments | {"random_state": seed})), found


def evaluation_subset(vae: "VAE", X: Any, y: Any) -> tuple[Any, Any]:
    """At most 1,000 rows to judge a fit by: those that it held out, else the first."""
    import numpy as np

    rows = (
        vae.held_out_[:1000]
        if len(vae.held_out_) and vae.window is None
        else np.arange(min(1000, X.shape[0]))
    )
    y = None if y is None or vae.classes_ is None else np.asarray(y)[rows]
    return (X.iloc[rows] if hasattr(X, "iloc") else X[rows]), y


def pixels(X: Any, vae: "VAE") -> Any:
    """Pixels are read in [0, 1]; for a likelihood over 0 to `top` they are whole numbers."""
    from ..data.stream import Stream
    from ..families import Family

    if isinstance(X, Stream):
        return X.map(lambda block: pixels(block, vae))
    likelihood = getattr(vae, "likelihood_", vae.likelihood)
    top = likelihood.top if isinstance(likelihood, Family) else None
    return X if (top or 1) <= 1 or X.ndim < 3 or X.max() > 1 else (X * top).round()


def dataset_of(
    data: str,
    na: list[str] | None = None,
    skip_bad: bool = False,
    label: str | None = None,
    size: str | None = None,
    like: "VAE | None" = None,
    buffer: int | None = None,
) -> "Dataset":
    """DATA as a model has read its own, the column `label` of a table taken out as y (where none is named,
    the one that the model was told of); what was chosen for the user is said."""
    from ..data.load import load
    from ..data.readers.images import size_of

    known = like.trained_on_.get("label") if like else None
    if label is not None and like and label in knows(like):
        raise DataError(f"the model knows the column {label!r} as data, not as a label: leave --label out")
    dataset = load(
        data,
        missing=tuple(na or ()),
        size=size_of(size) if size else None,
        skip_bad=skip_bad,
        like=like and like.codec_,
        buffer=buffer and buffer << 20,
        label=label or known,
    )
    for line in dataset.note.splitlines():
        typer.echo(f"reparam: {line}", err=True)
    if label is not None and (dataset.y is None or not hasattr(dataset.X[:1], "columns")):
        raise DataError(f"{data} has no column {label!r}: --label names one of a table")
    return dataset


def knows(vae: "VAE") -> list[str]:
    """The columns that a model of a table or a series reads."""
    from ..data.codecs.array import ArrayCodec

    if vae.window is not None:
        return [getattr(vae.codec_, "time", ""), getattr(vae.codec_, "value", "")]
    return [] if isinstance(vae.codec_, ArrayCodec) else vae.codec_.names()


def load_model_and_data(
    model: Path,
    data: str,
    na: list[str] | None = None,
    skip_bad: bool = False,
    label: str | None = None,
    buffer: int | None = None,
) -> "tuple[VAE, Dataset]":
    vae = model_of(model)
    return vae, read(data, vae, na, skip_bad, label, buffer)


def read(
    data: str,
    vae: "VAE",
    na: list[str] | None = None,
    skip_bad: bool = False,
    label: str | None = None,
    buffer: int | None = None,
) -> "Dataset":
    """DATA in the units that the model takes."""
    dataset = dataset_of(data, na, skip_bad, label, like=vae, buffer=buffer)
    return replace(dataset, X=pixels(dataset.X, vae))


def model_of(path: Path) -> "VAE":
    from .run_folder import load

    return load(path)


def pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise SpecError(f"{option} takes NAME=VALUE, not {word!r}")
    return name, value


def class_of(vae: "VAE", label: str | None) -> Any:
    """The class that a word names."""
    if label is None or vae.classes_ is None:
        return label
    for known in vae.classes_:
        if str(known) == label:
            return known
    raise DataError(f"{label!r} is no class of this model: {', '.join(map(str, vae.classes_))}")
