"""The README's Python and its commands run as they stand."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.helpers import run

README = Path(__file__).parents[1] / "README.md"


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert blocks
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that end: `explore` waits for a browser, and pip would install."""
    lines = re.findall(r"^\$ reparam (.*)$", README.read_text(encoding="utf-8"), re.M)
    commands = [shlex.split(line, comments=True) for line in lines]
    monkeypatch.chdir(tmp_path)
    assert [words[0] for words in commands] == ["fit", "evaluate", "sample", "explore"]
    for words in commands[:-1]:
        assert run(*words) == 0, words
    assert (tmp_path / "new.png").is_file()
