"""Hashes of what fits give, bit for bit on one thread, to be compared before and after a change.

Every recipe, tables with holes, a series, sparse counts, a stream, pixels with holes, a warm start, annealed
importance sampling and two processes: weights after two epochs, history, scores, codes, samples,
reconstructions, evaluation, imputation, and the weights of a training that was stopped and resumed. A machine
or a version of torch has hashes of its own.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone

import reparam as rp
from reparam import VAE
from reparam.recipes import RECIPES
from reparam.recipes.base import PLAIN

Hashes = dict[str, Any]
"""By what is hashed; the text "" stands for the only thing of its case."""

BRIEF = replace(PLAIN, epochs=2, batch_size=50)


def digest(*parts: Any) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        if isinstance(part, pd.DataFrame):
            hashed.update(part.to_csv().encode())
        elif isinstance(part, torch.Tensor):
            hashed.update(part.detach().contiguous().numpy().tobytes())
        elif isinstance(part, np.ndarray):
            hashed.update(np.ascontiguousarray(part).tobytes())
        else:
            hashed.update(json.dumps(part, default=str).encode())
    return hashed.hexdigest()[:16]


def weights(vae: VAE) -> str:
    return digest(*vae.model_.state_dict().values())


def history(vae: VAE) -> str:
    keys = ("epoch", "loss", "bound", "rate", "distortion")
    return digest(
        [[*(row[k] for k in keys), list(row["terms"].values()), row["validation"]] for row in vae.history_]
    )


def evaluation(vae: VAE, X: Any, y: Any = None) -> str:
    """All figures, without the texts of warnings and the names of columns."""
    e = vae.evaluate(X, y, 20)
    likelihood = None if e.log_likelihood is None else [e.log_likelihood.mean, e.log_likelihood.se]
    bounds = None if e.bound_by_k is None else list(e.bound_by_k.values())
    columns = None if e.distortion_by_column is None else list(e.distortion_by_column.values())
    figures = [e.n, e.k, likelihood, e.bits_per_dim, e.elbo, e.rate, e.distortion, e.active_units, e.ess]
    figures += [e.accuracy, len(e.warnings), bounds, e.pareto_k, e.rate_by_layer, e.rate_by_dimension]
    figures += [e.active_by_kl, e.mutual_information, e.aggregate_kl, e.calibration_error, columns]
    return digest(figures)


def uses(vae: VAE, X: Any, y: Any) -> Hashes:
    """What a fitted model gives for the first rows; a refusal counts by its type."""
    few, known = (X.iloc[:40] if isinstance(X, pd.DataFrame) else X[:40]), None if y is None else y[:40]
    label = None if vae.classes_ is None else vae.classes_[0]
    verbs: dict[str, Callable[[], str]] = {
        "scores": lambda: digest(vae.score_samples(few, known, 20)),
        "codes": lambda: digest(vae.transform(few, known)),
        "samples": lambda: digest(vae.sample(8, label=label, random_state=3)),
        "reconstruct": lambda: digest(vae.reconstruct(few, known)),
        "evaluation": lambda: evaluation(vae, few, known),
        "impute": lambda: digest(
            vae.impute(few, known, n_samples=10), *vae.impute(few, known, draws=2, n_samples=10)
        ),
        "cells": lambda: digest(vae.score_cells(few, known, 10)),
    }
    if hasattr(vae, "predict_proba"):
        verbs["predict"] = lambda: digest(vae.predict_proba(few))
    found = {}
    for verb, turn in verbs.items():
        try:
            found[verb] = turn()
        except Exception as error:
            found[verb] = type(error).__name__
    return found


def fitted(vae: VAE, X: Any, y: Any = None) -> tuple[VAE, Hashes]:
    """The model with its weights and history, and the weights after a stop at the first epoch."""
    vae = clone(vae).set_params(random_state=0).fit(X, y)
    stopped, resumed = clone(vae), clone(vae)
    with tempfile.TemporaryDirectory() as folder:
        saved, epochs = Path(folder) / "training.safetensors", stopped.fit_iter(X, y)
        next(epochs)
        stopped.save_training(saved)
        for _ in resumed.fit_iter(X, y, resume=saved):
            pass
    return vae, {"weights": weights(vae), "history": history(vae), "resume": weights(resumed)}


def used(vae: VAE, X: Any, y: Any = None) -> Hashes:
    vae, found = fitted(vae, X, y)
    return found | uses(vae, X, y)


def data_of(name: str) -> tuple[Any, Any]:
    """Rows of the bundled digits, made into what a recipe is for."""
    recipe, digits = RECIPES[name], rp.load("digits")
    n = recipe.rows or 200
    X, y = digits.X[:n], np.arange(n) if recipe.rows else digits.y[:n]
    if recipe.model.window:
        return np.sin(np.arange(400) / 5), None
    if isinstance(recipe.model.likelihood, rp.DiscretizedLogistic):
        X = (255 * X).round()
    if recipe.data.startswith("a sparse"):
        X = np.floor(16 * X).reshape(len(X), -1)
    return X, None if recipe.model.labels is None else y


def recipe(name: str) -> Hashes:
    X, y = data_of(name)
    model, then = RECIPES[name].model, RECIPES[name].then
    training = replace(model.training or BRIEF, epochs=2, batch_size=50)
    vae, found = fitted(clone(model).set_params(training=training), X, y)
    found |= uses(vae, X, y)
    if then is not None:
        vae.refit_prior(X, then, y, training=rp.Training(epochs=2, batch_size=50, learning_rate=1e-3))
        found["refit"] = digest(*vae.model_.state_dict().values(), vae.sample(4, random_state=1))
    return found


def table(**parts: Any) -> Hashes:
    """Columns of every kind, a tenth of their cells missing."""
    rng, n = np.random.default_rng(0), 200
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "income": np.exp(rng.normal(10, 1, n)),
            "children": rng.poisson(1.5, n),
            "sex": rng.choice(["f", "m"], n),
            "grade": rng.integers(1, 6, n),
            "smokes": rng.random(n) < 0.3,
            "born": pd.Timestamp("1980-01-01") + pd.to_timedelta(rng.integers(0, 9000, n), unit="D"),
            "size": pd.Categorical(rng.choice(["S", "M", "L"], n), ["S", "M", "L"], ordered=True),
        }
    )
    holes = rng.random(frame.shape) < 0.1
    frame = frame.astype({"children": "float64", "grade": "float64"}).mask(holes)
    y = np.arange(n) % 2 if "labels" in parts else None
    vae, found = fitted(VAE(3, **({"training": BRIEF} | parts)), frame, y)
    found |= uses(vae, frame, y)
    if y is None:
        found["given"] = digest(vae.sample(5, given={"sex": "f"}, random_state=0))
    return found


def made_up() -> tuple[np.ndarray, csr_matrix, np.ndarray]:
    """A series with a gap (300,), sparse counts (150, 30), and rows of numbers (240, 5), of one generator."""
    rng = np.random.default_rng(1)
    series = np.sin(np.arange(300) / 7) + 0.1 * rng.normal(size=300)
    series[50:60] = np.nan
    counts = csr_matrix(rng.poisson(0.3, (150, 30)).astype(np.float32))
    return series, counts, rng.normal(size=(240, 5)).astype(np.float32)


def series() -> Hashes:
    training = replace(BRIEF, validation=0.2, missing=0.02)
    return used(VAE(3, window=20, training=training), made_up()[0])


def sparse() -> Hashes:
    counts = made_up()[1]
    vae, found = fitted(VAE(3, training=BRIEF), counts)
    few = counts[:30]
    return found | {"scores": digest(vae.score_samples(few, None, 10)), "evaluation": evaluation(vae, few)}


def stream() -> Hashes:
    rows = made_up()[2]
    pieces = rp.Stream([60] * 4, lambda i: rows[60 * i : 60 * (i + 1)], 4 * 5 * 100)
    vae, found = fitted(VAE(2, training=replace(BRIEF, validation=0.3)), pieces)
    return found | {"scores": digest(vae.score_samples(pieces, None, 10))}


def holes() -> Hashes:
    X = rp.load("digits").X[:200].copy()
    X[::3, 2:5] = np.nan
    likelihood = rp.Gaussian(scale=rp.Shared())
    return used(VAE(4, likelihood=likelihood, training=replace(BRIEF, missing=0.1)), X)


def pixels() -> tuple[VAE, np.ndarray]:
    X = (rp.load("digits").X[:200] > 0.5).astype(np.float32)
    return VAE(4, training=BRIEF, random_state=0).fit(X), X


def ais() -> Hashes:
    vae, X = pixels()
    found = vae.evaluate(X[:20], k=5, ais=10).ais
    return {"": digest([found.log_likelihood, found.se, found.acceptance, found.lower, found.upper])}


def warm() -> Hashes:
    vae, X = pixels()
    return {"weights": weights(vae.set_params(warm_start=True).fit(X))}


def interpolate() -> Hashes:
    """Of the model of a warm start."""
    vae, X = pixels()
    vae.set_params(warm_start=True).fit(X)
    return {"": digest(vae.interpolate(X[0], X[1], 5), vae.traverse(X[0], 1, 5))}


PROGRAM = """
import hashlib, os, sys, torch
from reparam import VAE, Auxiliary, GumbelSigmoid, Training, load

torch.set_num_threads(1)
digits = load("digits")
X, y = (digits.X[:300] > 0.5).astype("float32"), digits.y[:300]
training, hashed = Training(epochs=2, batch_size=97, devices=2), hashlib.sha256()
for vae, labels in (
    (VAE(4, training=training), None),
    (VAE(4, labels=Auxiliary(10), training=training), y),
    (VAE(8, posterior=GumbelSigmoid(), training=training), None),
):
    for tensor in vae.set_params(random_state=0).fit(X, labels).model_.state_dict().values():
        hashed.update(tensor.numpy().tobytes())
open(sys.argv[1] + os.environ.get("LOCAL_RANK", "0"), "w").write(hashed.hexdigest()[:16])
"""


def two_processes() -> Hashes:
    """The weights that each of two processes ends with."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(PROGRAM)
        subprocess.run([sys.executable, program, f"{folder}/of-"], check=True, timeout=300)
        return {"": [Path(f"{folder}/of-{rank}").read_text() for rank in (0, 1)]}


CASES: dict[str, Callable[[], Hashes]] = {
    **{name: partial(recipe, name) for name, made in RECIPES.items() if isinstance(made.model, VAE)},
    "table": table,
    "table-iwae": partial(
        table,
        objective=rp.IWAE(5),
        training=replace(BRIEF, validation=0.2, patience=1, clip=1.0, ema=0.9),
    ),
    "table-aux": partial(table, labels=rp.Auxiliary(2)),
    "series": series,
    "sparse": sparse,
    "stream": stream,
    "holes": holes,
    "ais": ais,
    "warm": warm,
    "interpolate": interpolate,
    "two-processes": two_processes,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the hashes there, as JSON")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="say what differs from these; exit 1 if any"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CASES, help=f"of {', '.join(CASES)}")


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    names = arguments.only or list(CASES)
    before = json.loads(arguments.against.read_text()) if arguments.against else {}
    hashes: Hashes = {}
    for name in names:
        with warnings.catch_warnings(action="ignore"):
            hashes |= {f"{name}/{what}".rstrip("/"): found for what, found in CASES[name]().items()}
    if arguments.output:
        arguments.output.write_text(json.dumps(hashes, indent=1) + "\n")
    if arguments.against:
        asked = before if arguments.only is None else {k for k in before if k.split("/")[0] in names}
        differ = [key for key in {**hashes, **dict.fromkeys(asked)} if hashes.get(key) != before.get(key)]
        print(f"{len(hashes)} hashes, {len(differ)} differ", *differ, sep="\n")
        sys.exit(bool(differ))
    print(f"{len(hashes)} hashes" if arguments.output else json.dumps(hashes, indent=1))
