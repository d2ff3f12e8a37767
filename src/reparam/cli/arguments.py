"""Command-line arguments as objects. Options of several commands are declared here, once."""

import tomllib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..errors import SpecError
from ..serialization.atomic import check_writable

Verb = Callable[..., None]
ENDINGS = (".npy", ".npz", ".csv", ".parquet", ".png")
"""The types of file that results are written to."""
STDOUT = Path("-")
"""Results go to stdout, as csv."""


def writable(path: Path | None) -> Path | None:
    """The file to write, if one is named; an error, before any work is done, where its extension is not
    supported or it cannot be written."""
    if path is None or path == STDOUT:
        return path
    if path.suffix.lower() not in ENDINGS:
        ending = path.suffix or "a file without an extension"
        raise SpecError(f"cannot write {ending}: use {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    check_writable(path)
    return path


def writable_file(path: Path | None) -> Path | None:
    """The file to write, whatever its ending, if one is named; an error where it cannot be written."""
    if path is not None:
        check_writable(path)
    return path


def writable_folder(path: Path | None) -> Path | None:
    """The folder to write, if one is named; an error where it cannot be."""
    if path is not None:
        check_writable(path, folder=True)
    return path


def is_table(path: Path) -> bool:
    """Whether results are written there as a table."""
    return path == STDOUT or path.suffix.lower() in (".csv", ".parquet")


Data = Annotated[
    str,
    typer.Argument(
        help="digits, mnist, fashion-mnist, binarized-mnist (:train, :test); a .npy, .npz or .h5ad file; "
        "a table: .csv, .tsv, .jsonl (and .csv.gz, .bz2, .xz, .zip), .parquet, .feather, .arrow, .xlsx, "
        "or - for csv on stdin; a folder of .parquet shards; or a folder, .zip or .tar of images, with "
        "sub-folders as classes"
    ),
]
ModelPath = Annotated[Path, typer.Argument(help="a run folder or a .safetensors file")]
OutputFile = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        help="file to write: .npy, .npz, .csv, .parquet or .png; - is csv to stdout",
        callback=writable,
    ),
]
RowsFile = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="file to write: .npy, .npz, .csv, .parquet or .png; - is csv to stdout, the default for rows of "
        "a table",
        callback=writable,
    ),
]


class Engine(StrEnum):
    """What computes the blocks of DATA: this process, or those of a Ray cluster."""

    local = "local"
    ray = "ray"


class Products(StrEnum):
    """In which numbers matrices are multiplied; sums are of float32."""

    float32 = "32-true"
    medium = "medium"


EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="ray: blocks of streamed DATA by a Ray cluster, the one of $RAY_ADDRESS"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print only one JSON object on stdout")]
Seed = Annotated[int | None, typer.Option(min=0, help="random seed; default: that of the model")]


@dataclass(frozen=True)
class DataOptions:
    """How DATA is read. Each field is an option of every command that reads DATA."""

    label: Annotated[
        str | None,
        typer.Option(help="the column of labels, stored with the model; in a time series 1 is an anomaly"),
    ] = None
    given_columns: Annotated[
        str | None,
        typer.Option(help="columns that are covariates: the model is conditional on them, e.g. age,batch"),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            help="HEIGHTxWIDTH for the images of a folder, e.g. 64x96; each is scaled and cropped to its "
            "centre. Default: the median size, longer side at most 64; the choice is printed"
        ),
    ] = None
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="leave out images that cannot be read, and list them")
    ] = False
    na: Annotated[
        list[str] | None, typer.Option(help="a further code for a missing cell in a .csv or .tsv")
    ] = None
    buffer: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="stream DATA from disk (.npy, .parquet, images), this many MiB at once; "
            "large DATA is always streamed",
        ),
    ] = None


def data_options(without: Collection[str] = ()) -> Callable[[Verb], Verb]:
    """A decorator: the command gets the options of `DataOptions`, as one object in its parameter `options`.

    `without`: names of the options that do not apply to it.
    """
    hints = get_type_hints(DataOptions, include_extras=True)
    names = [field.name for field in fields(DataOptions) if field.name not in without]

    def decorate(verb: Verb) -> Verb:
        @wraps(verb)
        def command(**arguments: Any) -> None:
            options = DataOptions(**{name: arguments.pop(name) for name in names})
            verb(**arguments, options=options)

        parameters: list[Parameter] = []
        for parameter in signature(verb, eval_str=True).parameters.values():
            if parameter.name == "options":
                kind, default = Parameter.KEYWORD_ONLY, DataOptions()
                parameters += [
                    Parameter(name, kind, default=getattr(default, name), annotation=hints[name])
                    for name in names
                ]
            else:
                parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return decorate


class SpecText(str):
    """A value as text, to be parsed as a spec of the type that its argument takes."""


def read_toml(path: Path | None) -> dict[str, Any]:
    """The values of a TOML file by key, those of a table as "table.key"; strings become SpecText."""
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
    return {key: SpecText(value) if isinstance(value, str) else value for key, value in flat.items()}


def parse_settings(words: Iterable[str]) -> dict[str, Any]:
    """The values of --set, each as text."""
    pairs = (split_assignment(word, "--set", "KEY=VALUE") for word in words)
    return {key: SpecText(value) for key, value in pairs}


def parse_given(words: Iterable[str]) -> dict[str, str]:
    """The values of --given by column."""
    given: dict[str, str] = {}
    for word in words:
        column, value = split_assignment(word, "--given", "COLUMN=VALUE")
        if column in given:
            raise SpecError(f"duplicate column {column!r} in --given: give one value for each")
        given[column] = value
    return given


def split_assignment(word: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not name or not equals:
        raise SpecError(f"{option} takes {form}, not {word!r}")
    return name, value


def unique_names(paths: Iterable[Path]) -> list[str]:
    """Names of models in plots and tables: the folder or file, else the path, with a number if still equal.

    >>> unique_names([Path("runs/a"), Path("b.safetensors")])
    ['a', 'b']
    >>> unique_names([Path("x/a"), Path("y/a"), Path("y/a")])
    ['x/a', 'y/a', 'y/a (2)']
    """
    paths = list(paths)
    names = [path.stem if path.suffix == ".safetensors" else path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    repeats = [names[:i].count(name) + 1 for i, name in enumerate(names)]
    return [name if n == 1 else f"{name} ({n})" for name, n in zip(names, repeats, strict=True)]
