"""From arguments to an estimator, a fitted model and its data. Commands import this when they run."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from .. import VAE, Dataset, Training, load
from ..data.readers.images import size_of
from ..data.stream import map_blocks
from ..errors import DataError, SpecError
from ..estimator.validation import KINDS
from ..families import Cell
from ..specs.parse import parse
from ..specs.spec import accepts, annotations, as_kind, describe
from .arguments import DataOptions, SpecText
from .run_folder import load_model
from .startup import imported
from .terminal import note

if TYPE_CHECKING:
    from ..recipes import Recipe


def build_estimator(name: str | None, overrides: Mapping[str, Any], seed: int) -> "tuple[VAE, Recipe | None]":
    """The estimator that a recipe describes, and the recipe.

    `overrides`: values, or SpecText, by the name of an argument, "training.NAME" or "columns.NAME".
    """
    imported()
    published = None
    if name:
        from ..recipes import recipe

        published = recipe(name)
    arguments = published.arguments() if published else {}
    training: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    places = {argument: (arguments, argument, kind) for argument, kind in KINDS.items()}
    places |= {f"training.{field}": (training, field, kind) for field, kind in annotations(Training).items()}
    for key, value in overrides.items():
        if column := key.startswith("columns.") and key.removeprefix("columns."):
            places[key] = (columns, column, Cell)
        if key not in places:
            near = [k for k in places if k == f"training.{key}"] or difflib.get_close_matches(key, places, 1)
            known = f"there are {', '.join(KINDS)}, training.NAME and columns.NAME"
            raise SpecError(f"unknown key {key!r}: {f'did you mean {near[0]}?' if near else known}")
        target, field, kind = places[key]
        try:
            target[field] = read_value(value, kind)
        except SpecError as error:
            raise SpecError(f"{key}={value}: {error}") from None
    if columns:
        arguments["likelihood"] = columns
    if training:
        arguments["training"] = replace(arguments.get("training") or Training(), **training)
    return VAE(**(arguments | {"random_state": seed})), published


def read_value(value: Any, kind: Any) -> Any:
    """A value of the given type; text is parsed, unless the type is text.

    >>> read_value(SpecText("cpu"), str), read_value(SpecText("(8, 16)"), tuple[int, ...])
    ('cpu', (8, 16))
    >>> read_value([8, 16], tuple[int, ...])
    (8, 16)
    """
    if isinstance(value, SpecText):
        try:
            return parse(value, kind)
        except SpecError:
            if accepts(kind, str(value)):
                return str(value)
            raise
    value = as_kind(kind, value)
    if not accepts(kind, value):
        raise SpecError(f"{value!r} is not {describe(kind)}")
    return value


def load_data(data: str, options: DataOptions, vae: VAE | None = None) -> Dataset:
    """DATA as read, for the codec of `vae` where there is one. Choices made for the user are printed.

    The label column of a table is taken out as y: the named one, else the one that the model has.
    """
    label, given = options.label, covariates(options, vae)
    if label is not None and given:
        raise SpecError("a model has --label or --given-columns: give one of the two")
    if vae is not None and label is not None and label in model_columns(vae):
        raise DataError(f"in this model the column {label!r} is data, not a label: leave --label out")
    dataset = load(
        data,
        missing=tuple(options.na or ()),
        size=size_of(options.size) if options.size else None,
        skip_bad=options.skip_bad,
        like=None if vae is None else vae.codec_,
        buffer=None if options.buffer is None else options.buffer << 20,
        label=label or getattr(vae, "trained_on_", {}).get("label"),
        given=given,
    )
    if given and not hasattr(dataset.y, "columns"):
        raise DataError(
            f"{data} has no columns: --given-columns takes columns of a table or of an .h5ad's obs"
        )
    for line in dataset.note.splitlines():
        note(line)
    if label is not None and (dataset.y is None or not hasattr(dataset.X[:1], "columns")):
        raise DataError(f"{data} has no column {label!r}: --label takes a column of the table")
    return dataset


def covariates(options: DataOptions, vae: VAE | None) -> tuple[str, ...]:
    """The columns that are covariates: those named, else those of the model."""
    if options.given_columns is not None:
        return tuple(name.strip() for name in options.given_columns.split(","))
    return () if vae is None else tuple(column.name for column in vae.labels_.known)


def load_model_and_data(model: Path, data: str, options: DataOptions) -> tuple[VAE, Dataset]:
    """A model, and DATA in the units that it takes."""
    vae = load_model(model)
    return vae, load_data_for(vae, data, options)


def load_data_for(vae: VAE, data: str, options: DataOptions) -> Dataset:
    """DATA in the units that the model takes."""
    dataset = load_data(data, options, vae)
    return replace(dataset, X=scale_pixels(dataset.X, vae))


def pixel_range(vae: VAE) -> float:
    """The largest pixel value that the model takes: 1, or `top` of a likelihood over whole numbers."""
    likelihood = getattr(vae, "likelihood_", vae.likelihood)
    return max(getattr(likelihood, "top", None) or 1.0, 1.0)


def scale_pixels(X: Any, vae: VAE) -> Any:
    """Pixels, which are read in [0, 1], in the units that the model takes."""
    top = pixel_range(vae)

    def scaled(rows: Any) -> Any:
        return rows if top == 1 or rows.ndim < 3 or rows.max() > 1 else (rows * top).round()

    return map_blocks(X, scaled)


def model_columns(vae: VAE) -> list[str]:
    """The columns that a model of a table or a time series reads."""
    if vae.window is not None:
        return [getattr(vae.codec_, "time", ""), getattr(vae.codec_, "value", "")]
    return vae.codec_.column_names()


def find_class(vae: VAE, label: str | None, option: str = "--label") -> Any:
    """The class with this name, or the covariates of "age=40,batch=B", the value of `option`."""
    if label is None and vae.labels_.measured and option == "--label":
        usual = ",".join(f"{name}={value}" for name, value in vae.labels_.example.items())
        raise SpecError(f"this model is conditional on covariates: use for example --label {quote(usual)}")
    if label is not None and vae.labels_.measured:
        return dict(covariate(vae, word, option) for word in label.split(","))
    if label is None or vae.classes_ is None:
        return label
    for known in vae.classes_:
        if str(known) == label:
            return known
    raise DataError(f"{label!r} is not a class of this model: {', '.join(map(str, vae.classes_))}")


def covariate(vae: VAE, word: str, option: str) -> tuple[str, Any]:
    """The name and the value of "age=40": a number, or the category with this name."""
    name, sign, value = word.strip().partition("=")
    if not sign:
        raise SpecError(f"{option} {word!r}: this model takes covariates, NAME=VALUE,NAME=VALUE")
    for column in vae.labels_.known:
        if column.name == name:
            return name, column.read(value)
    return name, value
