"""How good models are: against time, against the same model without a part, against other libraries.

against-time     static MNIST after 60 and 300 seconds, beside a plain loop and pythae
vae .. ladder-*  priors, free bits and ladders, each beside the same model without it
m2, m1m2         MNIST with ten labels a class
beta-*           disentanglement of dSprites, which $REPARAM_DATA holds
breast-cancer    hidden cells filled, half of them under five masks
imputation       hidden cells of --table filled, beside scikit-learn's imputers
synthesis        drawn rows of --table beside real ones; its last column is the classifier's target

The last three print their tables; the others go to docs/results.json and docs/results.md.
"""

import argparse
from dataclasses import replace

from reparam.data.load import load

from .. import results
from ..markdown import Rows
from .against_time import against_time
from .disentanglement import DISENTANGLEMENT
from .few_labels import FEW_LABELS
from .imputation import breast_cancer, imputation
from .parts import PARTS
from .synthesis import synthesis

RECORDED = ("against-time", *PARTS, *FEW_LABELS, *DISENTANGLEMENT)
OF_A_TABLE = {"imputation": imputation, "synthesis": synthesis}


def rows(name: str, budget: dict[str, int]) -> Rows:
    if name == "against-time":
        return against_time()
    if name in DISENTANGLEMENT:
        return {name: replace(DISENTANGLEMENT[name], **budget)()}
    return {name: (PARTS | FEW_LABELS)[name]()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    results.add_arguments(
        parser, [*RECORDED, "breast-cancer", *OF_A_TABLE], DISENTANGLEMENT, "all that need no --table"
    )
    parser.add_argument("--table", metavar="CSV", help=f"for {' and '.join(OF_A_TABLE)}")


def run(arguments: argparse.Namespace) -> None:
    names = arguments.names or [*RECORDED, "breast-cancer", *(OF_A_TABLE if arguments.table else ())]
    budget = results.budget_of(arguments, names, DISENTANGLEMENT)
    if missing := [name for name in names if name in OF_A_TABLE and not arguments.table]:
        arguments.refuse(f"{missing[0]} needs --table CSV")
    for name in names:
        if name in OF_A_TABLE:
            OF_A_TABLE[name](load(arguments.table).X)
        elif name == "breast-cancer":
            breast_cancer()
        else:
            results.record("quality", name, rows(name, budget), budget)
