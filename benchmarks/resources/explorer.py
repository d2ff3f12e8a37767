"""The explorer in a browser: from the command to a decoded picture, and a map of a million codes."""

import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reparam import MLP, VAE, Training, load
from reparam.recipes import recipe

from .http import running

ROUNDS, MOVES, CODES = 5, 60, 1_000_000
WINDOW = {"width": 1440, "height": 900}


def explorer() -> None:
    """Prints seconds, and milliseconds from the pointer to the picture."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        newcomer(browser, Path(folder))
        for width in (2, 10):
            million(browser, Path(folder), width)


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def newcomer(browser: Any, folder: Path) -> None:
    """From `reparam explore MODEL digits:test` to a decoded digit under the pointer, and then its moves."""
    data = load("digits")
    vae: VAE = recipe("zeldes").model.set_params(training=Training(epochs=5), random_state=0)
    vae.fit(data.X, data.y).save(file := folder / "digits.safetensors")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with running("explore", file, "digits:test", "--no-open") as (address, _), opened(browser) as page:
            printed = time.perf_counter() - began
            page.goto(address)
            page.locator(".frame").wait_for()
            box = page.locator(".frame").bounding_box()
            page.mouse.move(box["x"] + 6, box["y"] + 40)
            page.locator(".tip:not([hidden]) .picture").wait_for()
            total = time.perf_counter() - began
            each = sorted(decodes(page, box))
            print(
                f"the address after {printed:.2f} s, a picture after {total:.2f} s; from the pointer to the "
                f"picture {statistics.median(each):.0f} ms, 95 % below {each[int(0.95 * len(each))]:.0f} ms"
            )


def decodes(page: Any, box: dict[str, float]) -> Iterator[float]:
    """Milliseconds from a move of the pointer over empty space to the picture."""
    for i in range(MOVES):
        page.evaluate("window.reparam.state.lastDecodeMs = 0")
        page.mouse.move(box["x"] + 6 + i % 40, box["y"] + 30 + i)
        until(page, "s.lastDecodeMs > 0 || s.hover?.index >= 0")
        if page.evaluate("!(window.reparam.state.hover?.index >= 0)"):
            yield page.evaluate("window.reparam.state.lastDecodeMs")


def million(browser: Any, folder: Path, width: int) -> None:
    """A map of CODES codes of so many numbers: rows about eight centres, 20 numbers each, with classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 8, CODES)
    X = (rng.normal(0, 3, (8, 20))[y] + rng.normal(0, 0.6, (CODES, 20))).astype(np.float32)
    np.savez(data := folder / "rows.npz", X=X, y=y)
    vae = VAE(width, encoder=MLP((64,)), training=Training(epochs=3), random_state=0).fit(X[:20_000])
    vae.save(file := folder / "rows.safetensors")
    print(f"\n{CODES:,} codes of {width} numbers")
    with running("explore", file, data, "--no-open") as (address, _), opened(browser) as page:
        steps = Steps(page)
        page.goto(f"{address}#colour=class&layers=")
        until(page, "s.ready")
        steps.took("until all are on the map")
        box = page.locator(".frame").bounding_box()
        for i in range(60):
            page.mouse.move(
                box["x"] + box["width"] * (0.2 + i / 100), box["y"] + box["height"] * (0.3 + i / 140)
            )
            if page.evaluate("window.reparam.state.hover?.index >= 0"):
                break
        page.locator(".tip:not([hidden]) .picture").wait_for()
        steps.took("until the first datum under the pointer")
        each = sorted(decodes(page, box))
        print(f"from the pointer to the picture: {statistics.median(each):.0f} ms (median of {len(each)})")
        page.get_by_role("button", name="Lasso", exact=True).click()
        steps.took()
        for i in range(31):
            at = 2 * math.pi * i / 30
            page.mouse.move(
                box["x"] + box["width"] * (0.5 - 0.2 * math.cos(at)),
                box["y"] + box["height"] * (0.5 - 0.2 * math.sin(at)),
            )
            if i == 0:
                page.mouse.down()
        page.mouse.up()
        until(page, "s.selection.length > 0")
        steps.took(f"lasso about {page.evaluate('window.reparam.state.selection.length'):,} of them")
        page.keyboard.press("Escape")
        page.get_by_label("Colour by").select_option(label="x1")
        page.locator(".ramp").wait_for()
        steps.took("another colour")
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.wheel(0, -100)
        steps.took()
        for _ in range(10):
            page.mouse.wheel(0, -20)
            steps.frame()
        steps.took("ten steps of zoom")


class Steps:
    """Prints what each step took, until its frame is drawn."""

    def __init__(self, page: Any) -> None:
        self.page, self.since = page, time.perf_counter()

    def frame(self) -> None:
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def took(self, name: str | None = None) -> None:
        self.frame()
        now = time.perf_counter()
        if name is not None:
            print(f"{name}: {now - self.since:.2f} s")
        self.since = now


@contextmanager
def opened(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=WINDOW)
    yield context.new_page()
    context.close()


def until(page: Any, condition: str, seconds: float = 600.0) -> None:
    """Waits until a condition on the page's state `s` holds."""
    end = time.monotonic() + seconds
    asked = f"(() => {{ const s = window.reparam?.state; return Boolean(s && ({condition})); }})()"
    while not page.evaluate(asked):
        assert time.monotonic() < end, condition
        time.sleep(0.005)
