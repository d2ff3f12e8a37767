"""What a command did: its exit status, and whether that was in order."""

import contextlib
import io
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from unittest.mock import patch

import typer.main

from reparam.cli.main import EXIT_CODES, main

SLOW = 20.0
"""A command on a small file that takes more seconds than this counts as one that hangs."""
ORDERLY = set(EXIT_CODES) - {1}
LONGEST_LINE = 4000

commands = cache(typer.main.get_command)
"""The table of commands, built once: typer builds it anew in each call, and takes longer than most cases."""


@dataclass(frozen=True)
class Outcome:
    """The exit status of a command, what it said on stderr, and its fault: "" where there is none."""

    status: int
    said: str
    fault: str


def outcome(*words: object, slow: float = SLOW) -> Outcome:
    """`reparam WORDS` in this process; more seconds than `slow` are a fault."""
    out, err = io.StringIO(), io.StringIO()
    out.buffer = io.BytesIO()  # type: ignore[misc]
    status, fault, started = 0, "", time.monotonic()
    with (
        warnings.catch_warnings(),
        patch.object(sys, "argv", ["reparam", *map(str, words)]),
        patch.object(typer.main, "get_command", commands),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        warnings.simplefilter("default")
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            at = traceback.extract_tb(error.__traceback__)[-1]
            ours = [f for f in traceback.extract_tb(error.__traceback__) if "reparam" in f.filename][-1]
            fault = (
                f"{type(error).__name__}: {str(error)[:150]!r} at {ours.filename}:{ours.lineno} < {at.name}"
            )
    said = err.getvalue()
    if not fault and status not in ORDERLY:
        fault = f"exit status {status}"
    if not fault and "Traceback" in said:
        fault = "a traceback on stderr"
    if not fault and time.monotonic() - started > slow:
        fault = f"{time.monotonic() - started:.0f} s"
    if not fault and any(len(line) > LONGEST_LINE for line in said.splitlines()):
        fault = "a line of thousands of characters"
    return Outcome(status, said, fault)


@dataclass
class Tally:
    """The cases of one kind of fault: how many, how they ended, those that were not in order, and the seconds
    that they took."""

    cases: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, end: str, fault: str = "") -> None:
        self.cases += 1
        self.ends[end] += 1
        if fault:
            self.faults.append(fault)
