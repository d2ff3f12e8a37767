"""pyproject.toml against the code: extras install what is imported, and messages name extras that exist."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

import reparam
from reparam.training.loggers import HOMES
from tools.lowest import lowest, requirements

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SOURCES = [path.read_text(encoding="utf-8") for path in sorted(Path(reparam.__file__).parent.rglob("*.py"))]
NOT_OURS = {"dev", "docs"}
"""What the project is built with, which the library does not import."""
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn"}
"""Where a distribution's import is not its name with underscores."""


@cache
def reached() -> set[str]:
    """The packages that some file of reparam imports, or reaches through Lightning's loggers by name."""
    found = set(HOMES) | {home.partition(".")[0] for home, _ in HOMES.values()}
    for node in (node for source in SOURCES for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def imported_as(requirement: str) -> str:
    name = re.split(r"[<>=!~\[; ]", requirement)[0]
    return IMPORTED_AS.get(name, name.replace("-", "_"))


@pytest.mark.parametrize("extra", [None, *sorted(EXTRAS.keys() - NOT_OURS)])
def test_what_is_installed_is_imported(extra: str | None) -> None:
    names = requirements([extra]) if extra else PROJECT["dependencies"]
    idle = {imported_as(name) for name in names} - reached()
    assert not idle, f"{extra or 'reparam'} installs {sorted(idle)}, which nothing imports"


def test_extras_that_messages_name_exist() -> None:
    texts = [*SOURCES, (ROOT / "README.md").read_text(encoding="utf-8")]
    named = {
        word
        for text in texts
        for found in re.findall(r"reparam\[([\w,]+)\]", text)
        for word in found.split(",")
    }
    for node in (node for source in SOURCES for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "extra":
            assert isinstance(node.args[0], ast.Constant), "the name of an extra is written out"
            named.add(str(node.args[0].value))
    assert {"devices", "polars", "trackers"} <= named <= EXTRAS.keys()


def test_all_holds_every_extra() -> None:
    assert set(requirements(["all"])) == set(requirements(sorted(EXTRAS.keys() - {"all"} - NOT_OURS)))


def test_every_requirement_has_a_lowest_version() -> None:
    versions = lowest(sorted(EXTRAS.keys() - {"dev"}), {"torch": "2.13.0"})
    assert versions["torch"] == "2.13.0" and versions["pandas"] == "2.2.2"
