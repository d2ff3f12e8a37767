"""What stands before every request: host, token, size and time of the body, and headers of every answer.

Binding to loopback does not keep other pages out: a name that is made to resolve to 127.0.0.1 reaches the
server from a browser (DNS rebinding), so the Host header is checked, and no answer allows other origins.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from .metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "reparam"
MOST_BYTES = 64 << 20
BODY_SECONDS = 20.0
DRAINED = 0.5
"""The share of `body_seconds` for which a refused body is still read."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """An ASGI application around another.

    `hosts`: the names that the Host header may have; None allows any. `token`: what a client must show, as
    `Authorization: Bearer`, or once as `?token=`, which is traded for a cookie; None asks for nothing.
    """

    def __init__(
        self,
        app: App,
        *,
        token: str | None,
        hosts: Iterable[str] | None,
        metrics: Metrics,
        most_bytes: int = MOST_BYTES,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.app, self.metrics = app, metrics
        self.token = None if token is None else token.encode()
        self.hosts = None if hosts is None else {host.lower() for host in hosts}
        self.most_bytes, self.body_seconds = most_bytes, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.metrics.answered(scope["path"], message["status"])
                held = {name for name, _ in message["headers"]}
                own = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in held]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        if not self.known_host(headers.get(b"host", b"")):
            await refuse(answered, 400, "this Host is not served here: use the address that was printed")
        elif not self.admitted(scope, headers):
            given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
            if scope["method"] == "GET" and self.equal(given.encode()):
                await self.trade(scope, answered)
            else:
                words = "a token is needed: open the address with ?token=, or send Authorization: Bearer"
                await refuse(answered, 401, words, {"www-authenticate": "Bearer"})
        else:
            await self.with_body(scope, headers, receive, answered)

    def known_host(self, host: bytes) -> bool:
        name = host.decode("latin-1").lower()
        name = name.partition("]")[0].lstrip("[") if name.startswith("[") else name.partition(":")[0]
        return self.hosts is None or name in self.hosts

    def equal(self, given: bytes) -> bool:
        return self.token is not None and hmac.compare_digest(self.token, given)

    def admitted(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Whether the client has shown the token; health is told to anyone."""
        if self.token is None or scope["path"] == "/health":
            return True
        kind, _, word = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer" and self.equal(word.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self.equal(cookie.value.encode())

    async def trade(self, scope: Scope, send: Send) -> None:
        """The token of the address for a cookie, and on to the same address without it."""
        assert self.token is not None
        cookie = f"{COOKIE}={self.token.decode()}; HttpOnly; SameSite=Strict; Path=/"
        place = "/" + scope["path"].lstrip("/\\")
        await refuse(send, 303, "", {"location": place, "set-cookie": cookie})

    async def with_body(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Read the body, within the limits of size and time, and hand it on whole."""
        length = headers.get(b"content-length", b"0")
        large = f"the body is larger than {self.most_bytes} bytes: send fewer rows at once"
        held = bytearray()
        refused: tuple[int, str] | None = None
        if length.isdigit() and int(length) > self.most_bytes:
            refused = 413, large
        elif scope["method"] not in ("GET", "HEAD"):
            try:
                async for part in parts_of(receive, self.body_seconds):
                    held += part
                    if len(held) > self.most_bytes:
                        refused = 413, large
                        break
            except TimeoutError:
                refused = 408, "the body did not arrive in time"
            except ConnectionError:
                return
        if refused is not None:
            await refuse(send, *refused, {"connection": "close"}, more=True)
            await drain(receive, self.body_seconds * DRAINED)
            await send({"type": "http.response.body", "body": b""})
            return
        whole = [{"type": "http.request", "body": bytes(held), "more_body": False}]

        async def rest() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, rest, send)


async def refuse(
    send: Send, status: int, words: str, headers: dict[str, str] | None = None, *, more: bool = False
) -> None:
    """An answer without the application: {"error": words}. `more`: its end is sent by the caller."""
    body = json.dumps({"error": words}).encode() if words else b""
    held = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in held.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def parts_of(receive: Receive, seconds: float) -> AsyncIterator[bytes]:
    """A body as it arrives; TimeoutError after so many seconds, ConnectionError where the client leaves."""
    now = asyncio.get_running_loop().time
    end, more = now() + seconds, True
    while more:
        message = await asyncio.wait_for(receive(), end - now())
        if message["type"] != "http.request":
            raise ConnectionError
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def drain(receive: Receive, seconds: float) -> None:
    """Throw away what still arrives of a refused body: if the connection were closed at once, a client that
    is sending would see that in place of the answer."""
    with suppress(TimeoutError, ConnectionError):
        async for _ in parts_of(receive, seconds):
            pass
