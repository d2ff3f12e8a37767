"""The server: the public interface gives the estimator's numbers, and the guard lets nothing else in."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from reparam import VAE, Dataset
from reparam.web.answers import Answers
from reparam.web.guard import Guard
from reparam.web.requests import RAW, records_or_lists
from reparam.web.row_format import format_of
from reparam.web.server import create_app
from reparam.web.wire import pack, unpack

from .serving import served

Models = Mapping[str, tuple[VAE, Dataset]]
BASE = "http://127.0.0.1"


def send(app: Guard, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
    """Requests that arrive together."""

    async def every() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            return await asyncio.gather(*(client.request(m, path, **words) for m, path, words in requests))

    return asyncio.run(every())


def post(app: Guard, path: str, **words: Any) -> httpx.Response:
    return send(app, ("POST", path, words))[0]


def get(app: Guard, path: str, **words: Any) -> httpx.Response:
    return send(app, ("GET", path, words))[0]


@pytest.fixture
def app(answers: Answers) -> Guard:
    return create_app(answers, hosts=["127.0.0.1"])


def test_json_and_floats_give_the_estimators_numbers(app: Guard, kind: str, models: Models) -> None:
    vae, dataset = models[kind]
    X, rows = dataset.X[:6], format_of(vae)
    z, scores = vae.transform(X), vae.score_samples(X)
    x = json.loads(json.dumps(records_or_lists(X), default=str).replace("NaN", "null"))
    coded = post(app, "/api/v1/encode", json={"x": x}).json()
    assert np.allclose(coded["mean"], z, atol=1e-6)
    found = post(app, "/api/v1/score", json={"x": x, "cells": True}).json()
    known = ~np.isnan(scores)
    assert np.allclose(np.array(found["log_px"], float)[known], scores[known], atol=1e-5)
    numbers = np.asarray(X, np.float32) if kind in ("digits", "plane") else rows.numbers(X).astype("<f4")
    shape = {"content-type": RAW, "x-shape": ",".join(map(str, numbers.shape))}
    raw = post(app, "/api/v1/encode", content=numbers.tobytes(), headers=shape)
    assert raw.headers["x-shape"] == f"6,{vae.latent_dim_}"
    assert np.allclose(np.frombuffer(raw.content, "<f4").reshape(6, -1), z, atol=1e-4)
    label = None if vae.classes_ is None else 3
    body = {"z": z.tolist()} | ({} if label is None else {"y": label})
    decoded = post(app, "/api/v1/decode", json=body).json()["x"]
    assert len(decoded) == 6
    if kind != "table":
        assert np.allclose(decoded, vae.inverse_transform(z, label), atol=1e-5)
    drawn = post(app, "/api/v1/sample", json={"n": 3, "seed": 1}).json()["x"]
    again = json.loads(json.dumps(records_or_lists(vae.sample(3, random_state=1)), default=str))
    assert drawn == again


def test_requests_that_arrive_together_are_one_pass(models: Models) -> None:
    vae, dataset = models["plane"]
    app = create_app(Answers({"m": vae}, dataset))
    each = [("POST", "/api/v1/score", {"json": {"x": dataset.X[i : i + 2].tolist()}}) for i in range(8)]
    wrong = ("POST", "/api/v1/score", {"json": {"x": [[1.0]]}})
    *found, failed = send(app, *each, wrong)
    scores = vae.score_samples(dataset.X[:9])
    for i, response in enumerate(found):
        assert response.json()["log_px"] == pytest.approx(scores[i : i + 2], abs=1e-5)
    assert failed.status_code == 422 and "8 features" in failed.json()["error"]
    passes = int(get(app, "/metrics").text.split("\nreparam_passes_total ")[1].split()[0])
    assert passes < len(each)


def test_the_page_asks_in_bytes(app: Guard, answers: Answers) -> None:
    blob = pack({}, {"n": 3, "seed": 0})
    found = post(app, "/api/v1/ask/sample", content=blob)
    assert found.content == answers.ask_bytes(blob, "sample")
    assert "script-src 'self'" in found.headers["content-security-policy"]
    assert unpack(found.content)[0]["z"].shape[0] == 3
    assert post(app, "/api/v1/ask/fly", content=blob).status_code == 422
    assert get(app, "/").headers["content-type"].startswith("text/html")
    assert "event: end" in get(app, "/api/v1/events").text


def test_everything_is_described_without_a_network(app: Guard) -> None:
    assert set(get(app, "/api/v1/openapi.json").json()["paths"]) >= {"/api/v1/encode", "/api/v1/model"}
    assert "<code>POST /api/v1/encode</code>" in (page := get(app, "/docs").text) and "<script" not in page
    assert get(app, "/health").json()["status"] == "ok"
    assert get(app, "/api/v1/model").json()["latent_dim"] > 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "object"),
        (b"{}", "list of 1 to"),
        (b'{"x": [[NaN]]}', "features|NaN|shape"),
        (b'{"x": [["a"]]}', "lists of numbers"),
        (b'{"x": [[[1, 2], [3]]]}', "unequal length"),
        (b'{"x": [[1]], "k": 3}', "takes x, y"),
        (b'{"x": [[1]], "y": 3}', "no labels"),
    ],
)
def test_wrong_bodies_are_told_so(models: Models, body: bytes, words: str) -> None:
    app = create_app(Answers({"m": models["plane"][0]}))
    found = post(app, "/api/v1/encode", content=body)
    assert found.status_code == 422
    assert any(each in found.json()["error"] for each in words.split("|"))


def test_the_guard(models: Models) -> None:
    answers = Answers({"m": models["plane"][0]})
    app = create_app(answers, token="secret", hosts=["127.0.0.1"], most_bytes=1000, body_seconds=0.2)
    assert get(app, "/", headers={"host": "evil.example"}).status_code == 400
    for words in ({}, {"authorization": "Bearer wrong"}, {"cookie": "reparam=wrong"}):
        assert get(app, "/api/v1/model", headers=words).status_code == 401
    assert get(app, "/?token=wrong").status_code == 401
    traded = get(app, "/?token=secret")
    assert traded.status_code == 303 and traded.headers["location"] == "/"
    assert "HttpOnly; SameSite=Strict" in traded.headers["set-cookie"]
    bearer = {"authorization": "Bearer secret"}
    for words in (bearer, {"cookie": "reparam=secret"}):
        assert get(app, "/api/v1/model", headers=words).status_code == 200
    assert get(app, "/health").status_code == 200
    assert "access-control-allow-origin" not in get(app, "/", headers=bearer | {"origin": "null"}).headers
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd"):
        assert get(app, path, headers=bearer).status_code == 404

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 300

    assert post(app, "/api/v1/encode", content=b"x" * 1001, headers=bearer).status_code == 413
    assert post(app, "/api/v1/encode", content=endless(), headers=bearer).status_code == 413

    async def slow(message: dict[str, Any]) -> None:
        sent.append(message)

    async def never() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    sent: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/api/v1/encode", "query_string": b""}
    headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer secret")]
    asyncio.run(app({**scope, "headers": headers}, never, slow))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


def test_a_full_queue_and_a_late_answer(models: Models) -> None:
    vae, dataset = models["plane"]
    request = ("POST", "/api/v1/score", {"json": {"x": dataset.X[:1].tolist()}})
    full = create_app(Answers({"m": vae}), waiting=1)
    assert {response.status_code for response in send(full, *[request] * 12)} == {200, 503}
    late = create_app(Answers({"m": vae}), seconds=0)
    assert send(late, request)[0].status_code == 504


def test_codes_beyond_float32_are_told_so(models: Models) -> None:
    app = create_app(Answers({"m": models["plane"][0]}))
    found = post(app, "/api/v1/decode", json={"z": [[1e135, 0.0]]})
    assert found.status_code == 422 and "above 3e38" in found.json()["error"]


def test_covariates_are_records_beside_the_rows() -> None:
    from tests.web.page_models import conditional

    (vae, data), path = conditional(), "/api/v1/score"
    app = create_app(Answers({"m": vae}, data), hosts=["127.0.0.1"])
    x, y = records_or_lists(data.X[:3]), records_or_lists(data.y[:3])
    scores = vae.score_samples(data.X[:3], data.y[:3])
    each = send(app, *(("POST", path, {"json": {"x": x[i : i + 1], "y": y[i]}}) for i in range(3)))
    together = post(app, path, json={"x": x, "y": y}).json()["log_px"]
    for found in (together, [answer.json()["log_px"][0] for answer in each]):
        assert found == pytest.approx(scores, rel=1e-5)
    for wrong, words in (
        ({"age": 3.0}, "y takes age, sex: 'sex' is lacking or none of them"),
        ("f", "y takes a record with age, sex"),
        ({"age": "old", "sex": "f"}, "covariate 'age' is a finite number, not 'old'"),
        ({"age": [1], "sex": "f"}, "a covariate takes a number"),
    ):
        answer = post(app, path, json={"x": x[:1], "y": wrong})
        assert answer.status_code == 422 and words in answer.json()["error"]


def test_a_client_that_sends_too_much_reads_why(models: Models) -> None:
    """Over a real connection, which is not closed before the answer is read."""
    app = create_app(Answers({"m": models["plane"][0]}), most_bytes=1 << 20)
    with served(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        for content in (b" " * (8 << 20), (b" " * (1 << 16) for _ in range(128))):
            answer = client.post("/api/v1/encode", content=content)
            assert answer.status_code == 413 and "send fewer rows" in answer.json()["error"]


@pytest.mark.slow
def test_several_processes_answer_and_one_that_dies_is_replaced(models: Models, tmp_path: Path) -> None:
    models["plane"][0].save(model := tmp_path / "model.safetensors")
    command = [sys.executable, "-m", "reparam", "serve", str(model), "--port", "0", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            with httpx.Client(base_url=address, timeout=120, headers={"connection": "close"}) as client:
                z = {"z": [[0.0, 0.0]]}
                assert client.post("/api/v1/decode", json=z).status_code == 200
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                before = children.read_text().split()
                os.kill(int(before[-1]), signal.SIGKILL)
                while len({*children.read_text().split(), *before}) == len(before):
                    assert client.post("/api/v1/decode", json=z).status_code == 200
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
