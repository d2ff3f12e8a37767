"""Who answers the page in tests, and how it is driven."""

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reparam.web.answers import Answers

from .notebook_host import host_of


@contextmanager
def over_http(answers: Answers) -> Iterator[str]:
    """The address of a server of these answers."""
    app = importlib.import_module("reparam.web.server").create_app(answers)
    with importlib.import_module("tests.web.serving").served(app) as address:
        yield address


@contextmanager
def from_file(answers: Answers) -> Iterator[str]:
    """The address of the exported page of these answers."""
    with tempfile.TemporaryDirectory() as folder:
        written = importlib.import_module("reparam.export.page").write_page(
            answers, Path(folder) / "page.html"
        )
        yield written.as_uri()


@contextmanager
def in_notebook(answers: Answers) -> Iterator[str]:
    """The address of a page that shows the widget of these answers."""
    widget = pytest.importorskip("reparam.web.widget")
    with host_of(widget.Explorer(answers)) as address:
        yield address


ANSWERERS = [
    pytest.param(over_http, id="http"),
    pytest.param(from_file, id="file", marks=pytest.mark.slow),
    pytest.param(in_notebook, id="notebook", marks=pytest.mark.slow),
]
"""Who answers the page: each opens a page of some answers and gives its address."""


def state(page: Any, name: str) -> Any:
    return page.evaluate(f"window.reparam.state.{name}")


def can(page: Any, verb: str) -> bool:
    """Whether the model's answerer knows the verb."""
    return bool(page.evaluate(f"window.reparam.store.can('{verb}')"))


def frame(page: Any, which: int = 0) -> dict[str, float]:
    box: dict[str, float] = page.locator(".frame").nth(which).bounding_box()
    return box


def drag(page: Any, points: list[tuple[float, float]], which: int = 0) -> None:
    """Along points given as shares of a map's frame."""
    box = frame(page, which)
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


LOOP = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
