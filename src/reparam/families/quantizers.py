"""Families over codes: the latent is L / d groups, each one of K codebook rows of d numbers.

Three kinds of posterior give codes: relaxed categorical, rounding, learned codebook. Their prior is over
code indices, event (groups, K), and `model.hierarchy` maps it to the posterior's codebook: so the rate is
in nats of a discrete code, and the bound on log p(x) is valid.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import (
    Atom,
    BinaryCodebook,
    Codebook,
    Codes,
    OneHotCodebook,
    Relaxed,
    TableCodebook,
    choice,
    groups,
    nearest,
)
from ..errors import SpecError
from ..specs.schedules import Clocked, Linear, Schedule, at
from ..specs.spec import Several
from ..tensors import Shape
from .base import Family, Head, Layer, Needs, Support
from .sources import Identity, Link


def positive(family: Family, temperature: Schedule) -> None:
    if min(at(temperature, 0), at(temperature, 1 << 40)) <= 0:
        raise SpecError(f"{family} reaches a temperature of 0: keep it above 0, e.g. Linear(1.0, 0.5, 10000)")


class RelaxedHead(nn.Module, Clocked):
    """`head` gives the discrete distribution; in training it is relaxed, at the temperature of the step."""

    def __init__(self, head: nn.Module, temperature: Schedule, codebook: Codebook) -> None:
        super().__init__()
        self.head, self.temperature, self.codes = head, temperature, codebook

    def forward(self, h: Tensor) -> Distribution:
        d = self.head(h)
        return Relaxed(d.choice, at(self.temperature, self.step), d.codebook) if self.training else d


@dataclass(frozen=True, repr=False)
class GumbelSoftmax(Family):
    """A one-hot z of `categories` per group: q(c|x) = prod_g softmax(logit_g)[c_g].

    In training z is relaxed (Jang et al. 2017; Maddison et al. 2017) at `temperature`, a schedule over
    steps, and the rate is the KL of the discrete distributions; in evaluation z is one-hot and all is exact.
    `transform` gives the most probable codes.
    """

    categories: Several = 10
    temperature: Schedule = Linear(1.0, 0.5, 10_000)
    support: ClassVar[Support] = "codes"
    links: ClassVar[dict[str, Link]] = {"logit": Identity()}

    def check(self) -> None:
        positive(self, self.temperature)

    @property
    def atoms(self) -> tuple[int, int]:
        return self.categories, self.categories

    def params(self, event: Shape) -> Needs:
        return super().params((event[0] // self.categories, self.categories))

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return Codes(choice(values["logit"]), OneHotCodebook(self.categories))

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        return RelaxedHead(Head(self, event, layer, floor), self.temperature, OneHotCodebook(self.categories))


@dataclass(frozen=True, repr=False)
class GumbelSigmoid(Family):
    """Binary latents, q(z = 1|x) = sigmoid(logit): GumbelSoftmax with two categories as one number (the
    binary Concrete of Maddison et al. 2017, appendix B)."""

    temperature: Schedule = Linear(1.0, 0.5, 10_000)
    support: ClassVar[Support] = "codes"
    links: ClassVar[dict[str, Link]] = {"logit": Identity()}

    def check(self) -> None:
        positive(self, self.temperature)

    @property
    def atoms(self) -> tuple[int, int]:
        return 2, 1

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        logit = values["logit"]
        return Codes(choice(torch.stack((torch.zeros_like(logit), logit), -1)), BinaryCodebook())

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        return RelaxedHead(Head(self, event, layer, floor), self.temperature, BinaryCodebook())


class Standardised(nn.Module):
    """The outputs of `layer` minus their running mean, over their running standard deviation, so that they
    reach the whole grid for any scale of the encoder. Both are constant in evaluation."""

    centre: Tensor
    square: Tensor
    share: Tensor

    def __init__(self, layer: nn.Module, n: int) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("centre", torch.zeros(n))
        self.register_buffer("square", torch.ones(n))
        self.register_buffer("share", torch.ones(()))

    def forward(self, h: Tensor) -> Tensor:
        raw: Tensor = self.layer(h)
        if self.training:
            self.follow(raw.detach().reshape(-1, raw.shape[-1]).to(self.centre.dtype))
        spread = (self.square - self.centre.square()).clamp_min(1e-12).sqrt()
        return (raw - self.centre) / (spread + 1e-6)

    @torch.no_grad()
    def follow(self, rows: Tensor) -> None:
        """Update the running moments: weight 1 for the first batch, 5 % for later ones. The variance is about
        the running mean, so it is defined for a batch of one row."""
        self.centre.lerp_(rows.mean(0), self.share)
        self.square.lerp_(rows.square().mean(0), self.share)
        self.share.fill_(0.05)


class GridHead(nn.Module):
    """`head`, and the codebook `atoms` (K, d)."""

    atoms: Tensor

    def __init__(self, head: nn.Module, atoms: Tensor) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("atoms", atoms, persistent=False)

    @property
    def codes(self) -> Codebook:
        return TableCodebook(self.atoms)

    def forward(self, h: Tensor) -> Distribution:
        return self.head(h)  # type: ignore[no-any-return]


@dataclass(frozen=True, repr=False)
class FSQ(Family):
    """Finite scalar quantisation: number i of a group is rounded to `levels[i]` equal steps of [-1, 1],
    z = 2 round((n - 1) (tanh(h) + 1) / 2) / (n - 1) - 1 (Mentzer et al. 2023, section 3.1; here an even
    number of levels is symmetric too, there it is shifted to contain 0). The gradient is that of tanh.

    h is standardised by running moments: otherwise the small outputs of an untrained encoder would all
    round to one code, and training would not leave it.
    """

    levels: tuple[int, ...] = (8, 5, 5)
    support: ClassVar[Support] = "codes"
    deterministic: ClassVar[bool] = True
    links: ClassVar[dict[str, Link]] = {"raw": Identity()}

    def check(self) -> None:
        if not self.levels or min(self.levels) < 2:
            raise SpecError(f"FSQ.levels takes numbers of 2 or more, one per dimension, not {self.levels}")

    @property
    def atoms(self) -> tuple[int, int]:
        return math.prod(self.levels), len(self.levels)

    def params(self, event: Shape) -> Needs:
        return super().params((event[0] // len(self.levels), len(self.levels)))

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        soft = values["raw"].tanh()
        steps = soft.new_tensor(self.levels) - 1
        digit = (steps * (soft + 1) / 2).round()
        places = [math.prod(self.levels[i + 1 :]) for i in range(len(self.levels))]
        index = (digit.long() * digit.new_tensor(places).long()).sum(-1)
        return Atom(soft.flatten(-2), (2 * digit / steps - 1).flatten(-2), index)

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        axes = [2 * torch.arange(n) / (n - 1) - 1 for n in self.levels]
        atoms = torch.cartesian_prod(*axes).reshape(self.atoms)
        return GridHead(Head(self, event, lambda n: Standardised(layer(n), n), floor), atoms)


class CodebookHead(nn.Module):
    """h -> Atom at the nearest rows of `codebook` (K, d), which is updated in training."""

    codebook: Tensor
    count: Tensor
    total: Tensor

    def __init__(self, family: "VQ", event: Shape, layer: Layer) -> None:
        super().__init__()
        self.family, self.event, self.layer = family, event, layer(event[0])
        self.register_buffer("codebook", torch.randn(family.atoms))
        self.register_buffer("count", torch.zeros(family.codes))
        self.register_buffer("total", torch.zeros(family.atoms))

    @property
    def codes(self) -> Codebook:
        return TableCodebook(self.codebook)

    def forward(self, h: Tensor) -> Distribution:
        q = self.family.distribution(self.event, raw=self.layer(h), codebook=self.codebook)
        if self.training:
            self.follow(q.before.reshape(-1, self.family.size), q.index.flatten())
        return q

    @torch.no_grad()
    def follow(self, rows: Tensor, index: Tensor) -> None:
        """count <- g count + (1 - g) n_k; total <- g total + (1 - g) sum of rows; e_k = total / count,
        g the decay (van den Oord et al. 2017, equations 6 to 8). A row used less than `restart` times
        the mean is reset to a row of the batch (Dhariwal et al. 2020, section 3.1)."""
        decay, rows = self.family.decay, rows.to(self.total.dtype)
        used = torch.zeros_like(self.count).index_add_(0, index, torch.ones_like(rows[:, 0]))
        self.count.lerp_(used, 1 - decay)
        self.total.lerp_(torch.zeros_like(self.total).index_add_(0, index, rows), 1 - decay)
        mean = len(rows) / self.family.codes
        dead = self.count < self.family.restart * mean
        fresh = rows[torch.randint(len(rows), (self.family.codes,), device=rows.device)]
        self.count.masked_fill_(dead, mean)
        self.total.copy_(torch.where(dead[:, None], mean * fresh, self.total))
        self.codebook.copy_(self.total / self.count[:, None])


@dataclass(frozen=True, repr=False)
class VQ(Family):
    """Vector quantisation: each group is mapped to the nearest of `codes` learned rows of `size` numbers,
    with the straight-through gradient (van den Oord et al. 2017). The rows are running means of the vectors
    mapped to them, with `decay` per step; unused rows restart. Add Commitment() to the objective.
    """

    codes: int = 512
    size: int = 8
    decay: float = 0.99
    restart: float = 0.1
    support: ClassVar[Support] = "codes"
    deterministic: ClassVar[bool] = True
    learns_codebook: ClassVar[bool] = True

    def check(self) -> None:
        if self.codes < 2 or self.size < 1:
            raise SpecError(f"VQ needs codes >= 2 and size >= 1, not {self.codes} and {self.size}")
        if not 0 < self.decay < 1 or not 0 < self.restart < 1:
            raise SpecError(f"VQ.decay and VQ.restart must be in (0, 1), not {self.decay} and {self.restart}")

    @property
    def atoms(self) -> tuple[int, int]:
        return self.codes, self.size

    def distribution(self, event: Shape, **values: Tensor) -> Atom:
        raw, codebook = values["raw"], values["codebook"]
        index = nearest(groups(raw.detach(), self.size), codebook)
        return Atom(raw, codebook[index].flatten(-2), index)

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        return CodebookHead(self, event, layer)
