"""The sources of the documentation site: no public name is missing, and faults of a built site are found."""

import re
from pathlib import Path

import pytest

import reparam
from tools.check_site import faults

DOCS = Path(__file__).parents[2] / "docs"


def test_every_public_name_is_in_the_reference_once() -> None:
    pages = [path.read_text(encoding="utf-8") for path in sorted((DOCS / "api").glob("*.md"))]
    described = [name for page in pages for name in re.findall(r"\.\. auto\w+:: reparam\.(\w+)", page)]
    assert sorted(described) == sorted(reparam.__all__)  # type: ignore[attr-defined]


def test_the_overview_names_what_the_pages_describe() -> None:
    overview = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    for page in sorted((DOCS / "api").glob("*.md")):
        for name in re.findall(r"\.\. auto\w+:: reparam\.(\w+)", page.read_text(encoding="utf-8")):
            assert f"[{name}]({page.name}#{name.lower()})" in overview, name


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a href="gone.html">x</a>', "gone.html is not there"),
        ('<a href="search.html#gone">x</a>', "search.html#gone has no such place"),
        ('<script src="https://example.org/x.js"></script>', "needs the network"),
        ('<img src="gone.png">', "gone.png is not there"),
    ],
)
def test_a_fault_of_a_site_is_found(tmp_path: Path, body: str, said: str) -> None:
    for name in ("search.html", "searchindex.js"):
        (tmp_path / name).write_text("<p>")
    (tmp_path / "index.html").write_text(
        '<p id="here"><a href="#here">x</a><a href="https://example.org">y</a>'
    )
    assert not list(faults(tmp_path))
    (tmp_path / "other.html").write_text(body)
    assert [fault for fault in faults(tmp_path) if said in fault]
