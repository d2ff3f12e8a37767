"""The nets of the speed tables in torch alone: for our own loops, and for peers to wrap in theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Figures = tuple[Tensor, Tensor, Tensor]
"""Loss, distortion and rate of a batch, nats per datum."""


class Dense(nn.Module):
    """MLP encoder and decoder, Gaussian q, Bernoulli p."""

    def __init__(self, widths: tuple[int, ...], latent: int, activation: type[nn.Module]) -> None:
        super().__init__()
        up = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), activation())]
        self.encoder = nn.Sequential(*up, nn.Linear(widths[-1], 2 * latent))
        down = [m for a, b in pairwise((latent, *widths[:0:-1])) for m in (nn.Linear(a, b), activation())]
        self.decoder = nn.Sequential(*down, nn.Linear(widths[1], widths[0]))

    def forward(self, x: Tensor, y: Tensor) -> Figures:
        mu, log_var = self.encoder(x).chunk(2, -1)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        distortion = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") / len(x)
        rate = 0.5 * (mu.square() + log_var.exp() - log_var - 1).sum() / len(x)
        return distortion + rate, distortion, rate


class LabelAware(nn.Module):
    """The recipe `zeldes`: a classifier's softmax joins z. Its distortion lacks the constant."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.Sigmoid(), nn.Linear(128, 20))
        self.classifier = nn.Sequential(nn.Linear(784, 128), nn.Sigmoid(), nn.Linear(128, 10))
        self.decoder = nn.Sequential(nn.Linear(20, 128), nn.Sigmoid(), nn.Linear(128, 784), nn.Sigmoid())

    def forward(self, x: Tensor, y: Tensor) -> Figures:
        mu, raw = self.encoder(x).chunk(2, -1)
        variance, logits = 1e-5 + raw.exp(), self.classifier(x)
        z = mu + torch.randn_like(mu) * variance.sqrt()
        mean = self.decoder(torch.cat((z, logits.softmax(-1)), -1))
        distortion = 2 * (x - mean).square().sum() / len(x)
        rate = 0.5 * (mu.square() + variance - variance.log() - 1).sum() / len(x)
        return distortion + rate + 10 * F.cross_entropy(logits, y), distortion, rate


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


@dataclass(frozen=True)
class Plain:
    """A net, its batch size, and what a peer without a language for nets has to be told.

    `bare` is the net without its classifier, which pythae and pyod have no place for; `steps` make an epoch.
    """

    batch: int
    build: Callable[[], nn.Module]
    bare: Callable[[], nn.Module]
    hidden: tuple[int, ...]
    latent: int
    activation: str
    steps: int = 50


def geron() -> nn.Module:
    return Dense((784, 500, 500), 20, nn.ELU)


def burda() -> nn.Module:
    """One stochastic layer of Burda et al. (2016): 784-200-200-z50, tanh."""
    return Dense((784, 200, 200), 50, nn.Tanh)


PLAIN = {
    "zeldes": Plain(
        100,
        LabelAware,
        lambda: Dense((784, 128), 10, nn.Sigmoid),
        (128,),
        latent=10,
        activation="sigmoid",
        steps=300,
    ),
    "geron": Plain(150, geron, geron, (500, 500), latent=20, activation="elu"),
    "conv": Plain(128, Convolutional, Convolutional, (), latent=20, activation="relu"),
}
