"""Every error that tacit raises on purpose. The message names the fault and the cure, in one line."""


class TacitError(Exception):
    """The root; `status` is the exit status of the command line."""

    status = 1


class SpecError(TacitError, ValueError):
    """A part is misspelt, out of range, or does not fit its neighbour."""

    status = 2


class DataError(TacitError, ValueError):
    """The data cannot be read, or the model cannot take it."""

    status = 3


class DivergedError(TacitError):
    """The loss is no longer a finite number."""

    status = 4


class FormatError(TacitError):
    """A model file is damaged, foreign, or from another version."""

    status = 5
