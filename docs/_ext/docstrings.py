"""Docstrings as reStructuredText, and cells of commands without the notebook's magic word."""

import re
from typing import Any

import numpy as np
from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

SHELL = "%%bash\n"
LONG = {
    stringify_annotation(kind, "smart"): name
    for kind, name in {ArrayLike: "ArrayLike", np.ndarray[Any, Any]: "ndarray"}.items()
}
"""Types whose definition would stand in signatures in the place of their name."""


def escaped(line: str) -> str:
    """Stars, bars and last underscores mean themselves outside of backticks, as in (n, *E) and log p(x|z)."""
    parts = re.split(r"(`[^`]*`)", line)
    parts[::2] = [re.sub(r"([*|])|(?<=\w)(_)(?!\w)", r"\\\1\2", part) for part in parts[::2]]
    return "".join(parts)


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A list needs an empty line on both sides, and plain characters are no markup; doctests stay."""
    new: list[str] = []
    listed = doctest = False
    for line in lines:
        doctest = line.startswith(">>>") or (doctest and bool(line.strip()))
        item = line.startswith("- ")
        ends = listed and bool(line.strip()) and not item and not line.startswith(" ")
        if ((item and not listed) or ends) and new and new[-1].strip():
            new.append("")
        listed = item or (listed and not ends)
        new.append(line if doctest else escaped(line))
    lines[:] = new


def signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Arrays by name."""

    def short(text: str | None) -> str | None:
        for long, name in LONG.items() if text else ():
            text = text.replace(long, name)
        return text

    return short(arguments), short(result)


def skipped(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Methods that scikit-learn adds for metadata routing are described there."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def shell_cells(app: Sphinx, doctree: nodes.document) -> None:
    for block in doctree.findall(nodes.literal_block):
        text = block.astext()
        if text.startswith(SHELL):
            block.rawsource = text[len(SHELL) :]
            block.children = []
            block += nodes.Text(block.rawsource)
            block["language"] = "bash"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skipped)
    app.connect("doctree-read", shell_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
