"""The five articles: each recipe is trained by the command line on the 60,000 MNIST training images (unless
runs/NAME is there), then measured on the 10,000 test images."""

import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

from reparam import VAE
from reparam.data.load import load

from .. import ROOT
from ..markdown import Figures


def trained(name: str, *words: str, recipe: str = "") -> VAE:
    """The model of runs/NAME, trained by the command line if it is not there."""
    run = ROOT / "runs" / name
    if not (run / "model.safetensors").is_file():
        code = "from reparam.cli.main import main; main()"
        command = [sys.executable, "-c", code, "fit", "mnist", "--recipe", recipe or name, "-o", str(run)]
        subprocess.run([*command, *words], check=True)
    vae = VAE.load(run / "model.safetensors")
    vae.history_ = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return vae


def common(vae: VAE, k: int) -> Figures:
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


def zeldes() -> Figures:
    """200 codes decoded as each digit, read by a classifier that reparam did not train."""
    vae, train, test = trained("zeldes"), load("mnist"), load("mnist:test")
    reader = MLPClassifier((200,), early_stopping=True, random_state=0)
    reader.fit(train.X.reshape(-1, 784), train.y)
    z = np.repeat(np.random.default_rng(0).standard_normal((200, 10)), 10, axis=0)
    asked = np.tile(np.arange(10), 200)
    read = reader.predict(vae.inverse_transform(z, asked).reshape(-1, 784))
    figures = {"reader_accuracy_on_test": float(reader.score(test.X.reshape(-1, 784), test.y))}
    return common(vae, 100) | auroc(vae) | figures | {"digits_read_right": float((read == asked).mean())}


def zeldes_detach() -> Figures:
    detached = "labels=Auxiliary(10, network=MLP((128,), 'sigmoid'), detach=True)"
    return common(trained("zeldes-detach", "--set", detached, recipe="zeldes"), 100)


def geron() -> Figures:
    vae = trained("geron")
    return common(vae, 100) | auroc(vae)


def guo() -> Figures:
    vae, test = trained("guo"), load("mnist:test")
    Z = vae.transform(test.X)
    half = KNeighborsClassifier(10).fit(Z[:5000], test.y[:5000])
    other = KNeighborsClassifier(10).fit(Z[5000:], test.y[5000:])
    right = (half.score(Z[5000:], test.y[5000:]) + other.score(Z[:5000], test.y[:5000])) / 2
    return common(vae, 100) | auroc(vae) | {"knn10_accuracy_in_the_plane": float(right)}


def frans_autoencoder() -> Figures:
    return common(trained("frans-autoencoder"), 1)


def frans() -> Figures:
    vae = trained("frans")
    return common(vae, 20) | auroc(vae)


ARTICLES: dict[str, Callable[[], Figures]] = {
    "zeldes": zeldes,
    "zeldes-detach": zeldes_detach,
    "geron": geron,
    "guo": guo,
    "frans-autoencoder": frans_autoencoder,
    "frans": frans,
}
