"""A figure as SVG inside a page: sharp at every size, in the colours of the page, light or dark.

The page must define the custom properties of `COLOURS`, e.g. `--ink`. Words of the figure that the page
says itself, its caption, are left out.
"""

import io
import re
from html import escape

from matplotlib.figure import Figure

from . import style

COLOURS = {
    style.INK: "ink",
    style.FAINT: "faint",
    style.BLUE: "blue",
    style.ORANGE: "orange",
    "#832db6": "purple",
    "#bd1f01": "red",
}
"""Colours of figures, and the custom properties that replace them; the last two are dark ones of classes."""
RASTER_DPI = 220
NO_METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])


def inline_svg(figure: Figure, name: str, words: str) -> str:
    """An <svg> element; `name` begins its ids, so that several can stand on a page, and `words` describe it
    to who cannot see it."""
    _without_caption(figure)
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        dpi=RASTER_DPI,
        bbox_inches="tight",
        pad_inches=0.04,
        transparent=True,
        metadata=NO_METADATA,
    )
    return themed(buffer.getvalue(), name, words)


def _without_caption(figure: Figure) -> None:
    words = " ".join(style.caption_of(figure).split())
    if figure.get_suptitle():
        figure.suptitle("")
    for axes in figure.axes:
        if " ".join(axes.get_title(loc="left").split()) == words:
            axes.set_title("", loc="left")


def themed(svg: str, name: str, words: str) -> str:
    """A file's text as an element: without what only a file needs, with ids and colours of the page."""
    box = re.search(r'viewBox="([^"]+)"', svg)[1]  # type: ignore[index]
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.S)
    body = _renamed(body, name)
    for colour, variable in COLOURS.items():
        body = re.sub(f"(?<=: ){colour}", f"var(--{variable})", body, flags=re.I)
    body = re.sub(r"\n\s*", "\n", body)
    return f'<svg role="img" aria-label="{escape(words)}" viewBox="{box}">{body}</svg>'


def _renamed(body: str, name: str) -> str:
    """With ids that are unique to a figure, and the same each time it is drawn."""
    new = {old: f"{name}-{i}" for i, old in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', body)))}
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', body))
    kept = {old for pair in used for old in pair if old}
    body = re.sub(r'\bid="([^"]+)"', lambda m: f'id="{new[m[1]]}"' if m[1] in kept else "", body)
    body = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{new[m[1]]})", body)
    return re.sub(r'href="#([^"]+)"', lambda m: f'href="#{new[m[1]]}"', body)
