"""How much a command says on stderr: `--quiet` and `--verbose`, which every command takes."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

import typer

from ..errors import SpecError

Verb = Callable[..., None]
QUIET = typer.Option("--quiet", "-q", help="no notes and no progress bar; warnings and errors remain")
VERBOSE = typer.Option("--verbose", "-v", help="a line for each epoch, and the traceback of an error")


@dataclass
class Settings:
    """The running command and its verbosity."""

    quiet: bool = False
    verbose: bool = False
    verb: str = ""


settings = Settings()


UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that command a terminal, reverse its text or cannot be written: all controls but tab and line
feed, directional overrides, and bytes of a file name that are no text."""


def printable(text: object) -> str:
    r"""Text, with a replacement character for what would command the terminal: names come from files.

    >>> printable("a\x1b[31mb"), printable("a\n\tb")
    ('a\ufffd[31mb', 'a\n\tb')
    """
    return UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(text))


def say(message: object, *, err: bool = False) -> None:
    """A line on stdout, or on stderr."""
    typer.echo(printable(message), err=err)


def note(message: str, *, quiet: bool | None = None) -> None:
    """A line on stderr, so that stdout holds results alone; none with --quiet, unless `quiet` is False."""
    if not (settings.quiet if quiet is None else quiet):
        say(f"reparam: {message}", err=True)


def warn(message: str) -> None:
    note(f"warning: {message}", quiet=False)


class LineHandler(logging.Handler):
    """What the library logs, as a line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        warn(told) if record.levelno >= logging.WARNING else note(told)


LINES = LineHandler()


def with_verbosity(verb: Verb) -> Verb:
    """The command with the options --quiet and --verbose."""

    @wraps(verb)
    def command(quiet: bool = False, verbose: bool = False, **arguments: Any) -> None:
        if quiet and verbose:
            raise SpecError("--quiet and --verbose exclude each other: give one")
        settings.quiet, settings.verbose, settings.verb = quiet, verbose, verb.__name__
        verb(**arguments)

    own = [
        each.replace(kind=Parameter.KEYWORD_ONLY)
        for each in signature(verb, eval_str=True).parameters.values()
    ]
    for name, option in (("quiet", QUIET), ("verbose", VERBOSE)):
        own.append(Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, option]))
    command.__signature__ = Signature(own)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
    return command
