"""The command line: the table of commands, and one-line errors. Heavy imports wait until a command runs."""

import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..errors import DataError, ReparamError
from ..memory import is_out_of_memory, shortage
from .compare import compare
from .describe import cite, recipes, show
from .detect import detect
from .evaluate import evaluate, score
from .explore import explore, serve
from .export import export
from .fit import fit
from .plot import plot
from .sample import sample
from .terminal import LINES, note, printable, settings, with_verbosity
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
    "explore": explore,
    "serve": serve,
    "export": export,
    "show": show,
    "verify": verify,
    "cite": cite,
    "recipes": recipes,
}
"""Every command by its name, in the order of --help."""

EXIT_CODES = {
    0: "done",
    1: "a fault of reparam, with a traceback; or the reader of the output closed the pipe, as `head` does",
    2: "a command, an option or a spec is wrong",
    3: "the data, or a file, cannot be read or written; or memory does not suffice; or another "
    "process of the training has ended",
    4: "training diverged",
    5: "the model file is damaged, or of another format",
    129: "stopped by SIGHUP, when a terminal is closed; a training is saved",
    130: "stopped with Ctrl-C; a training is saved",
    143: "stopped by SIGTERM; a training is saved",
}
"""What an exit status says."""
LONGEST = 2000
"""The most characters of a message."""

SMALLER_K = "Use a smaller -k, or --buffer MIB, which reads the data in parts"
BUFFER = "Use --buffer MIB, which reads the data in parts, or fewer rows"
MEMORY_CURES = {
    "fit": "Use --set training.batch_size=N with N below 128, a smaller network, or --buffer MIB",
    **dict.fromkeys(("evaluate", "compare", "score", "impute"), SMALLER_K),
    **dict.fromkeys(("encode", "reconstruct", "predict"), BUFFER),
    "decode": "Use fewer rows of codes, in several files",
    "detect": "Use fewer rows or columns",
    "plot": "Use fewer rows",
    "sample": "Use a smaller -n, and several files with another --seed each",
}
"""What to do where memory does not suffice, by command."""

app = typer.Typer(
    help="Variational autoencoders: fit, evaluate, sample, plot. Every number is in nats.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for name, verb in VERBS.items():
    app.command(name)(with_verbosity(verb))


def in_words(error: Any) -> str:
    """The message of a usage error, with the option that may have been meant."""
    if near := getattr(error, "possibilities", None):
        return f"No such option: {error.option_name}. Did you mean {' or '.join(map(repr, near))}?"
    return str(error.format_message())


def shortened(message: object) -> str:
    """A message as one line of LONGEST characters at most: what it quotes may be of any length."""
    line = " ".join(printable(message).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


def reported(error: ReparamError, cause: BaseException) -> int:
    """The exit status of an error, said in one line; with --verbose below the traceback of its cause."""
    if settings.verbose:
        traceback.print_exception(cause)
    note(shortened(error), quiet=False)
    return error.status


def print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"reparam {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="print the version", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """The entry point: a ReparamError becomes one line on stderr and an exit status."""
    warnings.formatwarning = lambda message, *_, **__: f"reparam: warning: {shortened(message)}\n"
    settings.quiet = settings.verbose = False
    logging.getLogger("reparam").addHandler(LINES)
    logging.getLogger("reparam.compilation").setLevel(logging.INFO)  # what takes so long
    try:
        status = app(standalone_mode=False, prog_name="reparam")
    except ReparamError as error:
        status = reported(error, error)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not is_out_of_memory(error):
            raise
        cure = MEMORY_CURES.get(settings.verb, "Use less data, or a smaller model")
        status = reported(shortage(error, cure), error)
    except OSError as error:
        status = reported(DataError(f"{error.filename or 'a file'}: {error.strerror or error}"), error)
    except typer.Abort:
        status = 130
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
            raise
        if error.format_message():
            note(shortened(in_words(error)), quiet=False)
        status = 2
    sys.exit(status if isinstance(status, int) else 0)
