"""`show(figure)` in a cell: the figure as SVG in the colours of the page, with its caption below."""

import itertools
from html import escape

from IPython.display import HTML
from matplotlib.figure import Figure

from reparam.plotting.inline_svg import inline_svg
from reparam.plotting.style import caption_of

_numbers = itertools.count(1)


def show(figure: Figure, words: str = "") -> HTML:
    words = words or caption_of(figure)
    width = f"width:min(100%, {figure.get_figwidth() * 6.4:.1f}rem)"
    picture = inline_svg(figure, f"figure-{next(_numbers)}", words)
    return HTML(
        f'<figure class="drawn" style="{width}">{picture}<figcaption>{escape(words)}</figcaption></figure>'
    )
