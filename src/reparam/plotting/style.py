"""What all figures share: sizes, colours, plain axes, captions, and the bytes of a file.

Only matplotlib's object interface is used: nothing is shown, no global state changes, and threads are safe.
A figure's caption says in one phrase what is shown; it is the title in a file and stands under the picture
on a page (`inline_svg.py`).

>>> figure = empty(4, 3)
>>> finish(figure.add_subplot(), "rate by epoch", "epoch", "nats")
>>> caption(figure, "rate by epoch")
>>> figure.get_label()
'rate by epoch'
"""

import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
DPI = 150  # dots an inch
FRAME = 90  # milliseconds
TITLE, LABEL, TICK = 10, 9, 8  # font sizes in points
INK, FAINT, BLUE, ORANGE = "#333333", "#c8c8c8", "#2f7fc8", "#d9730d"
LETTERS = 12.5  # letters of a title an inch


class Animation(NamedTuple):
    """An animated plot."""

    frames: Sequence[Image.Image]


def encoded(drawn: Figure | Animation) -> tuple[str, bytes]:
    """The file extension, png or gif, and the bytes."""
    buffer = io.BytesIO()
    if isinstance(drawn, Animation):
        first, *rest = drawn.frames
        first.save(buffer, format="gif", save_all=True, append_images=rest, duration=FRAME, loop=0)
        return "gif", buffer.getvalue()
    drawn.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.1)
    return "png", buffer.getvalue()


def empty(width: float, height: float) -> Figure:
    """Inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07))


def caption(figure: Figure, words: str) -> None:
    """Say what the figure shows, without drawing it; a figure of one panel has it as its title."""
    figure.set_label(words)


def caption_of(figure: Figure) -> str:
    return str(figure.get_label())


def headed(figure: Figure, words: str) -> None:
    """The caption above several panels."""
    caption(figure, words)
    figure.suptitle(_wrapped(figure, words), x=0.012, ha="left", fontsize=TITLE, color=INK)


def finish(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Set title, labels and plain style."""
    plain(axes)
    titled(axes, title, x, y)


def titled(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Title and labels; the title of a figure's only panel is wrapped at the figure's width."""
    figure, place = axes.get_figure(root=True), axes.get_subplotspec()
    if figure is not None and place is not None and place.get_gridspec().get_geometry() == (1, 1):
        title = _wrapped(figure, title)
    axes.set_title(title, loc="left", fontsize=TITLE, color=INK)
    axes.set_xlabel(x, fontsize=LABEL, color=INK)
    axes.set_ylabel(y, fontsize=LABEL, color=INK)


def _wrapped(figure: Figure, words: str) -> str:
    return textwrap.fill(words, int(max(figure.get_figwidth(), 2) * LETTERS))


def plain(axes: Axes) -> None:
    """Thin grey spines on two sides and small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.8)
    axes.tick_params(length=3, width=0.8, color=FAINT, labelsize=TICK, labelcolor=INK)


def grid(axes: Axes) -> None:
    """Thin horizontal lines."""
    axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)


def shape(n: int) -> tuple[int, int]:
    """Rows and columns for n panels."""
    columns = max(n, 1) if n <= 3 else min(4, -(-n // 2))
    return max(1, -(-n // columns)), columns


def with_minus(text: str) -> str:
    """With a minus sign where a hyphen stands before a number.

    >>> with_minus("-1.5, x-2") == "\N{MINUS SIGN}1.5, x-2"
    True
    """
    return re.sub(r"(?<![\w.])-(?=\d|inf)", "\N{MINUS SIGN}", text)


def numbers(values: Iterable[float], digits: int = 2) -> list[str]:
    """With so many digits after the point."""
    return [with_minus(f"{value:z.{digits}f}") for value in values]


def compact(value: float) -> str:
    """A number in few letters.

    >>> compact(250_000), compact(1.5e6), compact(0.25)
    ('250k', '1.5M', '0.25')
    """
    size = abs(value)
    part, unit = (1e6, "M") if size >= 1e6 else (1e3, "k") if size >= 1e4 else (1.0, "")
    return with_minus(f"{value / part:.4g}{unit}")


def short(text: object, most: int) -> str:
    """At most so many letters.

    >>> short("flipper_length_mm", 10)
    'flipper_l…'
    """
    words = str(text)
    return words if len(words) <= most else words[: most - 1] + "…"
