"""A real server for tests, on loopback."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from reparam.web.guard import Guard


@contextmanager
def served(app: Guard) -> Iterator[str]:
    """The address of an application."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
