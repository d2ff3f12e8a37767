"""The HTTP server: the page, its questions, and the public interface."""

import asyncio
import mimetypes
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import extra
from .answers import Answers
from .dispatcher import Dispatcher, failure_of
from .guard import BODY_SECONDS, MOST_BYTES, Guard
from .wire import MEDIA, to_json
from .workers import SECONDS, WAITING

with extra("web", "this command"):
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
    from fastapi.staticfiles import StaticFiles

    from .public import add_public

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
"""Types that a browser insists on, and some systems do not know."""
POLL = 0.5
"""Seconds between two looks at a history."""


def create_app(
    answers: Answers,
    *,
    page: bool = True,
    token: str | None = None,
    hosts: list[str] | None = None,
    most_bytes: int = MOST_BYTES,
    body_seconds: float = BODY_SECONDS,
    waiting: int = WAITING,
    seconds: float = SECONDS,
) -> Guard:
    """The ASGI application: with the `page`, or the interface alone. For the other arguments see `Guard` and
    `Worker`."""
    dispatcher = Dispatcher(answers, waiting, seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        dispatcher.close()

    app = FastAPI(
        title="reparam",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok", "version": __version__}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> str:
        """Figures in the text format of Prometheus."""
        return dispatcher.metrics_text()

    add_public(app, dispatcher)
    if page:
        add_page(app, dispatcher)
    return Guard(
        app,
        token=token,
        hosts=hosts,
        metrics=dispatcher.metrics,
        most_bytes=most_bytes,
        body_seconds=body_seconds,
    )


def add_page(app: FastAPI, dispatcher: Dispatcher) -> None:
    """The page, its questions, and its events."""

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    for ending, kind in TYPES.items():
        mimetypes.add_type(kind, ending)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.post("/api/v1/ask/{verb}", include_in_schema=False)
    async def ask(verb: str, request: Request) -> Response:
        try:
            return Response(await dispatcher.ask_bytes(verb, await request.body()), media_type=MEDIA)
        except Exception as error:
            status, words, headers = failure_of(error)
            return JSONResponse({"error": words}, status, headers)

    @app.get("/api/v1/events", include_in_schema=False)
    async def events(request: Request) -> StreamingResponse:
        return StreamingResponse(progress(dispatcher.answers, request), media_type="text/event-stream")


async def progress(answers: Answers, request: Request) -> AsyncIterator[str]:
    """Server-sent events `progress`, one a row of history, while the run is written, and then `end`."""
    sent = 0
    while answers.run is not None and not await request.is_disconnected():
        running, rows = answers.running, answers.run.rows(sent)
        for row in rows:
            yield f"event: progress\nid: {sent}\ndata: {to_json(row)}\n\n"
            sent += 1
        if not running:
            break
        yield ": waiting\n\n"
        await asyncio.sleep(POLL)
    yield "event: end\ndata: {}\n\n"


SETTINGS: dict[str, Any] = {"log_level": "warning", "server_header": False, "timeout_keep_alive": 15}


def run(app: Guard, listening: socket.socket) -> None:
    """Serve on a bound socket until interrupted."""
    uvicorn.Server(uvicorn.Config(app, **SETTINGS)).run(sockets=[listening])


def run_processes(make: Callable[[], Guard], listening: socket.socket, processes: int) -> None:
    """As `run`, in several processes that each call `make`, a function of a module or a partial of one; a
    process that dies is replaced."""
    from uvicorn.supervisors import Multiprocess

    config = uvicorn.Config(make, factory=True, workers=processes, timeout_worker_healthcheck=60, **SETTINGS)
    Multiprocess(config, [listening]).run()
