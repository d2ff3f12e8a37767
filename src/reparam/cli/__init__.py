"""The command line. Heavy imports wait until a command runs."""

import sys


def start() -> None:
    """The command `reparam`; without the extra `cli` it says how to install it."""
    try:
        from .main import main
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit("reparam: the command line needs pip install 'reparam[cli]'")
    main()
