"""32 clients of `reparam serve` on loopback for 30 s, and then as many beside others that misbehave."""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from reparam import VAE, Training, load
from reparam.recipes import recipe

CLIENTS, SECONDS, FAULTY_SECONDS = 32, 30.0, 25.0
TOKEN = "a-token-of-this-run"
VERBS = ("decode", "encode", "score")
WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "wrong token": ({"headers": {"authorization": "Bearer wrong"}, "json": {"z": [[0.0]]}}, 401),
    "NaN": ({"content": b'{"z": [[NaN]]}'}, 422),
    "wrong type": ({"json": {"z": [["text"]]}}, 422),
    "no JSON": ({"content": b"{" * 1000}, 422),
    "body above the limit": ({"content": b" " * (65 << 20)}, 413),
}
"""A fault, the request that has it, and the status that it gets."""


def http() -> None:
    """Prints latencies in milliseconds, the server's memory in MiB, and how wrong requests were answered."""
    data = load("digits")
    vae: VAE = recipe("zeldes").model.set_params(training=Training(epochs=2), random_state=0)
    assert data.y is not None
    vae.fit(data.X[:900], data.y[:900])
    bodies = {
        "decode": {"z": np.zeros((1, vae.latent_dim_)).tolist(), "y": 3},
        "encode": {"x": data.X[:1].tolist()},
        "score": {"x": data.X[:1].tolist()},
    }
    classes = vae.classes_
    assert classes is not None
    bare = {
        "decode": median_of(lambda: vae.inverse_transform(np.zeros((1, vae.latent_dim_)), classes[3:4])),
        "encode": median_of(lambda: (vae.transform(data.X[:1]), vae.predict_proba(data.X[:1]))),
        "score": median_of(lambda: vae.score_samples(data.X[:1])),
    }
    with tempfile.TemporaryDirectory() as folder:
        vae.save(file := Path(folder) / "model.safetensors")
        with running("serve", file, "--token", TOKEN) as (address, process):
            asyncio.run(warm(address, bodies))
            before = resident(process.pid)
            took, statuses, _ = asyncio.run(everybody(address, bodies, SECONDS))
            middle = resident(process.pid)
            _, beside, wrong = asyncio.run(everybody(address, bodies, FAULTY_SECONDS, faults=True))
            after = resident(process.pid)
            alive = process.poll() is None
    print("| verb | requests | a second | median, ms | p99, ms | the call alone, ms |")
    print("|---|---|---|---|---|---|")
    for verb, each in took.items():
        cuts = statistics.quantiles(each, n=100)
        row = (
            len(each),
            round(len(each) / SECONDS),
            f"{cuts[49]:.1f}",
            f"{cuts[98]:.1f}",
            f"{bare[verb]:.1f}",
        )
        print(f"| {verb} |", " | ".join(map(str, row)), "|")
    print(f"\nstatuses: {dict(statuses)}, beside the faulty {dict(beside)}; alive: {alive}")
    print(f"memory: {before} MiB before, {middle} MiB after 32 clients, {after} MiB after the faulty")
    for name, answers in wrong.items():
        wanted = f", wanted {WRONG[name][1]}" if name in WRONG else ""
        print(f"{name}: {dict(answers)}{wanted}")


def median_of(call: Any, times: int = 200) -> float:
    """Milliseconds of a call in this process."""
    each = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        each.append(1000 * (time.perf_counter() - start))
    return statistics.median(each)


@contextmanager
def running(*words: object) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address that a command of `reparam` serves at, and its process."""
    command = [sys.executable, "-m", "reparam", *map(str, words), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+/", process.stdout.readline())
        assert found is not None
        yield found[0], process
    finally:
        process.terminate()
        process.wait(20)


def resident(pid: int) -> int:
    """MiB of memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def client(address: str) -> httpx.AsyncClient:
    held = {"authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(base_url=f"{address}api/v1/", headers=held, timeout=60)


async def warm(address: str, bodies: dict[str, Any]) -> None:
    async with client(address) as one:
        for verb in VERBS:
            (await one.post(verb, json=bodies[verb])).raise_for_status()


async def everybody(
    address: str, bodies: dict[str, Any], seconds: float, *, faults: bool = False
) -> tuple[dict[str, list[float]], Counter[int], dict[str, Counter[Any]]]:
    """Milliseconds by verb, statuses of right requests, and answers to each kind of wrong ones."""
    took: dict[str, list[float]] = {verb: [] for verb in VERBS}
    statuses: Counter[int] = Counter()
    wrong: dict[str, Counter[Any]] = {name: Counter() for name in (*WRONG, "endless body", "slow sender")}
    end = time.monotonic() + seconds

    async def right(i: int) -> None:
        verb = VERBS[i % len(VERBS)]
        async with client(address) as one:
            while time.monotonic() < end:
                start = time.perf_counter()
                statuses[(await one.post(verb, json=bodies[verb])).status_code] += 1
                took[verb].append(1000 * (time.perf_counter() - start))

    async def faulty(name: str, words: Callable[[], dict[str, Any]]) -> None:
        while time.monotonic() < end:
            async with client(address) as one:
                wrong[name][await status_of(one, **words())] += 1
            await asyncio.sleep(0.5)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    async def slow() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.2)

    everyone = [right(i) for i in range(CLIENTS)]
    if faults:
        everyone += [faulty(name, partial(dict, words)) for name, (words, _) in WRONG.items()]
        everyone += [faulty("endless body", lambda: {"content": endless()})]
        everyone += [faulty("slow sender", lambda: {"content": slow()}) for _ in range(8)]
    await asyncio.gather(*everyone)
    return took, statuses, wrong


async def status_of(one: httpx.AsyncClient, **words: Any) -> Any:
    """The status of an answer; "closed" where the server ends the connection while a body is sent."""
    try:
        return (await one.post("decode", **words)).status_code
    except httpx.TransportError:
        return "closed"
