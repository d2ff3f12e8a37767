"""What stands before every request: host, token, size and time of the body, and headers of every answer.

Binding to loopback does not keep other pages out: a name that is made to resolve to 127.0.0.1 reaches the
server from a browser (DNS rebinding), so the Host header is checked, and no answer allows other origins.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
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
        words = f"the body is larger than {self.most_bytes} bytes: send fewer rows at once"
        if length.isdigit() and int(length) > self.most_bytes:
            await refuse(send, 413, words, {"connection": "close"})
            return
        parts: list[bytes] = []
        size, more = 0, scope["method"] not in ("GET", "HEAD")
        deadline = asyncio.get_running_loop().time() + self.body_seconds
        while more:
            try:
                message = await asyncio.wait_for(receive(), deadline - asyncio.get_running_loop().time())
            except TimeoutError:
                await refuse(send, 408, "the body did not arrive in time", {"connection": "close"})
                return
            if message["type"] != "http.request":
                return
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
            if size > self.most_bytes:
                await refuse(send, 413, words, {"connection": "close"})
                return
        whole = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def rest() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, rest, send)


async def refuse(send: Send, status: int, words: str, headers: dict[str, str] | None = None) -> None:
    """An answer without the application: {"error": words}."""
    body = json.dumps({"error": words}).encode() if words else b""
    held = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in held.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
