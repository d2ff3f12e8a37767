"""The Python blocks, the code cells and the commands of README and documentation run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from reparam.cli.main import app
from tests.docs.readers_files import FILES

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
BLOCK = r"```(?:\{code-cell\} )?(python|console)\n(?::tags:.*?\n)?(.*?)```"
QUICK = ["README.md", "docs/do/own-loop.md", "docs/do/own-parts.md", "docs/do/single-cells.md"]
"""Pages whose Python takes seconds."""
NOT_HERE = {
    "pip install": "a new environment: make release-check",
    "reparam explore": "waits for a browser: tests/web",
    "torchrun": "needs two machines: tests/training/test_distributed.py",
    "s3://": "needs a bucket: tests/data/test_remote.py",
    "hf:": "needs the hub: tests/data/test_remote.py",
    "push_to_hub": "needs the hub: tests/export/test_hub.py",
}
"""Blocks and commands with these words are not run, and why."""


def blocks(page: str, kind: str) -> list[str]:
    return [text for what, text in re.findall(BLOCK, PAGES[page], re.S) if what == kind]


def commands(page: str) -> list[str]:
    return re.findall(r"^\$ (.*)$", "".join(blocks(page, "console")), re.M)


def is_run(text: str) -> bool:
    return not any(words in text for words in NOT_HERE)


def pages_with(kind: str) -> list[Any]:
    found = [page for page in PAGES if any(map(is_run, blocks(page, kind)))]
    slow = [page for page in found if kind == "console" or page not in QUICK]
    return [pytest.param(page, marks=pytest.mark.slow if page in slow else ()) for page in found]


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], None]:
    """What runs a script of the shell in the temporary folder, where `reparam` is this one."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "reparam"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reparam "$@"\n')
    script.chmod(0o755)
    paths = {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}
    paths["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(tmp_path)])

    def run(text: str) -> None:
        words = ["bash", "-e", "-o", "pipefail", "-c", text]
        done = subprocess.run(words, cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stderr}"

    return run


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(
    page: str, shell: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one script, in a fresh folder; a cell of commands by the shell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPARAM_DOCS_FILES", str(tmp_path))
    names: dict[str, object] = {"__name__": "page"}
    for block in filter(is_run, blocks(page, "python")):
        if block.startswith("%%bash\n"):
            shell(block.removeprefix("%%bash\n"))
        else:
            exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("page", pages_with("console"))
def test_commands_run(page: str, shell: Callable[[str], None], tmp_path: Path) -> None:
    """By a shell, in a folder that holds the files of the reader."""
    lines = list(filter(is_run, commands(page)))
    for name in FILES:
        if any(name in shlex.split(line, comments=True) for line in lines):
            FILES[name](tmp_path / name)
    for line in lines:
        shell(line)
        for written in re.findall(r"-o (\S+)", line):
            assert (tmp_path / written).exists(), line


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_exist(page: str) -> None:
    """Those within sentences and tables, too, whose arguments are placeholders."""
    known: Any = get_command(app)
    within = re.findall(r"(?<!`)`(reparam [^`]+)`(?!`)", PAGES[page])
    cells = re.findall(r"^(reparam .*)$", "".join(re.findall(r"%%bash\n(.*?)```", PAGES[page], re.S)), re.M)
    for line in [*within, *cells, *(line for line in commands(page) if line.startswith("reparam "))]:
        first, *words = shlex.split(re.split(r" [|>] ", line)[0], comments=True)[1:]
        if first.startswith("-") or first == "COMMAND":
            continue
        assert first in known.commands, line
        verb = known.commands[first]
        verb.make_parser(verb.context_class(verb)).parse_args([word for word in words if word != "..."])


def test_targets_of_make_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = {name for page in PAGES.values() for name in re.findall(r"`make ([a-z-]+)[^`]*`", page)}
    assert named and named <= set(targets)
