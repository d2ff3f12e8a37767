"""`reparam sample`: new data."""

from typing import Annotated

import typer

from .arguments import ModelPath, RowsFile, Seed, parse_given
from .output import rows_file, write_result


def sample(
    model: ModelPath,
    output: RowsFile = None,
    n: Annotated[int, typer.Option("-n", min=1, help="number of rows")] = 64,
    label: Annotated[
        str | None, typer.Option(help="the class to draw, or the covariates: age=40,batch=B")
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="for images too, draw x ~ p(x|z), not its mean")
    ] = False,
    given: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE, e.g. sex=Female")] = None,
    missing: Annotated[
        bool, typer.Option(help="leave cells of a table empty as often as the training data do")
    ] = True,
    seed: Seed = None,
) -> None:
    """New data: images show the mean of p(x|z), other files hold samples."""
    from .load import find_class
    from .run_folder import load_model

    vae, known = load_model(model), parse_given(given or [])
    output = rows_file(output, vae)
    mean = output.suffix.lower() == ".png" and not draw
    words = {"label": find_class(vae, label), "mean": mean, "given": known, "missing": missing}
    rows = vae.sample(n, **words, random_state=seed)
    write_result(output, rows, vae)
