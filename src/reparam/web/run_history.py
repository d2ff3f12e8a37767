"""The history of a run folder while it is written."""

import json
import time
from pathlib import Path
from typing import Any

FRESH = 120.0
"""Seconds after the last change of a stopped or killed training within which it counts as running."""


class RunHistory:
    """Rows of `history.jsonl` in a folder. A training is running while it is newer than the
    model and was written in the last FRESH seconds."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "history.jsonl"
        self.model = folder / "model.safetensors"

    @property
    def running(self) -> bool:
        written = changed(self.file)
        return written > changed(self.model) and time.time() - written < FRESH

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


def changed(path: Path) -> float:
    """When a file was last written, in seconds since 1970; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
