"""Every error that reparam raises on purpose. The message names the fault and the cure, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager


class ReparamError(Exception):
    """The root; `status` is the exit status of the command line."""

    status = 1


class SpecError(ReparamError, ValueError):
    """A part is misspelt, out of range, or does not fit its neighbour."""

    status = 2


class DataError(ReparamError, ValueError):
    """The data cannot be read, or the model cannot take it."""

    status = 3


class DivergedError(ReparamError):
    """The loss is no longer a finite number."""

    status = 4


class FormatError(ReparamError):
    """A model file is damaged, foreign, or from another version."""

    status = 5


@contextmanager
def extra(name: str, need: str) -> Iterator[None]:
    """Around imports of what the extra `name` installs: where that is missing, one line says so."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "reparam":
            raise
        raise DataError(f"{need} needs pip install 'reparam[{name}]'") from error
