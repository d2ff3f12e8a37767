"""What priors, free bits and ladders are good for, each against the same model without it."""

from typing import Any

import torch

from reparam import ELBO, MLP, Cosine, Training
from reparam.data.load import load
from reparam.recipes import recipe

from ..markdown import Figures


def static(name: str, epochs: int = 60, **parts: Any) -> Figures:
    """A recipe, but for `parts`, on statically binarised MNIST: test log-likelihood, k = 200."""
    X, batch_size = load("binarized-mnist").X, 100
    rate = Cosine(1e-3, 1e-5, epochs * len(X) // batch_size)
    training = Training(epochs, batch_size, rate, clip=10, ema=None)
    vae = recipe(name).model.set_params(training=training, random_state=0, **parts)
    vae.fit(X)
    figures = vae.evaluate(load("binarized-mnist:test").X, k=200).to_dict()
    return {"tables": ["static"], "epochs": epochs, "seconds": round(vae.history_[-1]["seconds"])} | figures


def ladder(free_bits: float, epochs: int = 30, **words: Any) -> Figures:
    """Three stochastic layers on statically binarised MNIST: which of them have a KL above 0?"""
    vae = recipe("ladder").model.set_params(
        objective=ELBO(free_bits=free_bits, free_per="layer"),
        training=Training(epochs, **({"learning_rate": 1e-3} | words), batch_size=100, clip=10, skip=1000),
        random_state=0,
    )
    test = load("binarized-mnist:test").X
    vae.fit(load("binarized-mnist").X)
    with torch.no_grad():
        rates = [float(rate.mean()) for rate in vae.model_(torch.as_tensor(test)).rates]
    figures = vae.evaluate(test, k=200).to_dict()
    figures |= {f"rate_{i}": rate for i, rate in enumerate(rates)}
    return {"tables": ["layers"], "epochs": epochs, "seconds": round(vae.history_[-1]["seconds"])} | figures


PARTS = {
    "vae": lambda: static("vae"),
    "free-bits": lambda: static("free-bits"),
    "vae-relu": lambda: static("vae", encoder=MLP((200, 200))),
    "vampprior": lambda: static("vampprior"),
    "ladder-plain": lambda: ladder(0.0),
    "ladder": lambda: ladder(1.0),
    "ladder-long": lambda: ladder(1.0, 75, learning_rate=Cosine(1e-3, 1e-5, 37_500), compile=True),
}
