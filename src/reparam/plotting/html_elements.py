"""The parts of the report's page: tables, figures, and a table beside its picture.

>>> print(data_table(["metric", "nats"], [["rate", "1.5"]], numeric={1}))
<table><thead><tr><th scope="col">metric</th><th scope="col" class="number">nats</th></tr></thead>
<tbody><tr><th scope="row">rate</th><td class="number">1.5</td></tr></tbody></table>
"""

from collections.abc import Collection, Iterable, Sequence
from html import escape

from matplotlib.figure import Figure

from .inline_svg import inline_svg
from .style import caption_of, with_minus

CSS_INCH = 96  # pixels
WIDE = 7.0  # inches from which a figure is scrolled on a phone, not shrunk
KINDS = {
    "losses": "Line charts",
    "bound_by_samples": "Line chart",
    "score_histogram": "Histogram",
    "rates": "Bar chart",
    "latent_map": "Scatter plot",
    "marginals": "Histograms and bar charts",
    "correlations": "Heat maps",
    "strangest_cells": "Table",
    "columns_of_draws": "Dot plot",
}
"""What a picture is, by its name; the others are images in rows and columns."""


def data_table(
    head: Sequence[str],
    body: Iterable[Sequence[str]],
    caption: str = "",
    numeric: Collection[int] = (),
    unit: int | None = None,
) -> str:
    """A <table>; the first cell of each row names it. `numeric` columns stand at the right; `unit` is the
    number of a column in grey."""
    classes: dict[int | None, str] = {**dict.fromkeys(numeric, ' class="number"'), unit: ' class="unit"'}
    names = [f'<th scope="col"{classes.get(i, "")}>{escape(each)}</th>' for i, each in enumerate(head)]
    rows = []
    for first, *others in body:
        cells = [
            f"<td{classes.get(i, '')}>{escape(with_minus(each))}</td>" for i, each in enumerate(others, 1)
        ]
        rows.append(f'<tr><th scope="row">{_breakable(first)}</th>{"".join(cells)}</tr>')
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    newline = "\n"
    return (
        f"<table>{above}<thead><tr>{''.join(names)}</tr></thead>\n<tbody>{newline.join(rows)}</tbody></table>"
    )


def _breakable(name: str) -> str:
    """A name that may be broken after an underscore."""
    return escape(name).replace("_", "_<wbr>")


def figure(name: str, picture: Figure) -> str:
    """A <figure> with its caption under it; `name` as in `model_plots.pictures`."""
    words = caption_of(picture)
    drawn = inline_svg(picture, name.replace("_", "-"), f"{KINDS.get(name, 'Images')}: {words}")
    said = f"<figcaption>{escape(words[:1].upper() + words[1:])}.</figcaption>"
    width = round(picture.get_figwidth() * CSS_INCH)
    kind = ' class="wide"' if picture.get_figwidth() > WIDE else ""
    return f'<figure{kind} style="--width: {width}px"><div>{drawn}</div>{said}</figure>'


def pair(tables: Sequence[str], figures: Sequence[str]) -> str:
    """Tables at the left of figures, or above them where there is no room."""
    if not tables or not figures:
        return "\n".join([*tables, *figures])
    left, right = "\n".join(tables), "\n".join(figures)
    return (
        f'<div class="pair"><div class="beside tables">{left}</div>\n<div class="beside">{right}</div></div>'
    )


def gallery(figures: Sequence[str]) -> str:
    """Figures beside one another, as many as fit."""
    return f'<div class="gallery">{"".join(figures)}</div>' if figures else ""


def section(title: str, parts: Iterable[str]) -> str:
    """A <section>; nothing where it has no parts."""
    body = "\n".join(filter(None, parts))
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>" if body else ""


def notice(warnings: Sequence[str]) -> str:
    """A box of warnings; nothing where there are none."""
    if not warnings:
        return ""
    title = "One warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    items = "".join(f"<li>{escape(words)}.</li>" for words in warnings)
    return f'<aside class="warnings"><h2>{title}</h2><ul>{items}</ul></aside>'
