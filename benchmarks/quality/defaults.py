"""What a fit with no option gives on every data set of $REPARAM_DATA, beside the defaults of version 0.1.

Both have the same seconds of training, at most LIMIT; the log-likelihood is that of the same test rows.
"""

import statistics
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reparam import ELBO, MLP, VAE, Conv, Training
from reparam.nn.networks import default_network
from reparam.recipes.base import PLAIN
from reparam.training.precision import Precision

from ..markdown import Figures
from .data import data_sets

LIMIT, SEEDS, SIZES = 60.0, (0, 1, 2), (10, 16, 24, 32)
PRECISIONS: tuple[Precision, Precision] = ("32-true", "medium")


@dataclass(frozen=True)
class Fitted:
    scores: np.ndarray
    seconds: float
    steps: int
    active: int


def before(train: Any) -> dict[str, Any]:
    """The arguments that version 0.1 had as defaults: 10,000 steps at a constant rate, relu."""
    steps = -(-train.shape[0] // 128)
    epochs = min(max(20, -(-10_000 // steps)), 1000)
    network = default_network(train.shape[1:])
    relu = replace(network, activation="relu") if isinstance(network, MLP | Conv) else network
    return {"encoder": relu, "objective": ELBO(), "training": replace(PLAIN, epochs=epochs)}


def now(train: Any) -> dict[str, Any]:
    return {}


def fitted(train: Any, test: Any, arguments: dict[str, Any], seed: int, limit: float) -> Fitted:
    """A fit of at most `limit` seconds."""
    vae, start = VAE(**arguments, random_state=seed), time.monotonic()
    epochs = vae.fit_iter(train)
    for _ in epochs:
        if time.monotonic() - start > limit:
            epochs.close()  # type: ignore[attr-defined]
            break
    seconds = time.monotonic() - start
    k = 50 if test.shape[1] * (test.shape[2] if len(test.shape) > 2 else 1) > 300 else 200
    result = vae.evaluate(test, k=k)
    assert result.log_likelihood_by_row is not None
    scores = result.log_likelihood_by_row.numpy()
    return Fitted(scores, seconds, vae.history_[-1]["step"], result.active_by_kl or 0)


def compared(name: str, seeds: tuple[int, ...] = SEEDS, limit: float = LIMIT) -> Figures:
    """The row of a data set: means over seeds, the difference of test rows with its standard error, and the
    spread of that difference over seeds."""
    train, test = data_sets()[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old, new = (
            [fitted(train, test, arguments(train), seed, limit) for seed in seeds]
            for arguments in (before, now)
        )
    gains = np.mean([b.scores - a.scores for a, b in zip(old, new, strict=True)], 0)
    by_seed = [float((b.scores - a.scores).mean()) for a, b in zip(old, new, strict=True)]
    return {
        "tables": ["defaults"],
        "rows": train.shape[0],
        "before": float(np.mean([each.scores.mean() for each in old])),
        "now": float(np.mean([each.scores.mean() for each in new])),
        "gain": {"mean": float(gains.mean()), "se": float(gains.std(ddof=1) / len(gains) ** 0.5)},
        "spread": statistics.stdev(by_seed) if len(by_seed) > 1 else 0.0,
        "seconds_before": round(statistics.mean(each.seconds for each in old), 1),
        "seconds": round(statistics.mean(each.seconds for each in new), 1),
        "steps": round(statistics.mean(each.steps for each in new)),
        "active": round(statistics.mean(each.active for each in new), 1),
        "seeds": len(seeds),
    }


def latents(name: str, sizes: tuple[int, ...] = SIZES, limit: float = LIMIT) -> dict[str, Figures]:
    """What a latent of each size gives on a data set, all else as it is by default."""
    train, test = data_sets()[name]()
    found = {f"{name}, {size}": fitted(train, test, {"latent_dim": size}, 0, limit) for size in sizes}
    return {
        row: {"nats": float(each.scores.mean()), "steps": each.steps, "active": each.active}
        for row, each in found.items()
    }


def precisions(name: str, seeds: tuple[int, ...] = SEEDS, limit: float = LIMIT) -> dict[str, Figures]:
    """What products in bfloat16 change: fits that stop by themselves, of many rows about 3,000 steps."""
    train, test = data_sets()[name]()
    epochs = round(3000 * 128 / train.shape[0]) if train.shape[0] > 5000 else None
    found: dict[str, Figures] = {}
    for seed in seeds:
        exact, rounded = (
            fitted(train, test, {"training": Training(epochs=epochs, precision=precision)}, seed, limit)
            for precision in PRECISIONS
        )
        nats = {"float32": float(exact.scores.mean()), "medium": float(rounded.scores.mean())}
        found[f"{name}, {seed}"] = {
            **nats,
            "difference": nats["medium"] - nats["float32"],
            "seconds_float32": exact.seconds,
            "seconds": rounded.seconds,
        }
    return found
