"""A trained model in use: its likelihood, codes and samples, against the same nets called by hand.

What is called by hand also takes and gives NumPy arrays. No time here depends on the weights.
"""

import math
import statistics
from dataclasses import replace

import numpy as np
import torch
from sklearn.base import clone
from torch import nn
from torch.nn.functional import softplus

from reparam import MLP, VAE, Training

from ..markdown import Rows
from ..peers.environment import children
from ..torch_nets import PLAIN, burda
from .timing import Effort, ratio, rounds, timed
from .training import VAES, Turn

Array = np.ndarray


@torch.no_grad()
def encode(net: nn.Module, X: Array) -> Array:
    return net.encoder(torch.from_numpy(X).flatten(1)).chunk(2, -1)[0].numpy()


@torch.no_grad()
def sample(net: nn.Module, n: int, latent: int) -> Array:
    return torch.bernoulli(net.decoder(torch.randn(n, latent)).sigmoid()).numpy()


@torch.no_grad()
def score(net: nn.Module, X: Array, k: int) -> Array:
    """log 1/k sum_s p(x, z_s) / q(z_s|x) of binary rows (n, *E), in nats, ten draws at a time: (n,)."""
    every = []
    for x in torch.bernoulli(torch.from_numpy(X).flatten(1)).split(128):
        mu, log_var = net.encoder(x).chunk(2, -1)
        pieces = []
        for _ in range(0, k, 10):
            noise = torch.randn(10, 1, mu.shape[1])
            z = mu + noise * (0.5 * log_var).exp()
            logits = net.decoder(z.flatten(0, 1)).reshape(10, *x.shape)
            log_px = torch.einsum("sbd,bd->sb", logits, x) - softplus(logits).sum(-1)
            log_ratio = 0.5 * (noise.square() + log_var - z.square()).sum(-1)
            pieces.append(log_px + log_ratio)
        every.append(torch.cat(pieces).logsumexp(0) - math.log(k))
    return torch.cat(every).numpy()


@torch.no_grad()
def products(net: nn.Module, images: int, k: int) -> None:
    """The decoder's matrix products alone, ten draws at a time of 128 images."""
    rows = 10 * min(images, 128)
    layers = [m for m in net.decoder if isinstance(m, nn.Linear)]
    inputs = [torch.randn(rows, m.in_features) for m in layers]
    outs = [torch.empty(rows, m.out_features) for m in layers]
    for _ in range(images * k // rows):
        for m, a, out in zip(layers, inputs, outs, strict=True):
            torch.mm(a, m.weight.T, out=out)


def fitted(vae: VAE, X: Array) -> VAE:
    training = replace(vae.training or Training(), epochs=1)
    return clone(vae).set_params(training=training, random_state=0).fit(X)


COMPILED = "reparam, `score_samples` of 2,048 images, compilation included"


def likelihood(effort: Effort) -> Rows:
    """Images a second, k = 5,000 draws an image, of the net of one stochastic layer of Burda et al.; of many
    images the draws are compiled."""
    images, many, few, k = (128, 256, 16, 50) if effort.small else (128, 2048, 16, 5000)
    X = np.random.default_rng(0).integers(0, 2, (many, 784)).astype(np.float32)
    vae, net = fitted(VAE(50, encoder=MLP((200, 200), "tanh")), X[:images]), burda()
    large, X = X, X[:images]
    turns = {
        COMPILED: (lambda: vae.score_samples(large, n_samples=k), many),
        "reparam, `score_samples`": (lambda: vae.score_samples(X, n_samples=k), images),
        "reparam, `evaluate`": (lambda: vae.evaluate(X, k=k), images),
        "by hand": (lambda: score(net, X, k), images),
        "its products": (lambda: products(net, images, k), images),
    }
    tasks = {"pythae": "likelihood"} if effort.peers else {}
    with children(tasks, effort.threads, few, k) as (peers, absent):
        seconds = rounds({who: timed(turn) for who, (turn, _) in turns.items()} | peers, effort.rounds)
    each = {who: [s / turns.get(who, (None, few))[1] for s in ss] for who, ss in seconds.items()}
    rows = {who: {"k": k, "images": 1 / statistics.median(ss)} for who, ss in each.items()}
    for who in rows:
        against = {
            f"against {other}": ratio(each, other, who) for other in ("by hand", "pythae") if other in each
        }
        rows[who] |= against
    return rows | {who: {"images": word} for who, word in absent.items()}


def verbs(name: str, X: Array, few: int, k: int) -> dict[str, tuple[int, Turn, Turn]]:
    """Of each verb how many rows it gives, reparam's way and by hand."""
    vae, net, latent = fitted(VAES[name], X[:1000]), PLAIN[name].build(), PLAIN[name].latent
    return {
        "encode": (len(X), lambda: vae.transform(X), lambda: encode(net, X)),
        "sample": (len(X), lambda: vae.sample(len(X)), lambda: sample(net, len(X), latent)),
        "score": (few, lambda: vae.score_samples(X[:few], n_samples=k), lambda: score(net, X[:few], k)),
    }


def use(effort: Effort) -> Rows:
    """Rows a second of `transform`, `sample` and `score_samples` (k = 100), and by hand."""
    rows = {}
    many, few, k = (128, 128, 10) if effort.small else (10_000, 256, 100)
    X = np.random.default_rng(0).random((many, 28, 28)).astype(np.float32)
    for name in ("geron", "conv"):
        for verb, (n, ours, by_hand) in verbs(name, X, few, k).items():
            seconds = rounds({"reparam": timed(ours), "hand": timed(by_hand)}, effort.rounds)
            speeds = {who: round(n / statistics.median(each)) for who, each in seconds.items()}
            rows[f"{name}, {verb}"] = speeds | {"share": ratio(seconds, "hand", "reparam")}
    return rows
