"""`reparam export`: a model outside of Python."""

from pathlib import Path
from typing import Annotated

import typer

from .arguments import ModelPath


def export(
    model: ModelPath,
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to write")],
    score: Annotated[
        bool, typer.Option("--score", help="also the graph x to log p(x), with fixed noise")
    ] = False,
) -> None:
    """Write ONNX graphs: encoder, decoder and "look" (x to code, reconstruction, log p(x|z), KL), each
    checked against torch on random and extreme rows, and a README that says how to use them."""
    from ..export.onnx import export_onnx
    from .run_folder import load_model
    from .terminal import note, say

    for path in export_onnx(load_model(model), output, score=score, said=note).files:
        say(path)
