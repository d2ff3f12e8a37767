"""A page that shows a widget as a notebook does, with messages over HTTP in the place of a kernel's."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = """<!doctype html><html lang="en"><title>a notebook</title><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">
<body style="margin: 0"><div id="cell"></div><script type="module">
import widget from "./widget.js";
const heard = new Set();
const held = { height: 480, selection: [] };
const model = {
  get: (name) => held[name],
  set: (name, value) => { held[name] = value; },
  save_changes: () => fetch("changes", { method: "POST", body: JSON.stringify(held) }),
  on: (event, f) => event === "msg:custom" && heard.add(f),
  off: (event, f) => heard.delete(f),
  async send(content, callbacks, buffers) {
    const reply = await fetch("message", { method: "POST", headers: { "x-content": JSON.stringify(content) }, body: buffers[0] });
    const said = JSON.parse(decodeURIComponent(reply.headers.get("x-content")));
    const body = await reply.arrayBuffer();
    for (const f of heard) f(said, body.byteLength ? [new DataView(body)] : []);
  },
};
widget.render({ model, el: document.getElementById("cell") });
const state = () => window.reparam.state;
while (!state().ready) await new Promise((done) => setTimeout(done, 20));
window.reparam.store.set(window.reparam.store.fromHash());
</script>"""  # noqa: E501


@contextmanager
def host_of(widget: Any) -> Iterator[str]:
    """The address of a page that shows the widget."""
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            texts = {"": (PAGE, "text/html"), "widget.js": (widget._esm, "text/javascript")}
            text, kind = texts.get(name, (widget._css, "text/css"))
            self.reply(str(text).encode(), {"content-type": kind})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/changes":
                widget.selection = json.loads(body)["selection"]
                return self.reply(b"", {})
            said: list[Any] = []
            with one_at_a_time:
                widget.send = lambda content, buffers=None: said.append((content, buffers))
                widget._handle_custom_msg(json.loads(self.headers["x-content"]), [memoryview(body)])
            content, buffers = said[0]
            return self.reply(buffers[0] if buffers else b"", {"x-content": json.dumps(content)})

        def reply(self, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
