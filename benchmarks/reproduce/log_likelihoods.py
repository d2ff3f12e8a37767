"""Published test log-likelihoods of MNIST beside ours. An `Entry` is what was published, where, and the
recipe; `epochs` is our budget, `published_epochs` theirs."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.base import clone
from torch import Tensor, nn

from reparam import CIWAE, ELBO, IWAE, MIWAE, MLP, PIWAE, Cosine, Linear, Training, VampPrior
from reparam.data.load import load
from reparam.nn.networks import Network
from reparam.recipes import recipe
from reparam.specs.schedules import Ramp
from reparam.tensors import Shape, numel
from reparam.training.config import Adam

from ..markdown import Figures


@dataclass(frozen=True, repr=False)
class Stages(Ramp):
    """start, and in eight stages of 3^i shares of the steps each down to stop, by equal factors.

    With 3,280 epochs and 1e-3 to 1e-4 it is the schedule of Burda et al. (2016), section 5: 1e-3 * 10^(-i/7)
    for 3^i epochs, i = 0 .. 7.
    """

    def __call__(self, step: int) -> float:
        ends = [(3**i - 1) / 2 for i in range(1, 8)]
        stage = sum(step * 3280 / self.steps >= end for end in ends)
        return self.start * (self.stop / self.start) ** (stage / 7)


class Gate(nn.Module):
    """A dense layer times the sigmoid of another."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(n_in, n_out), nn.Linear(n_in, n_out)
        for layer in (self.value, self.gate):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, h: Tensor) -> Tensor:
        return self.value(h) * self.gate(h).sigmoid()


class GatedEncoder(nn.Sequential):
    def __init__(self, n_in: int, width: int) -> None:
        super().__init__(nn.Flatten(), Gate(n_in, width), Gate(width, width))
        self.n_out = width

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        return super().forward(x)


@dataclass(frozen=True, repr=False)
class Gated(Network):
    """Two gated dense layers each way (Tomczak and Welling 2018, section 5.2)."""

    width: int = 300

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        return GatedEncoder(numel(event), self.width)

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        width, n_in = self.width, sum(map(numel, seen))
        return nn.Sequential(Gate(n_in, width), Gate(width, width), nn.Linear(width, n))


@dataclass(frozen=True, repr=False)
class AtTheMean(MLP):
    """An MLP whose last biases begin at the log odds of MNIST's mean image, as Burda et al. (2016) begin.

    Without that the first steps drive tanh units into saturation to paint the mean image; two layers never
    come back from it.
    """

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        net = super().decoder(seen, event, n)
        mean = torch.as_tensor(load("mnist").X).mean(0).flatten()
        net[-1].bias.data.copy_(mean.clamp(1e-3, 1 - 1e-3).logit())
        return net


@dataclass(frozen=True)
class Entry:
    """One row: `published` is a negative log-likelihood in nats, by k importance samples."""

    recipe: str
    published: float
    published_epochs: int
    epochs: int
    source: str
    parts: tuple[tuple[str, Any], ...] = ()
    data: str = "mnist"
    k: int = 5000
    batch_size: int = 20
    eps: float = 1e-4
    compile: bool = False
    rows: int | None = None
    """The first rows alone, of training and test: to see that it runs."""

    def __call__(self) -> Figures:
        train, test = (load(name).X[: self.rows] for name in (self.data, f"{self.data}:test"))
        steps = self.epochs * math.ceil(len(train) / self.batch_size)
        whole = self.published_epochs == self.epochs == 3280
        training = Training(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=Stages(1e-3, 1e-4, steps) if whole else Cosine(1e-3, 1e-5, steps),
            optimiser=Adam(eps=self.eps),
            clip=None,
            ema=None,
            compile=self.compile,
        )
        vae = clone(recipe(self.recipe).model)
        vae.set_params(**dict(self.parts), training=training, random_state=0)
        figures = vae.fit(train).evaluate(test, k=self.k).to_dict()
        ours = figures["log_likelihood"]
        return figures | {
            "tables": ["published"],
            "source": self.source,
            "published": self.published,
            "published_epochs": self.published_epochs,
            "epochs": self.epochs,
            "seconds": round(vae.history_[-1]["seconds"]),
            "ours": {"mean": -ours["mean"], "se": ours["se"]},
            "difference": -ours["mean"] - self.published,
        }


BURDA = "Burda et al. (2016), table 1"
PYTHAE = "pythae, published table"
STATIC: dict[str, Any] = {"data": "binarized-mnist"}
SMALL: dict[str, Any] = {"batch_size": 100, "eps": 1e-8, **STATIC}
START: tuple[str, Any] = ("decoder", AtTheMean((200, 200), "tanh"))
TWO = (START, ("latent_dim", (50, 100)), ("encoder", MLP((200, 200, 100), "tanh")))
"""Burda's sizes of two stochastic layers, as a ladder: inferred from the top down, where his q goes up."""
WARM: tuple[str, Any] = ("objective", ELBO(beta=Linear(0, 1, 60_000)))
"""Twenty epochs of warm-up (Sonderby et al. 2016, section 2.3), which Burda's q did not need."""

LOG_LIKELIHOODS = {
    "iwae-1": Entry("vae", 86.76, 3280, 200, BURDA, (START,)),
    "iwae-5": Entry("iwae", 85.54, 3280, 120, BURDA, (START, ("objective", IWAE(5)))),
    "iwae-50": Entry("iwae", 84.78, 3280, 60, BURDA, (START,)),
    "iwae-1-two-layers": Entry("vae", 85.33, 3280, 100, BURDA, (*TWO, WARM)),
    "iwae-50-two-layers": Entry("iwae", 82.90, 3280, 12, BURDA, TWO),
    "pythae-vae": Entry(
        "vae", 89.78, 500, 500, PYTHAE, (("latent_dim", 40), ("encoder", MLP((400,)))), k=200, **SMALL
    ),
    "pythae-iwae": Entry("iwae", 86.82, 3280, 60, PYTHAE, **STATIC),
    "pythae-vamp": Entry(
        "vampprior",
        85.79,
        2000,
        150,
        PYTHAE,
        (("latent_dim", 40), ("encoder", Gated()), ("prior", VampPrior(500))),
        **SMALL,
    ),
    "pythae-miwae": Entry("multiply-iwae", 85.09, 3280, 40, PYTHAE, (("objective", MIWAE(8, 8)),)),
    "pythae-piwae": Entry("piwae", 84.58, 3280, 40, PYTHAE, (("objective", PIWAE(8, 8)),)),
    "pythae-ciwae": Entry("ciwae", 84.74, 3280, 40, PYTHAE, (("objective", CIWAE(64, 0.05)),)),
}
"""Nets and data are those of the source, batches of 20 but for the two of 100. A run of Burda's 3,280 epochs
has his schedule; in a shorter one the rate falls from 1e-3 by a cosine."""
