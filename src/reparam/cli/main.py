"""The command line: the table of commands, and one-line errors. Heavy imports wait until a command runs."""

import sys
import warnings
from collections.abc import Callable

import typer

from ..errors import DataError, ReparamError
from .compare import compare
from .describe import cite, recipes, show
from .detect import detect
from .evaluate import evaluate, score
from .fit import fit
from .output import note
from .plot import plot
from .sample import sample
from .transform import decode, encode, impute, predict, reconstruct
from .verify import verify

VERBS: dict[str, Callable[..., None]] = {
    "fit": fit,
    "evaluate": evaluate,
    "compare": compare,
    "score": score,
    "detect": detect,
    "encode": encode,
    "decode": decode,
    "reconstruct": reconstruct,
    "predict": predict,
    "impute": impute,
    "sample": sample,
    "plot": plot,
    "show": show,
    "verify": verify,
    "cite": cite,
    "recipes": recipes,
}
"""Every command by its name, in the order of --help."""

app = typer.Typer(
    help="Variational autoencoders: fit, evaluate, sample, plot. Every number is in nats.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for name, verb in VERBS.items():
    app.command(name)(verb)


def main() -> None:
    """The entry point: a ReparamError becomes one line on stderr and an exit status."""
    warnings.formatwarning = lambda message, *_, **__: f"reparam: warning: {message}\n"
    try:
        status = app(standalone_mode=False)
    except ReparamError as error:
        note(" ".join(str(error).split()))
        status = error.status
    except OSError as error:
        note(f"{error.filename or 'a file'}: {error.strerror or error}")
        status = DataError.status
    except typer.Abort:
        status = 130
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
            raise
        if error.format_message():
            note(error.format_message())
        status = 2
    sys.exit(status if isinstance(status, int) else 0)
