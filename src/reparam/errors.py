"""Every error that reparam raises on purpose. The message names the fault and the cure, in one line."""


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
