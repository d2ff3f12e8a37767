"""`reparam show`, `cite` and `recipes`: descriptions of models, without their weights."""

from pathlib import Path
from typing import Annotated

import typer

from .arguments import AsJson, ModelPath
from .output import column_summary, print_json
from .terminal import say, warn

SHOWN = 200
"""Characters of a value of a newer format that are shown."""


def show(model: ModelPath, as_json: AsJson = False) -> None:
    """The header of a model file; the network is not built."""
    from ..serialization.header import VERSION, file_of, read_header
    from ..training.display import epoch_summary

    header = read_header(file_of(model), newer=True)
    if as_json:
        print_json(header)
        return
    if header["version"] > VERSION:
        warn(f"{model} has format {header['version']}, newer than {VERSION}: update reparam to use it")
        for name, value in header.items():
            say(f"{name[:SHOWN]:>14}  {str(value)[:SHOWN]}")
        return
    rows = list(header["spec"].items())
    if "training" in header:
        rows.append(("stopped after", f"{header['training'].get('epoch')} epochs"))
    rows += [("event", tuple(header.get("event", ())))]
    rows += [("trained on", header.get("trained_on", {}).get("data", "arrays"))]
    rows += [("", line) for line in column_summary(header.get("codec", {}).get("columns", []))]
    if history := header["history"]:
        rows.append(("epochs", f"{len(history)}: {epoch_summary(history[-1])}"))
    for name, value in rows:
        say(f"{name:>14}  {value}")


def cite(model: Annotated[str, typer.Argument(help="a recipe's name, a run folder or a model file")]) -> None:
    """BibTeX entries for the parts of a model."""
    from ..recipes import RECIPES, citation, recipe

    name = model
    if not Path(model).exists():
        recipe(name)
    elif model not in RECIPES:
        from ..serialization.header import file_of, read_header

        name = read_header(file_of(Path(model))).get("trained_on", {}).get("recipe") or ""
    typer.echo(citation(name))


def recipes(as_json: AsJson = False) -> None:
    """The published models by name: source, data and what to expect."""
    from ..recipes import RECIPES

    if as_json:
        fields = ("about", "source", "data", "expect")
        print_json(
            {
                name: {field: getattr(row, field) for field in fields} | {"model": repr(row.model)}
                for name, row in RECIPES.items()
            }
        )
        return
    for name, row in RECIPES.items():
        about = f"  {row.about}\n" if row.about else ""
        typer.echo(f"{name}\n{about}  source: {row.source}\n  data: {row.data}; expect: {row.expect}\n")
