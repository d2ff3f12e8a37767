"""The exceptions of reparam. Each message is one line with the problem and its correction."""

from collections.abc import Iterator
from contextlib import contextmanager


class ReparamError(Exception):
    """The base class; `status` is the exit status of the command line."""

    status = 1


class SpecError(ReparamError, ValueError):
    """An argument is misspelt, out of range, or incompatible with another."""

    status = 2


class DataError(ReparamError, ValueError):
    """The data cannot be read, or do not fit the model."""

    status = 3


class DivergedError(ReparamError):
    """The loss becomes non-finite."""

    status = 4


class FormatError(ReparamError):
    """A model file is damaged, of another format, or of another version."""

    status = 5


class OutOfMemoryError(ReparamError, MemoryError):
    """Memory does not suffice, of the machine or of the GPU."""

    status = 3


class LostProcessError(ReparamError):
    """Another process of a training on several has ended."""

    status = 3


@contextmanager
def extra(name: str, need: str) -> Iterator[None]:
    """Use around imports of the extra `name`: DataError where it is not installed."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "reparam":
            raise
        raise DataError(f"{need} needs pip install 'reparam[{name}]'") from error
