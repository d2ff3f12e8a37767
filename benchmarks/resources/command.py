"""Seconds and peak memory of processes; the tables are printed.

command-line  each verb on the data sets of docs/results.md that $REPARAM_DATA holds
streams       a fit of 1, 10 and 100 times the rows, streamed and in memory
explorer      from `reparam explore` to a picture under the pointer, and a map of a million codes
http          latencies and memory of `reparam serve` with 32 clients, beside some that misbehave
"""

import argparse

from ..names import add_names
from .command_line import command_line
from .explorer import explorer
from .http import http
from .streams import streams

TABLES = {"command-line": command_line, "streams": streams, "http": http, "explorer": explorer}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_names(parser, TABLES, "all")


def run(arguments: argparse.Namespace) -> None:
    for name in arguments.names or TABLES:
        TABLES[name]()
