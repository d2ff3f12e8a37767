"""`reparam explore` and `reparam serve`: a model in the browser, and over HTTP."""

import secrets
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from .arguments import DataOptions, ModelPath, data_options, unique_names

if TYPE_CHECKING:
    from ..web.answers import Answers
    from ..web.guard import Guard

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
    from ..web.server import create_app, run  # an extra that is missing is said before any work

    answers = answers_of([model, *([compare] if compare else [])], data, options)
    listening, shown = bound(host, port)
    app = create_app(answers, token=(token := token_for(host, token)), hosts=hosts_of(host))
    typer.echo(address := with_token(shown, token))
    if open_page:
        typer.launch(address)
    run(app, listening)


def serve(
    model: ModelPath,
    port: Port = 8731,
    host: Host = "127.0.0.1",
    token: Token = None,
    workers: Annotated[int, typer.Option(min=1, help="processes that answer")] = 1,
) -> None:
    """The model over HTTP, without a page: encode, decode, sample, score, reconstruct, impute."""
    from ..web.server import run, run_processes

    app = interface_of(model, host, token := token_for(host, token), workers)
    listening, shown = bound(host, port)
    typer.echo(f"{with_token(shown, token)}\nreparam: the interface is described at {shown}docs")
    if workers == 1:
        run(app, listening)
    else:
        run_processes(partial(interface_of, model, host, token, workers), listening, workers)


def interface_of(model: Path, host: str, token: str | None, workers: int) -> "Guard":
    """The application of `serve`, in one of so many processes that share the processors."""
    import torch

    from ..web.server import create_app

    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    answers = answers_of([model], None, DataOptions())
    return create_app(answers, page=False, token=token, hosts=hosts_of(host))


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


def hosts_of(host: str) -> list[str] | None:
    """The names that the Host header may have; None allows any."""
    from ..web.guard import LOOPBACK

    return [*LOOPBACK, host] if host in LOOPBACK else None


def token_for(host: str, token: str | None) -> str | None:
    """The token that clients must show; one is made up where others than this machine may ask."""
    return token if token or hosts_of(host) else secrets.token_urlsafe(24)


def with_token(address: str, token: str | None) -> str:
    return f"{address}?token={token}" if token else address


def bound(host: str, port: int) -> tuple[socket.socket, str]:
    """A socket that listens, and its address; DataError where that is not possible."""
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
    return listening, f"http://{'127.0.0.1' if hosts_of(host) else host}:{listening.getsockname()[1]}/"
