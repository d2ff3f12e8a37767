"""A real browser for tests, and what tests ask of a page in it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium")
DRIVER = "GL Driver Message"
"""Remarks of the graphics driver on speed, which are no errors of the page."""


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, faults: list[str], **options: Any) -> Iterator[Any]:
    """An empty page; what it says of errors is appended to `faults`."""
    context = browser.new_context(
        **{"viewport": {"width": 1100, "height": 800}, "reduced_motion": "reduce"} | options
    )
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: note(faults, said))
    yield page
    context.close()


def note(faults: list[str], said: Any) -> None:
    if said.type == "error" and DRIVER not in said.text:
        faults.append(said.text)


def until(page: Any, condition: str, seconds: float = 40.0) -> None:
    """Waits from outside: the page's policy forbids the evaluation of text inside of it."""
    end = time.monotonic() + seconds
    while not page.evaluate(
        f"(() => {{ const s = window.reparam?.state; return Boolean(s && ({condition})); }})()"
    ):
        assert time.monotonic() < end, condition
        time.sleep(0.03)
