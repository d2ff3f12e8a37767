"""The history of a run folder while it is written."""

import json
from pathlib import Path
from typing import Any

from ..serialization.atomic import is_locked


class RunHistory:
    """Rows of `history.jsonl` in a folder, to which a training appends after each epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "history.jsonl"

    @property
    def running(self) -> bool:
        """Whether a training writes to the folder."""
        return is_locked(self.folder)

    def rows(self, start: int = 0) -> list[dict[str, Any]]:
        """The complete rows from number `start` on; none where there is no file."""
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
        except OSError:
            return []
        found = []
        for line in lines[start:]:
            try:
                row = json.loads(line) if line.endswith("\n") else None
            except ValueError:
                break
            if not isinstance(row, dict):
                break
            found.append(row)
        return found
