"""A small table of names and values for a notebook, in the colours of its page."""

from collections.abc import Iterable, Mapping
from html import escape

CELL = "padding: .15em 1.2em .15em 0; text-align: left; vertical-align: top; background: none; border: 0"


def html_table(title: str, rows: Mapping[str, str], notes: Iterable[str] = ()) -> str:
    """HTML: the title, a row for each name, and notes under it. The longest values are cut.

    >>> html_table("A & B", {"n": "3"}).count("<tr>")
    1
    """
    lines = [
        f'<tr><th scope="row" style="{CELL}; font-weight: normal; opacity: .7">{escape(name)}</th>'
        f'<td style="{CELL}">{escape(value if len(value) <= 160 else value[:159] + "…")}</td></tr>'
        for name, value in rows.items()
    ]
    table = f'<table style="margin: .3em 0; border: 0">{"".join(lines)}</table>'
    said = "".join(f'<p style="margin: .2em 0">{escape(note)}</p>' for note in notes)
    return f"<div><strong>{escape(title)}</strong>{table}{said}</div>"
