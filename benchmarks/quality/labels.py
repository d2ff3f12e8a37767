"""Few labels without an option: `VAE(labels=Enumerated(K))` beside classifiers of the labelled rows alone."""

import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import LabelSpreading

from reparam import VAE, Enumerated
from reparam.data.load import load

from ..markdown import Rows

SEEDS = (0, 1, 2)
TASKS = {"digits": 65, "mnist": 100}
"""Labelled rows of each data set."""


def labelled(y: np.ndarray, n: int, seed: int) -> np.ndarray:
    """n random rows; as many of each class where n is a multiple of ten."""
    order = np.random.default_rng(seed).permutation(len(y))
    if n % 10:
        return order[:n]
    return np.concatenate([order[y[order] == c][: n // 10] for c in range(10)])


def fitted(name: str, seed: int) -> dict[str, float]:
    train, test = load(name), load(f"{name}:test")
    known = labelled(train.y, TASKS[name], seed)
    y = np.full(len(train.X), -1)
    y[known] = train.y[known]
    flat, judged = (part.X.reshape(len(part.X), -1) for part in (train, test))

    def alone(model: Any) -> float:
        return float(model.fit(flat[known], y[known]).score(judged, test.y))

    start = time.monotonic()
    vae = VAE(labels=Enumerated(10), random_state=seed).fit(train.X, y)
    seconds = time.monotonic() - start
    found = {
        "ours": float((vae.predict(test.X) == test.y).mean()),
        "logistic": alone(LogisticRegression(max_iter=2000)),
        "network": alone(MLPClassifier((256, 256), max_iter=500, random_state=seed)),
        "seconds": seconds,
        "steps": vae.history_[-1]["step"],
    }
    if len(flat) < 5_000:
        spread = LabelSpreading(kernel="knn", n_neighbors=7).fit(flat, y)
        found["spreading"] = float(spread.score(judged, test.y))
    return found


def labels(seeds: tuple[int, ...] = SEEDS, names: tuple[str, ...] = tuple(TASKS)) -> Rows:
    rows: Rows = {}
    for name in names:
        each = [fitted(name, seed) for seed in seeds]

        def shown(key: str, each: list[dict[str, float]] = each) -> str:
            held = [found[key] for found in each if key in found]
            spread = f" ± {np.std(held):.3f}" if len(held) > 1 else ""
            return f"{np.mean(held):.3f}{spread}" if held else ""

        rows[f"{name}, {TASKS[name]} labels"] = {
            "tables": ["few-labels"],
            **{key: shown(key) for key in ("ours", "logistic", "network", "spreading")},
            "seconds": round(float(np.mean([found["seconds"] for found in each]))),
            "steps": round(float(np.mean([found["steps"] for found in each]))),
            "seeds": len(seeds),
        }
    return rows
