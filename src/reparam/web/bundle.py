"""The modules of the page as one text, for a page without a server and for a notebook.

A module becomes a function that returns what it exports; of the page's own modules, whose imports stand on
one line each and name what they take, and whose exports are declarations.
"""

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
IMPORT = re.compile(r'^import \{ ([^}]+) \} from "([^"]+)";$', re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.M)
LIST = re.compile(r"export\s*\{([^}]+)\};?\s*$")


def bundle(entry: str) -> str:
    """The text of one module that does what the module `entry` of the page does."""
    order: list[Path] = []
    visit((STATIC / entry).resolve(), order, ())
    names = {path: f"module{i}" for i, path in enumerate(order)}
    *others, last = order
    parts = [f"const {names[path]} = (() => {{\n{closed(path, names)}}})();\n" for path in others]
    return "".join(parts) + taken(last.read_text(encoding="utf-8"), last, names)


def visit(path: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    """Append a module behind all that it imports."""
    if path in above:
        raise ValueError(f"modules import one another in a circle: {path.name}")
    if path not in order:
        for _, other in IMPORT.findall(path.read_text(encoding="utf-8")):
            visit((path.parent / other).resolve(), order, (*above, path))
        order.append(path)


def taken(text: str, path: Path, names: dict[Path, str]) -> str:
    """A module with its imports taken from the functions above."""

    def take(found: re.Match[str]) -> str:
        return f"const {{ {found[1].replace(' as ', ': ')} }} = {names[(path.parent / found[2]).resolve()]};"

    return IMPORT.sub(take, text)


def closed(path: Path, names: dict[Path, str]) -> str:
    """A module as the body of a function."""
    text = taken(path.read_text(encoding="utf-8"), path, names)
    if listed := LIST.search(text):
        given = [pair.strip().split(" as ") for pair in listed[1].split(",")]
        return f"{text[: listed.start()]}\nreturn {{ {', '.join(f'{p[-1]}: {p[0]}' for p in given)} }};\n"
    return f"{EXPORT.sub('', text)}return {{ {', '.join(EXPORT.findall(text))} }};\n"
