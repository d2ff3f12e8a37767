"""Anomaly detection on the sets of $REPARAM_DATA/anomaly, beside other detectors.

(a) trained on all rows, and judged on them; (b) trained on half of the normal rows, judged on the others.
"""

import json
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from reparam import AnomalyDetector

from .. import ROOT
from ..markdown import Figures, Rows
from ..peers.environment import PYTHON
from .data import anomaly_set, folder

Array = np.ndarray
SEEDS = (0, 1, 2)
OURS = "reparam, AnomalyDetector()"
PEERS = ("ECOD", "VAE", "AutoEncoder")
"""Detectors of pyod, which run in the environment of the peers."""


def ours(train: Array, test: Array, seed: int) -> Array:
    detector = AnomalyDetector(novelty=train is not test, random_state=seed).fit(train)
    return detector.scores_ if train is test else detector.score_samples(test)


def forest(train: Array, test: Array, seed: int) -> Array:
    return IsolationForest(random_state=seed).fit(train).score_samples(test)


def neighbours(train: Array, test: Array, seed: int, k: int = 5) -> Array:
    """Minus the distance to the k-th neighbour; a training row is not its own."""
    found = NearestNeighbors(n_neighbors=k + (train is test)).fit(train)
    return -found.kneighbors(test)[0][:, -1]


def local_factor(train: Array, test: Array, seed: int) -> Array:
    if train is test:
        return LocalOutlierFactor().fit(train).negative_outlier_factor_
    return LocalOutlierFactor(novelty=True).fit(train).score_samples(test)


def support(train: Array, test: Array, seed: int) -> Array:
    return OneClassSVM().fit(train).score_samples(test)


def mixture(train: Array, test: Array, seed: int) -> Array:
    return GaussianMixture(random_state=seed, reg_covar=1e-4).fit(train).score_samples(test)


def components(train: Array, test: Array, seed: int) -> Array:
    """log p(x) of probabilistic PCA with the components that hold 90 % of the variance."""
    return PCA(0.9, svd_solver="full").fit(train).score_samples(test)


SKLEARN: dict[str, Callable[[Array, Array, int], Array]] = {
    "IForest": forest,
    "KNN": neighbours,
    "LOF": local_factor,
    "PCA": components,
    "OCSVM": support,
    "Gaussian": mixture,
}
STANDARDISED = {"KNN", "LOF", "PCA", "OCSVM", "Gaussian"}


def pyod(name: str, train: Array, test: Array, seed: int) -> Array:
    """A detector of pyod, in its own process."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "data.npz")
        np.savez(path, train=train, test=test)
        words = [str(PYTHON), "-m", "benchmarks.peers.anomaly", name, str(path), str(seed)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=os.environ, check=True)
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def halves(X: Array, y: Array, seed: int) -> tuple[Array, Array, Array]:
    """Half of the normal rows to train on, and the others with the anomalies to judge by."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    cut = len(normal) // 2
    test = np.sort(np.concatenate([normal[cut:], np.flatnonzero(y == 1)]))
    return X[np.sort(normal[:cut])], X[test], y[test]


def scores(name: str, train: Array, test: Array, seed: int) -> Array:
    if name == OURS:
        return ours(train, test, seed)
    if name in STANDARDISED or name in PEERS:
        units = StandardScaler().fit(train)
        same, train = train is test, units.transform(train)
        test = train if same else units.transform(test)
    if name in PEERS:
        return pyod(name, train, test, seed)
    return SKLEARN[name](train, test, seed)


def anomaly(seeds: tuple[int, ...] = SEEDS) -> Rows:
    """A row for each detector: mean AUC, average precision and rank over the sets, for (a) and (b)."""
    detectors = [OURS, *SKLEARN, *(PEERS if PYTHON.exists() else ())]
    paths = sorted((folder() / "anomaly").glob("*.npz"))
    found = np.zeros((2, 2, len(detectors), len(paths), len(seeds)))
    seconds = np.zeros(len(detectors))
    for p, path in enumerate(paths):
        X, y = anomaly_set(path)
        for s, seed in enumerate(seeds):
            train, test, truth = halves(X, y, seed)
            for d, name in enumerate(detectors):
                start = time.monotonic()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    for r, (fit, judge, labels) in enumerate(((X, X, y), (train, test, truth))):
                        strange = -scores(name, fit, judge, seed)
                        found[r, 0, d, p, s] = roc_auc_score(labels, strange)
                        found[r, 1, d, p, s] = average_precision_score(labels, strange)
                seconds[d] += time.monotonic() - start
            print(path.stem, seed, found[:, :, 0, p, s].round(3).tolist(), flush=True)
    mean = found.mean(-1)
    ranks = np.apply_along_axis(lambda each: rankdata(-each), 2, mean).mean(-1)
    spread = found.mean(3).std(-1)
    rows: Rows = {}
    for d, name in enumerate(detectors):
        row: Figures = {"tables": ["anomaly"], "sets": len(paths), "seeds": len(seeds)}
        for r, regime in enumerate("ab"):
            for m, metric in enumerate(("auc", "ap")):
                figure = f"{mean[r, m, d].mean():.3f} ± {spread[r, m, d]:.3f}"
                row |= {f"{metric}_{regime}": figure, f"{metric}_rank_{regime}": float(ranks[r, m, d])}
        row["seconds"] = round(float(seconds[d]) / (len(paths) * len(seeds) * 2), 2)
        rows[name] = row
    ours_by_set = {path.stem: mean[:, :, 0, p].round(3).tolist() for p, path in enumerate(paths)}
    rows[OURS]["by_set"] = ours_by_set
    return rows
