"""How good models are: against time, against the same model without a part, against other libraries.

defaults         what a fit with no option gives on every data set of $REPARAM_DATA, beside version 0.1's
anomaly          AnomalyDetector on $REPARAM_DATA/anomaly, beside scikit-learn's and pyod's detectors
tables           tables of $REPARAM_DATA: gaps filled (--impute) beside imputers, drawn rows (--draws) beside
                 real ones and those of other models; neither option means both
labels           Enumerated with 65 labels of digits and 100 of MNIST, beside classifiers of these alone
against-time     static MNIST after 60 and 300 seconds, beside a plain loop and pythae
vae .. ladder-*  priors, free bits and ladders, each beside the same model without it
m2, m1m2         MNIST with ten labels a class
beta-*           disentanglement of dSprites, which $REPARAM_DATA holds
latents          fits of a default but for the size of the latent, of data sets of $REPARAM_DATA
precision        fits in float32 and with products in bfloat16, of data sets of $REPARAM_DATA
breast-cancer    hidden cells filled, half of them under five masks

The last three print their tables; the others go to docs/results.json and docs/results.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

from .. import results
from ..markdown import Rows, markdown
from . import tables
from .against_time import against_time
from .anomaly import anomaly
from .data import data_sets
from .defaults import compared, latents, precisions
from .disentanglement import DISENTANGLEMENT
from .few_labels import FEW_LABELS
from .imputation import breast_cancer
from .labels import TASKS, labels
from .parts import PARTS

WITHOUT_OPTIONS = ("defaults", "anomaly", "labels", "tables")
PRINTED = ("latents", "precision")
RECORDED = (*WITHOUT_OPTIONS, "against-time", *PARTS, *FEW_LABELS, *DISENTANGLEMENT)


def rows(name: str, budget: dict[str, int], seeds: tuple[int, ...], only: str | None) -> Iterator[Rows]:
    """The rows of one name, as they are measured."""
    match name:
        case "against-time":
            yield against_time()
        case "anomaly":
            yield anomaly(seeds)
        case "labels":
            for each in [only] if only else TASKS:
                yield labels(seeds, (each,))
        case "defaults":
            for each in [only] if only else data_sets():
                yield {each: compared(each, seeds)}
        case _ if name in DISENTANGLEMENT:
            yield {name: replace(DISENTANGLEMENT[name], **budget)()}
        case _:
            yield {name: (PARTS | FEW_LABELS)[name]()}


def record_tables(arguments: argparse.Namespace) -> None:
    """Each table is recorded as soon as it is measured."""
    asked = {"gaps": "impute", "draws": "draws"}
    kinds = [kind for kind, option in asked.items() if getattr(arguments, option)] or list(asked)
    said = {} if arguments.seeds == 3 else {"seeds": arguments.seeds}
    for kind in kinds:
        for name in tables.names(arguments.only):
            found = tables.tables(kind, tuple(range(arguments.seeds)), name, arguments.way, arguments.limit)
            results.record("quality", "tables", found, {asked[kind]: True, "only": name, **said})


def print_fits(name: str, only: str | None, seeds: tuple[int, ...]) -> None:
    """A table of each data set, as soon as it is measured."""
    for each in [only] if only else data_sets():
        found = latents(each) if name == "latents" else precisions(each, seeds)
        print(markdown(found, {column: column for column in next(iter(found.values()))}, name), flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    results.add_arguments(
        parser, [*RECORDED, *PRINTED, "breast-cancer"], DISENTANGLEMENT, "all but latents and precision"
    )
    parser.add_argument("--seeds", type=int, default=3, help=f"of {', '.join(WITHOUT_OPTIONS)}, precision")
    parser.add_argument(
        "--only", metavar="SET", help="one data set of defaults, latents, precision, labels or tables"
    )
    parser.add_argument("--impute", action="store_true", help="tables: their gaps")
    parser.add_argument("--draws", action="store_true", help="tables: drawn rows")
    parser.add_argument(
        "--way", action="append", metavar="WAY", help="tables: this way alone; may be repeated"
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=tables.LIMIT,
        metavar="SECONDS",
        help="tables: of a processor, for each fit",
    )


def run(arguments: argparse.Namespace) -> None:
    names = arguments.names or [*RECORDED, "breast-cancer"]
    budget, seeds = results.budget_of(arguments, names, DISENTANGLEMENT), tuple(range(arguments.seeds))
    for name in names:
        if name == "breast-cancer":
            breast_cancer()
        elif name == "tables":
            record_tables(arguments)
        elif name in PRINTED:
            print_fits(name, arguments.only, seeds)
        else:
            for found in rows(name, budget, seeds, arguments.only):
                results.record("quality", name, found, budget)
