"""What a cell prints is shown as it was printed.

A `%%bash` cell sends its output in pieces that end anywhere. myst-nb ends each with a new line when it merges
them, in the middle of a word too. Here pieces of one stream are joined as they are before it merges.
"""

from typing import Any

from myst_nb.core import render
from sphinx.application import Sphinx


def joined(outputs: list[Any]) -> list[Any]:
    """The outputs of a cell, with the pieces of each stream in its first one."""
    found: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output["output_type"] != "stream":
            found.append(output)
        elif output["name"] in streams:
            streams[output["name"]]["text"] += output["text"]
        else:
            found.append(streams.setdefault(output["name"], type(output)(output)))
    return found


def setup(app: Sphinx) -> dict[str, Any]:
    merged = render.coalesce_streams
    render.coalesce_streams = lambda outputs: merged(joined(outputs))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
