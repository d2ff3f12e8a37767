"""The rows of docs/results.json and the tables of docs/results.md, for `quality` and `reproduce`."""

import argparse
import json
import platform
from collections.abc import Collection, Mapping

import torch

from . import ROOT
from .markdown import Rows, fill, markdown
from .names import add_names
from .quality.against_time import MARKS
from .quality.table_ranks import ranks

RESULTS, PAGE = ROOT / "docs/results.json", ROOT / "docs/results.md"

DURATION = {"epochs": "epochs", "seconds": "seconds"}
BUDGET = {"epochs": "epochs", "published_epochs": "published epochs", "seconds": "seconds"}
COST = {"seeds": "seeds", "seconds": "seconds", "megabytes": "MB", "note": "not measured"}
RUN = {"machine": "machine", "command": "command"}
TABLES: dict[str, dict[str, str]] = {
    "articles": DURATION
    | {
        "log_likelihood": "log-likelihood",
        "elbo": "ELBO",
        "rate": "rate",
        "distortion": "distortion",
        "active_units": "active units",
        "accuracy": "accuracy",
    },
    "auroc": {"auroc_noise": "against noise", "auroc_fashion": "against fashion-mnist"},
    "static": DURATION
    | {
        "log_likelihood": "log-likelihood",
        "ess": "ESS",
        "rate": "rate",
        "distortion": "distortion",
        "active_by_kl": "dimensions above 0.01 nat",
    },
    "layers": DURATION
    | {f"rate_{i}": f"rate of layer {i}" for i in range(3)}
    | {"log_likelihood": "log-likelihood"},
    "labels": {"alone": "a classifier alone", "accuracy": "with the unlabelled", **DURATION},
    "published": {
        "source": "source",
        "published": "published",
        "ours": "ours",
        "difference": "ours - published",
        "k": "k",
        **BUDGET,
        **RUN,
    },
    "factors": {
        "mig_median": "MIG, median",
        "mig_quartiles": "quartiles",
        "seeds": "seeds",
        "elbo": "ELBO",
        **BUDGET,
        **RUN,
    },
    "defaults": {
        "rows": "training rows",
        "before": "0.1, nats",
        "now": "now, nats",
        "gain": "gain",
        "spread": "spread over seeds",
        "seconds_before": "seconds, 0.1",
        "seconds": "seconds",
        "steps": "steps",
        "active": "active",
    },
    "anomaly": {
        f"{key}{regime}": f"({regime}) {title}"
        for regime in "ab"
        for key, title in {"auc_": "AUC", "auc_rank_": "rank", "ap_": "AP", "ap_rank_": "rank by AP"}.items()
    }
    | {"seconds": "seconds a fit"},
    "gaps": {
        "error": "error of numbers, standard deviations",
        "right": "categories right",
        "covered": "in 90 % intervals",
        **COST,
    },
    "draws": {
        "shape": "likeness of columns",
        "pairs": "of pairs",
        "detection": "drawn against real rows, AUC",
        "efficacy": "AUC or R2 of the last column, less that by real rows",
        "closer": "nearer to a training row",
        **COST,
    },
    "few-labels": {
        "ours": "VAE(labels=Enumerated(10))",
        "logistic": "logistic regression",
        "network": "MLPClassifier",
        "spreading": "LabelSpreading",
        "seconds": "seconds",
        "steps": "steps",
        "seeds": "seeds",
    },
    "quality": {
        f"{key}_{mark}": f"{title} {mark} s"
        for mark in MARKS
        for key, title in {"nll": "test NLL after", "epochs": "epochs in"}.items()
    }
    | RUN,
}
"""Each marker of the page but those of ranks, and its columns (key: title). Rows may be in several."""


def write(results: Rows) -> None:
    """The JSON, and the tables of the page between their markers."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    every = {
        mark: markdown({n: row for n, row in results.items() if mark in row["tables"]}, columns, "recipe")
        for mark, columns in TABLES.items()
    }
    fill(PAGE, every | ranks(results))


def machine() -> str:
    if torch.cuda.is_available():
        return f"{platform.machine()}, {torch.cuda.get_device_name()}"
    return f"{platform.machine()}, CPU, {torch.get_num_threads()} threads"


def record(command: str, name: str, rows: Rows, budget: Mapping[str, object]) -> None:
    """Writes down the rows of one name, with what it takes to get them again."""
    words = [name, *(f"--{key}" if value is True else f"--{key} {value}" for key, value in budget.items())]
    said = f"`python -m benchmarks {command} {' '.join(words)}`"
    rows = {
        row: {**figures, "machine": machine(), "command": said, "seed": 0} for row, figures in rows.items()
    }
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    write(results | rows)
    print(json.dumps(rows), flush=True)


def add_arguments(
    parser: argparse.ArgumentParser, names: Collection[str], budgeted: Collection[str], default: str = "all"
) -> None:
    add_names(parser, names, default)
    parser.add_argument("--epochs", type=int, help=f"another budget of {', '.join(budgeted)}")
    parser.add_argument("--compile", action="store_true", default=None, help="compile their steps")


def budget_of(
    arguments: argparse.Namespace, names: Collection[str], budgeted: Collection[str]
) -> dict[str, int]:
    """What is said of the rows that have a budget; refused where other rows are asked for beside them."""
    asked = {"epochs": arguments.epochs, "compile": arguments.compile}
    budget = {key: value for key, value in asked.items() if value is not None}
    if budget and not set(names) <= set(budgeted):
        arguments.refuse(f"--{next(iter(budget))} is for {', '.join(budgeted)}")
    return budget
