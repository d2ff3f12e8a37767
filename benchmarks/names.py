"""The names that a command takes: some of a table's, or none for its default."""

import argparse
from collections.abc import Iterable


def add_names(parser: argparse.ArgumentParser, names: Iterable[str], default: str) -> None:
    choices = list(names)
    listed = ", ".join(choices)

    def known(word: str) -> str:  # argparse's own `choices` refuses an empty list of names
        if word not in choices:
            raise argparse.ArgumentTypeError(f"there is no {word!r} (choose from {listed})")
        return word

    parser.add_argument("names", nargs="*", metavar="NAME", type=known, help=f"{listed}; default {default}")
