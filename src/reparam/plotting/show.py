"""`show(figure)`: a figure with its caption under a notebook's cell, and as a file elsewhere."""

import itertools
import sys
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from .inline_svg import COLOURS, inline_svg
from .style import caption_of, encoded

REM = 6.4
"""Units of the page's font size for an inch."""
_numbers = itertools.count(1)


class Shown:
    """What a notebook shows of a figure: SVG in the colours of its page, where the page has some."""

    def __init__(self, figure: Figure, words: str, number: int) -> None:
        self.figure, self.words, self.number = figure, words, number

    def _repr_html_(self) -> str:
        picture = inline_svg(self.figure, f"figure-{self.number}", self.words)
        for colour, name in COLOURS.items():
            picture = picture.replace(f"var(--{name})", f"var(--{name}, {colour})")
        style = f"width:min(100%, {self.figure.get_figwidth() * REM:.1f}rem); background:var(--figure, #fff)"
        below = f"<figcaption>{escape(self.words)}</figcaption>"
        return f'<figure class="drawn" style="{style}">{picture}{below}</figure>'


def show(figure: Figure, words: str = "") -> Shown | None:
    """Show a figure of `reparam.plotting` with `words` below it, else its own caption.

    In a notebook it stands under the cell that ends with it. Elsewhere it is written to figure-1.png,
    figure-2.png and so on in the current folder, and the name is printed.
    """
    number, words = next(_numbers), words or caption_of(figure)
    if in_notebook():
        return Shown(figure, words, number)
    path = Path(f"figure-{number}.png")
    path.write_bytes(encoded(figure)[1])
    print(f"{path}: {words}" if words else path)
    return None


def in_notebook() -> bool:
    """Whether the cells of a notebook run this process."""
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
