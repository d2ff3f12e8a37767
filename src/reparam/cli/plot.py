"""`reparam plot`: pictures of one model, or of several side by side."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SpecError
from .arguments import DataOptions, data_options, unique_names, writable_folder
from .terminal import say

if TYPE_CHECKING:
    from .. import VAE, Dataset


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
    from .run_folder import load_model

    if data is None and options != DataOptions():
        raise SpecError("--label, --skip-bad and --na need --data: give --data, or leave them out")
    models = {name: load_model(path) for name, path in zip(unique_names(model), model, strict=True)}
    dataset = None if data is None else coloured_data([*models.values()], data, options)
    for path in model_plots.plot(models, dataset, output):
        say(path)


def coloured_data(models: "list[VAE]", data: str, options: DataOptions) -> "Dataset":
    """DATA with the labels that colour the maps: a column that the model reads as data may do so, too."""
    import pandas as pd

    from .load import load_data_for, model_columns

    vae, label = models[0], options.label
    is_condition = any(each.labels_.observed for each in models)
    if label not in model_columns(vae) or is_condition or vae.window is not None:
        return load_data_for(vae, data, options)
    dataset = load_data_for(vae, data, replace(options, label=None))
    column = pd.concat([block.X[label] for block in dataset.blocks()])
    words = column.dtype.kind not in "iuf"
    return replace(dataset, y=column.to_numpy(object, na_value=None) if words else column.to_numpy())
