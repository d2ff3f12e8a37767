"""The how-tos for researchers run as they stand."""

import re
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[1] / "docs" / "do"


@pytest.mark.parametrize("name", ["own-loop", "own-parts"])
def test_python_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (HOW_TO / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", source, re.S)
    assert blocks
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": name}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
