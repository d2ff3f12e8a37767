"""Models go to the hub and come back the same; the hub is a small server on this machine."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("huggingface_hub")

from huggingface_hub import ModelCard

from reparam import VAE, DataError, Training
from reparam.export.hub import write_folder
from tests.web import page_models

COMMIT = "0" * 40


class Hub(ThreadingHTTPServer):
    """Repositories by name: their files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, dict[str, bytes]] = {}
        self.tokens: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.tokens.append(self.headers.get("authorization"))
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
            self.server.repos.setdefault(name, {})
            return self.reply({"url": f"{self.server.address}/{name}"})
        if self.path == "/api/validate-yaml":
            return self.reply({"errors": [], "warnings": []})
        name = "/".join(self.path.split("/")[3:5])
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            plain = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            return self.reply({"files": plain})
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    held = base64.b64decode(line["value"]["content"])
                    self.server.repos[name][line["value"]["path"]] = held
            url = f"{self.server.address}/{name}/commit/{COMMIT}"
            return self.reply({"commitUrl": url, "commitOid": COMMIT, "success": True})
        return self.reply({"error": self.path}, 404)

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api":
            name = "/".join(parts[2:4])
            known = name in self.server.repos
            return self.reply(
                {"id": name, "sha": COMMIT, "siblings": []} if known else {}, 200 if known else 404
            )
        held = self.server.repos.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))
        if held is None:
            return self.reply({"error": "Repository not found"}, 404, {"x-error-code": "RepoNotFound"})
        return self.reply(held, 200, {"etag": '"1"', "x-repo-commit": COMMIT})

    do_HEAD = do_GET

    def reply(self, found: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_model_goes_to_the_hub_and_comes_back(hub: Hub, tmp_path: Path) -> None:
    vae, data = page_models.plane()
    evaluation = vae.evaluate(data.X[:40], k=5)
    address = vae.push_to_hub("someone/digits", evaluation, token="hf_secret", endpoint=hub.address)
    assert address == f"{hub.address}/someone/digits/commit/{COMMIT}"
    files = hub.repos["someone/digits"]
    assert files.keys() == {"model.safetensors", "README.md", "samples.png"}
    assert set(hub.tokens) == {"Bearer hf_secret"} and files["samples.png"][:4] == b"\x89PNG"
    options: dict[str, Any] = {"endpoint": hub.address, "cache_dir": tmp_path, "token": False}
    again = VAE.from_pretrained("someone/digits", **options)
    np.testing.assert_array_equal(again.transform(data.X[:5]), vae.transform(data.X[:5]))
    offline = VAE.from_pretrained("someone/digits", local_files_only=True, **options)
    np.testing.assert_array_equal(offline.transform(data.X[:5]), vae.transform(data.X[:5]))
    with pytest.raises(DataError, match=r"someone/other on the hub: .*404"):
        VAE.from_pretrained("someone/other", **options)


def test_the_card_is_written_from_the_evaluation(tmp_path: Path) -> None:
    vae, data = page_models.digits()
    evaluation = vae.evaluate(data.X[:40], data.y[:40], k=5)
    write_folder(vae, tmp_path, "someone/digits", evaluation)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "reparam" and card.data.widget[0]["output"] == {"url": "samples.png"}
    held = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert held["log_likelihood"] == pytest.approx(evaluation.log_likelihood.mean)
    assert held["accuracy"] == pytest.approx(evaluation.accuracy)
    assert f"| log-likelihood, nats | {evaluation.log_likelihood} |" in card.text
    assert "VAE.from_pretrained('someone/digits')" in card.text and "labels = Auxiliary(" in card.text
    again = VAE.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.predict(data.X[:9]), vae.predict(data.X[:9]))


def test_a_card_of_vectors_has_no_picture(tmp_path: Path) -> None:
    vae = VAE(1, training=Training(epochs=1), random_state=0).fit(np.eye(4))
    write_folder(vae, tmp_path, "mine")
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "README.md"}
    assert "Evaluation" not in (tmp_path / "README.md").read_text(encoding="utf-8")
