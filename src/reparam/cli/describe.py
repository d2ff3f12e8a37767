"""`reparam show`, `cite` and `recipes`: descriptions of models, without their weights."""

from pathlib import Path
from typing import Annotated

import typer

from .arguments import AsJson, ModelPath
from .output import column_summary, print_json


def show(model: ModelPath, as_json: AsJson = False) -> None:
    """The header of a model file; the network is not built."""
    from ..serialization.header import file_of, read_header
    from ..training.display import epoch_summary

    header = read_header(file_of(model))
    if as_json:
        print_json(header)
        return
    rows = list(header["spec"].items())
    rows += [("event", tuple(header["event"])), ("trained on", header["trained_on"].get("data", "arrays"))]
    rows += [("", line) for line in column_summary(header["codec"].get("columns", []))]
    if history := header["history"]:
        rows.append(("epochs", f"{len(history)}: {epoch_summary(history[-1])}"))
    for name, value in rows:
        typer.echo(f"{name:>14}  {value}")


def cite(model: Annotated[str, typer.Argument(help="a recipe's name, a run folder or a model file")]) -> None:
    """BibTeX entries for the parts of a model."""
    from ..recipes import RECIPES, citation, recipe

    name = model
    if not Path(model).exists():
        recipe(name)
    elif model not in RECIPES:
        from ..serialization.header import file_of, read_header

        name = read_header(file_of(Path(model)))["trained_on"].get("recipe") or ""
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
        typer.echo(
            f"{name}\n  {row.about}\n  source: {row.source}\n  data: {row.data}; expect: {row.expect}\n"
        )
