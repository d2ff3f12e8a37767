"""The data sets of $REPARAM_DATA on which defaults are chosen: training rows and test rows of each."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from reparam.data.load import load

Rows = tuple[Any, Any]
TEST_ROWS = 1000


def folder() -> Path:
    return Path(os.environ["REPARAM_DATA"])


def some(X: Any, rows: np.ndarray) -> Any:
    rows = np.sort(rows)
    return X.iloc[rows].reset_index(drop=True) if hasattr(X, "iloc") else X[rows]


def halves(X: Any, share: float = 0.2) -> Rows:
    """Training rows, and a random fifth, TEST_ROWS at most, for the test."""
    order = np.random.default_rng(0).permutation(X.shape[0])
    cut = min(int(len(order) * share), TEST_ROWS)
    return some(X, order[cut:]), some(X, order[:cut])


def tested(train: Any, test: Any) -> Rows:
    """The data's own division, with TEST_ROWS random rows of the test part."""
    rows = np.random.default_rng(0).choice(len(test), min(len(test), TEST_ROWS), replace=False)
    return train, some(test, rows)


def table(name: str) -> Callable[[], Rows]:
    return lambda: halves(load(str(folder() / "tabular" / f"{name}.csv")).X)


def anomaly_set(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """X (n, columns), and 1 for anomalies (n,)."""
    with np.load(path) as held:
        return held["X"].astype(np.float64), held["y"].astype(int)


def normal(name: str) -> Callable[[], Rows]:
    """The normal rows of an anomaly set."""

    def rows() -> Rows:
        X, y = anomaly_set(folder() / "anomaly" / f"{name}.npz")
        return halves(X[y == 0])

    return rows


def named(name: str, binary: bool = False) -> Callable[[], Rows]:
    def rows() -> Rows:
        parts = (load(f"{name}{part}").X for part in ("", ":test"))
        return tested(*((X > 0.5).astype(np.float32) if binary else X for X in parts))

    return rows


def omniglot() -> Rows:
    with np.load(folder() / "omniglot" / "omniglot_28x28.npz") as held:
        return tested(*((held[f"{part}_images"] > 127).astype(np.float32) for part in ("train", "test")))


def frey() -> Rows:
    with np.load(folder() / "frey_faces" / "frey_faces.npz") as held:
        return halves((held["images"] / 255).astype(np.float32))


def single_cells(genes: int = 2000) -> Rows:
    """Counts of the genes that most cells have."""
    with np.load(folder() / "single_cell" / "pbmc_cite_400x.npz") as held:
        parts = (held["data"], held["indices"], held["indptr"])
        counts = csr_matrix(parts, shape=tuple(held["shape"])).astype(np.float32)
    most = np.argsort(-np.asarray((counts > 0).sum(0)).ravel(), kind="stable")[:genes]
    return halves(counts[:, np.sort(most)].tocsr())


def data_sets() -> dict[str, Callable[[], Rows]]:
    """Every table, the normal rows of every anomaly set, pictures, and counts."""
    tables = {path.stem: table(path.stem) for path in sorted((folder() / "tabular").glob("*.csv"))}
    anomalies = {path.stem: normal(path.stem) for path in sorted((folder() / "anomaly").glob("*.npz"))}
    return {
        **tables,
        **anomalies,
        "digits": named("digits"),
        "static MNIST": named("binarized-mnist"),
        "Fashion-MNIST": named("fashion-mnist"),
        "Fashion-MNIST, thresholded": named("fashion-mnist", binary=True),
        "Omniglot, thresholded": omniglot,
        "Frey faces": frey,
        "single cells": single_cells,
    }
