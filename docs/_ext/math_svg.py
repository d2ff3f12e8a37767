r"""Formulas as SVG, drawn by matplotlib when the site is built.

A page then needs no script and no font to show a formula, so it looks alike in every browser and without a
network. Lengths are in em, so a formula grows with the text around it, and its colour is that of the text.
The LaTeX source is its label for those who cannot see it.
"""

import io
import re
from functools import cache
from html import escape
from typing import Any

import matplotlib
import numpy as np
from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.path import Path
from matplotlib.textpath import TextToPath
from sphinx.application import Sphinx
from sphinx.util import logging

SIZE = 100.0  # points an em, of the drawing
WRITTEN = {r"\operatorname": r"\mathrm", r"\KL": r"\mathrm{KL}", r"\E": r"\mathbb{E}", r"\text": r"\mathrm"}
"""Commands that matplotlib does not know, and what they become."""

log = logging.getLogger(__name__)


@cache
def drawn(latex: str) -> tuple[str, float, float, float]:
    """The path of a formula; width, height and depth below the line, in em."""
    for known, ours in WRITTEN.items():
        latex = re.sub(re.escape(known) + r"(?![A-Za-z])", lambda _, ours=ours: ours, latex)
    text = f"${' '.join(latex.split())}$"
    with matplotlib.rc_context({"mathtext.fontset": "cm", "svg.hashsalt": "reparam"}):
        properties = FontProperties(size=SIZE)
        width, height, depth, *_ = MathTextParser("path").parse(text, 72, properties)
        vertices, codes = TextToPath().get_text_path(properties, text, ismath=True)
    scale = SIZE / TextToPath.FONT_SCALE
    path = Path(np.asarray(vertices) * scale, codes)
    out = io.StringIO()
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
    for points, code in path.iter_segments(simplify=False, curves=True):
        numbers = " ".join(f"{x:.1f} {-y:.1f}" for x, y in points.reshape(-1, 2))
        out.write("Z" if code == Path.CLOSEPOLY else f"{letters[code]}{numbers}")
    return out.getvalue(), width / SIZE, height / SIZE, depth / SIZE


def svg(latex: str) -> str:
    path, width, height, depth = drawn(latex)
    margin = 0.06
    box = f"{-SIZE * margin:.1f} {-SIZE * (height - depth + margin):.1f}"
    size = f"{SIZE * (width + 2 * margin):.1f} {SIZE * (height + 2 * margin):.1f}"
    style = f"width:{width + 2 * margin:.3f}em;height:{height + 2 * margin:.3f}em"
    style += f";vertical-align:{-depth - margin:.3f}em"
    return (
        f'<svg class="formula" role="img" aria-label="{escape(latex)}" viewBox="{box} {size}" '
        f'style="{style}"><path d="{path}" fill="currentColor"/></svg>'
    )


def shown(node: nodes.Node, latex: str) -> str:
    try:
        return svg(latex)
    except (ValueError, RuntimeError) as error:
        log.warning("formula: %s", str(error).splitlines()[-1], location=node)
        return f"<code>{escape(latex)}</code>"


def inline(self: Any, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{shown(node, node.astext())}</span>')
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    lines = [line for line in re.split(r"\\\\|\n\n", node.astext()) if line.strip()]
    self.body.append('<div class="math">')
    self.body.extend(f"<div>{shown(node, line)}</div>" for line in lines)
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("svg", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
