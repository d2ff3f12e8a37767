"""`reparam encode`, `decode`, `reconstruct`, `predict` and `impute`: rows in, rows out."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, SpecError
from .arguments import (
    STDOUT,
    Data,
    DataOptions,
    Engine,
    EngineOption,
    ModelPath,
    OutputFile,
    RowsFile,
    Seed,
    data_options,
    is_table,
)
from .output import check_duplicate_columns, rows_file, write_by_block, write_result

if TYPE_CHECKING:
    from .. import Dataset


@data_options(without=["size"])
def encode(
    model: ModelPath,
    data: Data,
    options: DataOptions,
    output: OutputFile = STDOUT,
    engine: EngineOption = Engine.local,
) -> None:
    """Posterior means of each row, beside the row's key."""
    from .load import load_model_and_data

    vae, dataset = load_model_and_data(model, data, options)
    names = [f"z{i + 1}" for i in range(vae.latent_dim_)]
    write_by_block(output, vae, dataset, lambda block: vae.transform(block.X, block.y), names, engine)


def decode(
    model: ModelPath,
    data: Data,
    output: RowsFile = None,
    label: Annotated[
        str | None, typer.Option(help="the class to decode, or the covariates: age=40,batch=B")
    ] = None,
) -> None:
    """Decoded means of codes (n, L); of a table its columns z1 ... zL, as `encode` writes them."""
    from .load import find_class, load_data
    from .run_folder import load_model

    vae = load_model(model)
    output, dataset = rows_file(output, vae), load_data(data, DataOptions())
    codes, names = dataset.X, [f"z{i + 1}" for i in range(vae.latent_dim_)]
    if set(names) <= set(getattr(codes, "columns", ())):
        codes = codes[names]
    write_result(output, vae.inverse_transform(codes, find_class(vae, label)), vae)


@data_options(without=["size"])
def reconstruct(
    model: ModelPath,
    data: Data,
    options: DataOptions,
    output: RowsFile = None,
    as_if: Annotated[
        str | None,
        typer.Option("--as-if", help="decode as if the rows had this class, or covariates: batch=B"),
    ] = None,
) -> None:
    """Decoded means of the posterior means."""
    from .load import find_class, load_model_and_data

    vae, dataset = load_model_and_data(model, data, options)
    other = find_class(vae, as_if, "--as-if")
    write_by_block(
        rows_file(output, vae), vae, dataset, lambda block: vae.reconstruct(block.X, block.y, label=other)
    )


@data_options(without=["size"])
def predict(model: ModelPath, data: Data, options: DataOptions, output: OutputFile = STDOUT) -> None:
    """The most probable class of each row and the probabilities of all, beside the row's key; in an array the
    probabilities alone."""
    from .load import load_model_and_data

    vae, dataset = load_model_and_data(model, data, options)
    if vae.classes_ is None or not hasattr(vae, "predict_proba"):
        cure = "fit with --label COLUMN --set 'labels=Auxiliary(CLASSES)'"
        raise DataError(f"{model} has no classifier; {cure}")
    classes, names = vae.classes_, list(map(str, vae.classes_))
    if is_table(output):
        check_duplicate_columns(["class"], names)

    def predicted(block: "Dataset") -> Any:
        odds = vae.predict_proba(block.X)
        best = {"class": classes[odds.argmax(1)]}
        return best | dict(zip(names, odds.T, strict=True)) if is_table(output) else odds

    write_by_block(output, vae, dataset, predicted, ["class", *names])


@data_options(without=["size"])
def impute(
    model: ModelPath,
    data: Data,
    options: DataOptions,
    output: RowsFile = None,
    draws: Annotated[
        int | None, typer.Option(min=1, help="number of imputations, numbered in a column `draw`")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="importance samples per row")] = 100,
    seed: Seed = None,
    engine: EngineOption = Engine.local,
) -> None:
    """Fill missing cells: the conditional mean or most probable class, or draws."""
    from .load import load_model_and_data

    vae, dataset = load_model_and_data(model, data, options)
    output = rows_file(output, vae)
    if draws is None:
        write_by_block(
            output,
            vae,
            dataset,
            lambda block: vae.impute(block.X, block.y, n_samples=k, random_state=seed),
            engine=engine,
        )
        return
    if dataset.streamed:
        raise SpecError(f"--draws needs all rows in memory and {data} is streamed: leave --draws out")
    check_duplicate_columns(["draw"], getattr(dataset.X, "columns", ()))
    filled = vae.impute(dataset.X, dataset.y, draws=draws, n_samples=k, random_state=seed)
    if hasattr(dataset.X, "columns"):
        import pandas as pd

        write_result(output, pd.concat([frame.assign(draw=i + 1) for i, frame in enumerate(filled)]))
    else:
        if output == STDOUT:
            raise SpecError("--draws of an array are one file each: name a file with -o")
        for i, each in enumerate(filled):
            write_result(output.with_stem(f"{output.stem}-{i + 1}"), each, vae)
