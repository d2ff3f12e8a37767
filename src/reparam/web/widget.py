"""The page in a cell of a notebook."""

from typing import Any

from ..errors import ReparamError, extra
from .answers import Answers
from .bundle import STATIC, bundle

with extra("notebook", "the explorer in a notebook"):
    import anywidget
    import traitlets


class Explorer(anywidget.AnyWidget):
    """The explorer of some answers, to be shown by a cell.

    `selection`: the numbers of the rows that are selected on the map, as they are chosen. `height` of the map
    in pixels.
    """

    _esm = bundle("widget.js")
    _css = (STATIC / "style.css").read_text(encoding="utf-8")
    height = traitlets.Int(480).tag(sync=True)
    selection = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, answers: Answers, **traits: Any) -> None:
        super().__init__(**traits)
        self.answers = answers
        self.on_msg(Explorer.answer)

    def answer(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Answer a question of the page, {"id", "verb"} with one blob (see `wire`), by a message of the
        same id with one blob, or with the words of an error."""
        try:
            self.send({"id": content["id"]}, [self.answers.ask_bytes(bytes(buffers[0]), content["verb"])])
        except ReparamError as error:
            self.send({"id": content["id"], "error": str(error)})
