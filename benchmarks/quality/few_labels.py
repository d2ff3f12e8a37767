"""MNIST with ten labels a class: M2 and M1+M2 against a classifier of the labelled rows alone."""

import time
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from reparam import ELBO, MLP, VAE, Cosine, CrossEntropy, Enumerated, Training
from reparam.data.load import load
from reparam.recipes import recipe

from ..markdown import Figures


def few_labels(labelled: int = 100) -> tuple[Any, Any, float]:
    """MNIST with ten labels a class: X, y (-1 where unknown), and how well scikit-learn's network does with
    the labelled rows alone. These are repeated to a tenth of all, so that each batch holds some."""
    train, test = load("mnist"), load("mnist:test")
    order = np.random.default_rng(0).permutation(len(train.X))
    known = np.concatenate([order[train.y[order] == c][: labelled // 10] for c in range(10)])
    alone = MLPClassifier((500,), max_iter=500, random_state=0)
    alone.fit(train.X[known].reshape(labelled, -1), train.y[known])
    again = np.repeat(known, len(train.X) // (10 * labelled))
    X = np.concatenate([train.X, train.X[again]])
    y = np.concatenate([np.full(len(train.X), -1), train.y[again]])
    return X, y, float(alone.score(test.X.reshape(-1, 784), test.y))


def labels(model: Any, last: VAE, X: Any, y: Any, alone: float) -> Figures:
    """The row of a model that is fitted to few labels; `last` is its part that counts epochs."""
    test, start = load("mnist:test"), time.monotonic()
    model.fit(X, y)
    return {
        "tables": ["labels"],
        "epochs": len(last.history_),
        "seconds": round(time.monotonic() - start),
        "accuracy": float((model.predict(test.X) == test.y).mean()),
        "alone": alone,
    }


def m2(epochs: int = 30) -> Figures:
    vae = VAE(
        50,
        encoder=MLP((256, 256)),
        likelihood=recipe("m2").model.likelihood,
        labels=Enumerated(10, MLP((256, 256))),
        objective=(ELBO(), CrossEntropy(50)),
        training=Training(epochs=epochs, batch_size=200),
        random_state=0,
    )
    return labels(vae, vae, *few_labels())


def m1m2(epochs: int = 25, batch_size: int = 200) -> Figures:
    """The recipe's two steps, each of so many epochs at a rate that falls from 2e-3."""
    X, y, alone = few_labels()
    rate = Cosine(2e-3, 1e-5, epochs * len(X) // batch_size)
    training = Training(epochs, batch_size, rate)
    steps = {
        f"{step}__{name}": value
        for step in ("vae-1", "vae-2")
        for name, value in (("training", training), ("random_state", 0))
    }
    model = recipe("m1m2").model.set_params(**steps)
    return labels(model, model.named_steps["vae-2"], X, y, alone)


FEW_LABELS = {"m2": m2, "m1m2": m1m2}
