"""Our figures beside the published ones, for docs/results.json and docs/results.md: `make reproduce`.

zeldes .. frans   the articles: trained by the command line (unless runs/NAME is there) on the 60,000 MNIST
                  training images, measured on the 10,000 test images
iwae-*, pythae-*  published test log-likelihoods of MNIST
"""

import argparse
from dataclasses import replace

from .. import results
from .articles import ARTICLES
from .log_likelihoods import LOG_LIKELIHOODS

NAMES = (*ARTICLES, *LOG_LIKELIHOODS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    results.add_arguments(parser, NAMES, LOG_LIKELIHOODS)


def run(arguments: argparse.Namespace) -> None:
    names = arguments.names or NAMES
    budget = results.budget_of(arguments, names, LOG_LIKELIHOODS)
    for name in names:
        row = ARTICLES[name] if name in ARTICLES else replace(LOG_LIKELIHOODS[name], **budget)
        results.record("reproduce", name, {name: row()}, budget)
