"""`reparam export`: a model outside of Python."""

from pathlib import Path
from typing import Annotated

import typer

from .arguments import DataOptions, ModelPath, data_options, writable_file, writable_folder


@data_options(without=["size"])
def export(
    model: ModelPath,
    options: DataOptions,
    data: Annotated[
        str | None, typer.Argument(help="the rows that the page shows; as for `evaluate`")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="folder of ONNX graphs to write", callback=writable_folder),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--html", help="the explorer as one file, for any browser", callback=writable_file),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="also the graph x to log p(x), with fixed noise")
    ] = False,
) -> None:
    """Write ONNX graphs: encoder, decoder and "look" (x to code, reconstruction, log p(x|z), KL), each
    checked against torch on random and extreme rows, and a README that says how to use them. `--html` writes
    a page that works without a server and without a network."""
    from ..errors import SpecError
    from ..export import export_onnx, export_page
    from .load import load_data_for
    from .run_folder import load_model
    from .terminal import note, say

    if output is None and page is None:
        raise SpecError("say what to write: -o FOLDER for ONNX graphs, --html FILE for a page")
    if data is not None and page is None:
        raise SpecError("only a page shows DATA: give --html FILE, or leave DATA out")
    vae = load_model(model)
    if output is not None:
        for path in export_onnx(vae, output, score=score, said=note).files:
            say(path)
    if page is not None:
        dataset = None if data is None else load_data_for(vae, data, options)
        say(export_page(vae, page, dataset, name=model.stem, said=note))
