"""`reparam explore` and `reparam serve`: a model in the browser, and over HTTP."""

import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from .arguments import DataOptions, ModelPath, data_options, unique_names

if TYPE_CHECKING:
    from ..web.answers import Answers

Port = Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one")]
Host = Annotated[str, typer.Option(help="the address to bind to; any but loopback demands a token")]
Token = Annotated[
    str | None,
    typer.Option(envvar="REPARAM_TOKEN", help="what clients must show; made up where one is needed"),
]


@data_options(without=["size"])
def explore(
    model: ModelPath,
    options: DataOptions,
    data: Annotated[str | None, typer.Argument(help="the rows to show; as for `evaluate`")] = None,
    compare: Annotated[Path | None, typer.Option(help="a second model beside the first")] = None,
    port: Port = 8731,
    host: Host = "127.0.0.1",
    token: Token = None,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="open the browser")] = True,
) -> None:
    """Look inside a model in the browser: its latent map, samples, anomalies and training."""
    from ..web import server  # noqa: F401 (an extra that is missing is said before any work)

    answers = answers_of([model, *([compare] if compare else [])], data, options)
    serve_app(answers, host, port, token, page=True, open_page=open_page)


def serve(
    model: ModelPath,
    port: Port = 8731,
    host: Host = "127.0.0.1",
    token: Token = None,
) -> None:
    """The model over HTTP, without a page: encode, decode, sample, score, reconstruct, impute."""
    from ..web import server  # noqa: F401

    answers = answers_of([model], None, DataOptions())
    serve_app(answers, host, port, token, page=False, open_page=False)


def answers_of(models: list[Path], data: str | None, options: DataOptions) -> "Answers":
    """The answers of one or two models, each with the data in the units that it takes."""
    from ..web.answers import Answers
    from ..web.run_history import RunHistory
    from .load import load_data_for
    from .run_folder import load_model

    vaes = dict(zip(unique_names(models), map(load_model, models), strict=True))
    datasets = None if data is None else [load_data_for(vae, data, options) for vae in vaes.values()]
    run = RunHistory(models[0]) if models[0].is_dir() else None
    return Answers(vaes, datasets, run)


def serve_app(
    answers: "Answers", host: str, port: int, token: str | None, *, page: bool, open_page: bool
) -> None:
    """Serve until interrupted; the address is printed once the port is bound."""
    from ..web.guard import LOOPBACK
    from ..web.server import create_app, run

    local = host in LOOPBACK
    token = token if token or local else secrets.token_urlsafe(24)
    listening = bound(host, port)
    port = listening.getsockname()[1]
    app = create_app(answers, page=page, token=token, hosts=[*LOOPBACK, host] if local else None)
    shown = f"http://{'127.0.0.1' if local else host}:{port}/"
    address = f"{shown}?token={token}" if token else shown
    typer.echo(address if page else f"{address}\nreparam: the interface is described at {shown}docs")
    if open_page:
        typer.launch(address)
    run(app, listening)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at the address; DataError where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named; else they wait 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # who comes before the server is ready waits
    except (OSError, OverflowError) as error:
        listening.close()
        raise DataError(
            f"cannot listen on {host}:{port} ({error}): choose another --port or --host"
        ) from None
    return listening
