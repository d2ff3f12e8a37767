"""The lowest versions that pyproject.toml allows, one `name==version` a line, for `make test-lowest`.

python tools/lowest.py EXTRA ... [NAME==VERSION ...]: those of the dependencies and of the named extras. A
NAME==VERSION takes the place of that package's bound. A requirement without a lower bound is an error.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def canonical(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(extras: list[str]) -> Iterator[str]:
    """The dependencies and those of some extras; `reparam[a,b]` stands for those of a and b."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    yield from project["dependencies"]
    waiting, seen = list(extras), set[str]()
    while waiting:
        extra = waiting.pop(0)
        if extra not in project["optional-dependencies"]:
            raise SystemExit(f"pyproject.toml has no extra {extra!r}")
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in project["optional-dependencies"][extra]:
            if match := re.fullmatch(rf"{project['name']}\[(.+)\]", requirement):
                waiting += match[1].replace(" ", "").split(",")
            else:
                yield requirement


def lowest(extras: list[str], said: dict[str, str]) -> dict[str, str]:
    """Each package with its lowest version; where two requirements differ, the higher one."""
    found: dict[str, str] = {}
    for requirement in requirements(extras):
        match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9.]+)", requirement)
        if not match:
            raise SystemExit(f"{requirement!r} in pyproject.toml needs a lower bound: name>=version")
        name, version = canonical(match[1]), match[2]
        found[name] = max(found.get(name, version), version, key=lambda v: [int(n) for n in v.split(".")])
    return found | said


def main(words: list[str]) -> None:
    pairs = [word.split("==") for word in words if "==" in word]
    said = {canonical(name): version for name, version in pairs}
    for name, version in sorted(lowest([word for word in words if "==" not in word], said).items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main(sys.argv[1:])
