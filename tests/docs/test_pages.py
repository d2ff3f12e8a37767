"""The sources of the documentation site: no public name is missing, and faults of a built site are found."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import reparam
from tools.check_site import faults

DOCS = Path(__file__).parents[2] / "docs"


DESCRIBED = {
    name: path.name
    for path in sorted((DOCS / "api").glob("*.md"))
    for name in re.findall(r"\.\. (?:auto\w+|py:data):: reparam\.([\w.]+)", path.read_text(encoding="utf-8"))
}
"""The pages of the reference by what they describe, a name or module.name."""
INNER = {"distributions", "plotting.style", "tensors"}
"""Modules of which chapters show the lines that compute a formula, or the colours."""


def test_every_public_name_is_in_the_reference_once() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md")]
    assert sum(text.count(":: reparam.") for text in texts) == len(DESCRIBED)
    top = [name for name in DESCRIBED if "." not in name]
    assert sorted(top) == sorted(reparam.__all__)  # type: ignore[attr-defined]


def test_the_overview_names_what_the_pages_describe() -> None:
    overview = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    for full, page in DESCRIBED.items():
        name = full.rpartition(".")[2]
        assert f"[{name}]({page}#{name.lower()})" in overview, name


def test_what_pages_import_is_in_the_reference() -> None:
    pages = [path.read_text(encoding="utf-8") for path in [DOCS.parent / "README.md", *DOCS.rglob("*.md")]]
    imported = [
        found for page in pages for found in re.findall(r"from reparam\.([\w.]+) import ([\w, ]+)", page)
    ]
    assert imported
    for module, names in imported:
        for name in names.split(","):
            assert module in INNER or f"{module}.{name.strip()}" in DESCRIBED, (module, name)


@pytest.mark.parametrize("full", DESCRIBED)
def test_what_is_described_has_docstrings_of_its_own(full: str) -> None:
    """A class, and each public method and property that it defines itself."""
    module, _, name = f"reparam.{full}".rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if isinstance(found, dict):
        return
    own = found.__dict__ if inspect.isclass(found) else {"__doc__": found.__doc__}
    assert len(own.get("__doc__") or "") > 10
    for method, each in own.items():
        if not method.startswith("_") and (inspect.isfunction(each) or isinstance(each, property)):
            inherited = any(hasattr(base, method) for base in getattr(found, "__mro__", ())[1:])
            assert each.__doc__ or inherited, method


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


def test_what_a_cell_prints_in_pieces_is_joined_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("myst_nb")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    joined = importlib.import_module("streams").joined

    def piece(name: str, text: str) -> dict[str, str]:
        return {"output_type": "stream", "name": name, "text": text}

    picture = {"output_type": "display_data"}
    outputs = [piece("stdout", "two wo"), piece("stderr", "no"), picture, piece("stdout", "rds\n")]
    assert joined(outputs) == [piece("stdout", "two words\n"), piece("stderr", "no"), picture]
    assert outputs[0]["text"] == "two wo"
