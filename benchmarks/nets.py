"""The three nets of the speed table, four times: the floor under a step, an expert's loop, and tacit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit import VAE, Bernoulli, Conv, Training
from tacit.recipes import recipe

STEPS = 50
"""Optimiser steps in one timed turn."""

Turn = Callable[[], None]
"""Trains STEPS steps."""


@dataclass(frozen=True)
class Net:
    """A model of tacit, and the same written out by hand."""

    name: str
    batch: int
    layers: tuple[tuple[int, int, bool], ...]
    """(in, out, whether the input is data) of each dense layer; none where the net is convolutional."""
    vae: VAE
    by_hand: Callable[[], nn.Module]

    @property
    def rows(self) -> int:
        return self.batch * STEPS


class Dense(nn.Module):
    """MLP encoder and decoder, Gaussian q, Bernoulli p: the loss of a batch."""

    def __init__(self, widths: tuple[int, ...], latent: int, activation: type[nn.Module]) -> None:
        super().__init__()
        up = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), activation())]
        self.encoder, self.latent = nn.Sequential(*up, nn.Linear(widths[-1], 2 * latent)), latent
        ways = (latent, *widths[:0:-1])
        down = [m for a, b in pairwise(ways) for m in (nn.Linear(a, b), activation())]
        self.decoder = nn.Sequential(*down, nn.Linear(widths[1], widths[0]))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        mu, log_var = self.encoder(x).chunk(2, -1)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        distortion = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        rate = 0.5 * (mu.square() + log_var.exp() - log_var - 1).sum()
        return (distortion + rate) / len(x)


class LabelAware(nn.Module):
    """The net of seed 001."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.Sigmoid(), nn.Linear(128, 20))
        self.classifier = nn.Sequential(nn.Linear(784, 128), nn.Sigmoid(), nn.Linear(128, 10))
        self.decoder = nn.Sequential(nn.Linear(20, 128), nn.Sigmoid(), nn.Linear(128, 784), nn.Sigmoid())

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        mu, raw = self.encoder(x).chunk(2, -1)
        variance, logits = 1e-5 + raw.exp(), self.classifier(x)
        z = mu + torch.randn_like(mu) * variance.sqrt()
        mean = self.decoder(torch.cat((z, logits.softmax(-1)), -1))
        distortion = 2 * (x - mean).square().sum()
        rate = 0.5 * (mu.square() + variance - variance.log() - 1).sum()
        return (distortion + rate) / len(x) + 10 * F.cross_entropy(logits, y)


class Convolutional(nn.Module):
    """Two stride-2 layers of 32 and 64 channels, a dense layer of 256, z of 20."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(3136, 256), nn.ReLU(), nn.Linear(256, 40)),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 3136), nn.ReLU(), nn.Unflatten(1, (64, 7, 7))),
            *(nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 3, 2, 1, 1)),
            nn.Flatten(),
        )

    forward = Dense.forward


GREY = Bernoulli(grey="expected")
NETS = {
    net.name: net
    for net in (
        Net(
            "zeldes",
            100,
            (
                (784, 128, True),
                (128, 20, False),
                (784, 128, True),
                (128, 10, False),
                (20, 128, False),
                (128, 784, False),
            ),
            recipe("zeldes").model,
            LabelAware,
        ),
        Net(
            "geron",
            150,
            (
                (784, 500, True),
                (500, 500, False),
                (500, 40, False),
                (20, 500, False),
                (500, 500, False),
                (500, 784, False),
            ),
            recipe("geron").model,
            lambda: Dense((784, 500, 500), 20, nn.ELU),
        ),
        Net("conv", 128, (), VAE(20, encoder=Conv(), likelihood=GREY), Convolutional),
    )
}


def floor(net: Net, x: Tensor) -> Turn:
    """The matrix products of a step alone: forward, and the gradients of weights and inputs."""
    if not net.layers:
        return convolutions(net, x)
    parts = []
    for n_in, n_out, first in net.layers:
        a, w, g = torch.randn(net.batch, n_in), torch.randn(n_out, n_in), torch.randn(net.batch, n_out)
        parts.append(
            (a, w, g, torch.empty_like(g), torch.empty_like(w), None if first else torch.empty_like(a))
        )

    def turn() -> None:
        for _ in range(STEPS):
            for a, w, g, out, dw, da in parts:
                torch.mm(a, w.T, out=out)
                torch.mm(g.T, a, out=dw)
                if da is not None:
                    torch.mm(g, w, out=da)

    return turn


def convolutions(net: Net, x: Tensor) -> Turn:
    """The same of a convolutional net: its layers without bias, activation, loss or optimiser."""
    built = [m for m in net.by_hand().modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    shapes = ((1, 28, 28), (32, 14, 14), (3136,), (256,), (20,), (256,), (64, 7, 7), (32, 14, 14))
    inputs = [torch.randn(net.batch, *shape).requires_grad_(i > 0) for i, shape in enumerate(shapes)]
    for layer in built:
        layer.bias = None
    outs = [torch.randn_like(layer(a)) for layer, a in zip(built, inputs, strict=True)]

    def turn() -> None:
        for _ in range(STEPS):
            for layer, a, g in zip(built, inputs, outs, strict=True):
                wanted = [t for t in (layer.weight, a) if t.requires_grad]
                torch.autograd.grad(layer(a), wanted, g)

    return turn


def expert(net: Net, x: Tensor) -> Turn:
    """What someone who knows PyTorch writes: tensors in memory, index gather, fused Adam."""
    torch.manual_seed(0)
    model, y = net.by_hand(), torch.arange(len(x)) % 10
    x = x.flatten(1)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def turn() -> None:
        for rows in torch.randperm(len(x)).split(net.batch):
            loss = model(x[rows], y[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return turn


def tacit(net: Net, x: Tensor, precision: str = "32-true") -> Turn:
    """The estimator as users call it, an epoch of STEPS steps a turn."""
    training = Training(epochs=10**6, batch_size=net.batch, precision=precision)
    y = None if net.vae.labels is None else (torch.arange(len(x)) % 10).numpy()
    epochs: Iterator[object] = net.vae.set_params(training=training, random_state=0).fit_iter(x.numpy(), y)
    return lambda: (next(epochs), None)[1]
