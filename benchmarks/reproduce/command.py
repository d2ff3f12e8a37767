"""The figures of docs/results.md: `python -m benchmarks.reproduce [NAME ...]`, or `make reproduce`.

Each recipe of the articles is trained on the 60,000 MNIST training images by its own name (unless
runs/NAME is there), then measured on the 10,000 test images. `--epochs` is another budget for the rows that
have one, `--compile` trains them by compiled steps.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

from reparam import VAE
from reparam.data.load import load

from ..quality.disentanglement import FACTORS
from ..markdown import fill, markdown
from .log_likelihoods import PUBLISHED
from ..quality.against_time import MARKS, quality
from ..quality.parts import VOCABULARY

RUNS, RESULTS, PAGE = Path("runs"), Path("docs/results.json"), Path("docs/results.md")


def trained(name: str, *words: str, recipe: str = "") -> VAE:
    """The model of runs/NAME, trained by the command line if it is not there."""
    run = RUNS / name
    if not (run / "model.safetensors").is_file():
        code = "from reparam.cli.main import main; main()"
        command = [sys.executable, "-c", code, "fit", "mnist", "--recipe", recipe or name, "-o", str(run)]
        subprocess.run([*command, *words], check=True)
    vae = VAE.load(run / "model.safetensors")
    vae.history_ = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return vae


def common(vae: VAE, k: int) -> dict[str, object]:
    test, rows = load("mnist:test"), 10_000
    result = vae.evaluate(test.X[:rows], test.y[:rows] if vae.classes_ is not None else None, k).to_dict()
    figures = {"tables": ["articles"], "seconds": round(vae.history_[-1]["seconds"])}
    return figures | {"epochs": len(vae.history_)} | result


def auroc(vae: VAE) -> dict[str, float]:
    """How well the score tells 2,000 test digits from uniform noise and from fashion-mnist:test."""
    digits = vae.score_samples(load("mnist:test").X[:2000], n_samples=20)
    noise = np.random.default_rng(0).uniform(size=(2000, 28, 28)).astype(np.float32)
    others = {"noise": noise, "fashion": load("fashion-mnist:test").X[:2000]}
    truth = np.r_[np.ones(2000), np.zeros(2000)]
    scores = {name: vae.score_samples(X, n_samples=20) for name, X in others.items()}
    areas = {f"auroc_{name}": float(roc_auc_score(truth, np.r_[digits, s])) for name, s in scores.items()}
    return {"tables": ["articles", "auroc"]} | areas


def zeldes() -> dict[str, object]:
    """200 codes decoded as each digit, read by a classifier that reparam did not train."""
    vae, train, test = trained("zeldes"), load("mnist"), load("mnist:test")
    reader = MLPClassifier((200,), early_stopping=True, random_state=0)
    reader.fit(train.X.reshape(-1, 784), train.y)
    z = np.repeat(np.random.default_rng(0).standard_normal((200, 10)), 10, axis=0)
    asked = np.tile(np.arange(10), 200)
    read = reader.predict(vae.inverse_transform(z, asked).reshape(-1, 784))
    figures = {"reader_accuracy_on_test": float(reader.score(test.X.reshape(-1, 784), test.y))}
    return common(vae, 100) | auroc(vae) | figures | {"digits_read_right": float((read == asked).mean())}


def zeldes_detach() -> dict[str, object]:
    detached = "labels=Auxiliary(10, network=MLP((128,), 'sigmoid'), detach=True)"
    return common(trained("zeldes-detach", "--set", detached, recipe="zeldes"), 100)


def geron() -> dict[str, object]:
    vae = trained("geron")
    return common(vae, 100) | auroc(vae)


def guo() -> dict[str, object]:
    vae, test = trained("guo"), load("mnist:test")
    Z = vae.transform(test.X)
    half = KNeighborsClassifier(10).fit(Z[:5000], test.y[:5000])
    other = KNeighborsClassifier(10).fit(Z[5000:], test.y[5000:])
    right = (half.score(Z[5000:], test.y[5000:]) + other.score(Z[:5000], test.y[:5000])) / 2
    return common(vae, 100) | auroc(vae) | {"knn10_accuracy_in_the_plane": float(right)}


def frans_autoencoder() -> dict[str, object]:
    return common(trained("frans-autoencoder"), 1)


def frans() -> dict[str, object]:
    vae = trained("frans")
    return common(vae, 20) | auroc(vae)


FIGURES: dict[str, Callable[[], dict[str, object]]] = {
    "zeldes": zeldes,
    "zeldes-detach": zeldes_detach,
    "geron": geron,
    "guo": guo,
    "frans-autoencoder": frans_autoencoder,
    "frans": frans,
    **VOCABULARY,
    **PUBLISHED,
    **FACTORS,
}
RACES: dict[str, Callable[[], dict[str, dict[str, object]]]] = {"quality": quality}
"""Several rows of one run."""
BUDGETED = PUBLISHED | FACTORS


ARTICLES = {
    "epochs": "epochs",
    "seconds": "seconds",
    "log_likelihood": "log-likelihood",
    "elbo": "ELBO",
    "rate": "rate",
    "distortion": "distortion",
    "active_units": "active units",
    "accuracy": "accuracy",
}
AUROC = {"auroc_noise": "against noise", "auroc_fashion": "against fashion-mnist"}


STATIC = {"epochs": "epochs", "seconds": "seconds", "log_likelihood": "log-likelihood", "ess": "ESS"}
RATES = {"rate": "rate", "distortion": "distortion", "active_by_kl": "dimensions above 0.01 nat"}
RUNGS = {"epochs": "epochs", "seconds": "seconds"}
RUNGS |= {f"rate_{i}": f"rate of rung {i}" for i in range(3)} | {"log_likelihood": "log-likelihood"}
LABELS = {
    "alone": "a classifier alone",
    "accuracy": "with the unlabelled",
    "epochs": "epochs",
    "seconds": "seconds",
}
RACED = {"nll": "test NLL after", "epochs": "epochs in"}
BUDGET = {"epochs": "epochs", "published_epochs": "published epochs"}
RUN = {"seconds": "seconds", "machine": "machine", "command": "command"}
NLL = {
    "source": "source",
    "published": "published",
    "ours": "ours",
    "difference": "ours - published",
    "k": "k",
}
MIG = {"mig_median": "MIG, median", "mig_quartiles": "quartiles", "seeds": "seeds", "elbo": "ELBO"}
RACE = {f"{key}_{mark}": f"{title} {mark} s" for mark in MARKS for key, title in RACED.items()}
TABLES = {
    "articles": ARTICLES,
    "auroc": AUROC,
    "static": STATIC | RATES,
    "rungs": RUNGS,
    "labels": LABELS,
    "published": NLL | BUDGET | RUN,
    "factors": MIG | BUDGET | RUN,
    "quality": RACE | {"machine": "machine", "command": "command"},
}


def write(results: dict[str, dict[str, object]]) -> None:
    """The JSON, and the tables of the page between their markers; a row may stand in several."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    every = {
        mark: markdown({n: row for n, row in results.items() if mark in row["tables"]}, columns, "recipe")
        for mark, columns in TABLES.items()
    }
    fill(PAGE, every)


def machine() -> str:
    if torch.cuda.is_available():
        return f"{platform.machine()}, {torch.cuda.get_device_name()}"
    return f"{platform.machine()}, CPU, {torch.get_num_threads()} threads"


def measured(name: str, **budget: int) -> dict[str, dict[str, object]]:
    """The rows of one name, with what it takes to get them again."""
    words = [name, *(f"--{key}" if value is True else f"--{key} {value}" for key, value in budget.items())]
    ran = {"machine": machine(), "command": f"`python -m benchmarks.reproduce {' '.join(words)}`", "seed": 0}
    if name in RACES:
        found = RACES[name]()
    else:
        found = {name: (replace(BUDGETED[name], **budget) if budget else FIGURES[name])()}
    return {row: figures | ran for row, figures in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*FIGURES, *RACES]))
    parser.add_argument("--epochs", type=int, help=f"of {', '.join(BUDGETED)}")
    parser.add_argument("--compile", action="store_true", default=None, help="compile their steps")
    words = parser.parse_args()
    if unknown := set(words.names) - {*FIGURES, *RACES}:
        parser.error(f"there is no {', '.join(unknown)}: {', '.join([*FIGURES, *RACES])}")
    budget = {key: value for key, value in vars(words).items() if key != "names" and value is not None}
    if budget and not set(words.names or FIGURES) <= set(BUDGETED):
        parser.error(f"--{next(iter(budget))} is for {', '.join(BUDGETED)}")
    for name in words.names or [*FIGURES, *RACES]:
        rows = measured(name, **budget)
        results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        write(results | rows)
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
