"""`reparam plot`: pictures of one model, or of several side by side."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import SpecError
from .arguments import DataOptions, data_options, unique_names, writable_folder
from .terminal import say


@data_options(without=["size", "buffer"])
def plot(
    model: Annotated[list[Path], typer.Argument(help="one or more models")],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to write", callback=writable_folder)],
    options: DataOptions,
    data: Annotated[str | None, typer.Option(help="data for maps and reconstructions")] = None,
) -> None:
    """Losses, latent map, samples by epoch, manifold, traversals (.png and .gif), interpolation; of a table
    marginals, correlations, scores and its strangest cells; several models side by side."""
    from ..plotting import model_plots
    from .load import load_data_for
    from .run_folder import load_model

    if data is None and options != DataOptions():
        raise SpecError("--label, --skip-bad and --na need --data: give --data, or leave them out")
    models = {name: load_model(path) for name, path in zip(unique_names(model), model, strict=True)}
    dataset = None if data is None else load_data_for(next(iter(models.values())), data, options)
    for path in model_plots.plot(models, dataset, output):
        say(path)
