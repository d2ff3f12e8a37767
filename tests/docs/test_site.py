"""The site in a browser without a network: its pages fit, and its search finds (cells do not run here)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import chromium, needs_chromium
from tools.site_in_browser import faults_of, found, served, window

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = [pytest.mark.slow, needs_chromium]
pytest.importorskip("playwright.sync_api")
pytest.importorskip("furo")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = ["-b", "html", "-q", "-D", "nb_execution_mode=off", "-d", folder / "pages", DOCS, folder / "html"]
    subprocess.run([sys.executable, "-m", "sphinx", *map(str, words)], check=True, capture_output=True)
    return folder / "html"


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def test_pages_fit_and_ask_for_nothing(site: Path, browser: Any) -> None:
    assert not list(faults_of(browser, site))


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("anomaly", "do/anomalies.html"),
        ("scvi-batch", "do/single-cells.html"),
        ("IWAE", "api/objectives.html"),
    ],
)
def test_the_search_finds(words: str, page: str, site: Path, browser: Any) -> None:
    said: list[str] = []
    with served(site) as address, window(browser, address, said) as opened:
        assert any(page in address for address in found(opened, address, words))
    assert not said


def test_a_page_that_is_too_wide_or_needs_the_network_is_found(tmp_path: Path, browser: Any) -> None:
    search = '<form><input name="q"></form><ul id="search-results"><li><a href="x">x</a></li></ul>'
    (tmp_path / "index.html").write_text(search)
    assert not list(faults_of(browser, tmp_path))
    (tmp_path / "wide.html").write_text('<div style="width: 900px">x</div>')
    (tmp_path / "far.html").write_text('<img src="https://example.org/x.png">')
    faults = "\n".join(faults_of(browser, tmp_path))
    assert "wide.html, 390 light: is" in faults and "wide.html, 1440" not in faults
    assert "far.html, 1440 dark: asks for https://example.org/x.png" in faults
