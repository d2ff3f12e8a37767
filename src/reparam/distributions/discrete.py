"""Discrete latents. z is G groups, each one of K codebook rows of d numbers: L = G d.

The choice is w (*, G, K), one-hot for each group; a `Codebook` maps it to numbers, so the distribution of
the choice (OneOf, or Autoregressive) does not depend on the codebook.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    OneHotCategorical,
    constraints,
    kl_divergence,
)
from torch.nn.functional import one_hot

from .base import Noise, Unvalidated, event, mean_of, register_kl, sample_with
from .deterministic import Deterministic


def groups(z: Tensor, size: int) -> Tensor:
    """(*, G d) -> (*, G, d), d = `size`."""
    return z.reshape(*z.shape[:-1], z.shape[-1] // size, size)


class Codebook(Protocol):
    """Choices w (*, G, K) <-> latent numbers z (*, G d); `embed` is linear in w."""

    @property
    def size(self) -> int:
        """d, the length of a codebook row."""

    def embed(self, w: Tensor) -> Tensor: ...

    def one_hot(self, z: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class OneHotCodebook:
    """z is w itself, d = K."""

    size: int

    def embed(self, w: Tensor) -> Tensor:
        return w.flatten(-2)

    def one_hot(self, z: Tensor) -> Tensor:
        return groups(z, self.size)


@dataclass(frozen=True)
class BinaryCodebook:
    """z = 0 for the first choice, 1 for the second; d = 1."""

    size: int = 1

    def embed(self, w: Tensor) -> Tensor:
        return w[..., 1]

    def one_hot(self, z: Tensor) -> Tensor:
        return torch.stack((1 - z, z), -1)


@dataclass(frozen=True)
class TableCodebook:
    """z is rows of `atoms` (K, d); the inverse maps each group to its nearest row."""

    atoms: Tensor

    @property
    def size(self) -> int:
        return self.atoms.shape[1]

    def embed(self, w: Tensor) -> Tensor:
        return (w @ self.atoms).flatten(-2)

    def one_hot(self, z: Tensor) -> Tensor:
        index = nearest(groups(z, self.size), self.atoms)
        return one_hot(index, len(self.atoms)).to(z.dtype)


def nearest(points: Tensor, atoms: Tensor) -> Tensor:
    """argmin_k |point - atom_k|, (*), of points (*, d) and atoms (K, d)."""
    flat = points.reshape(-1, points.shape[-1])
    distance = torch.cdist(flat, atoms, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.argmin(-1).reshape(points.shape[:-1])


class OneOf(OneHotCategorical):
    """torch's OneHotCategorical without the check of the logits, which waits for the device."""

    def __init__(self, logits: Tensor) -> None:
        self._categorical = Categorical(logits=logits, validate_args=False)
        Distribution.__init__(self, logits.shape[:-1], logits.shape[-1:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "OneOf":
        return OneOf(self.logits.expand(*batch_shape, -1))


def choice(logits: Tensor) -> "Independent[Any]":
    """Independent categorical groups: logits (*batch, G, K), event (G, K)."""
    return event(OneOf(logits), 1)  # type: ignore[return-value]


def gumbel(like: Tensor) -> Tensor:
    """-log E, E ~ Exponential(1)."""
    return -torch.empty_like(like).exponential_().log()


class Embedded(Unvalidated):
    """The distribution `choice` of w (G, K), mapped to numbers z by the codebook `codebook`."""

    support = constraints.real_vector

    def __init__(self, choice: Distribution, codebook: Codebook) -> None:
        self.choice, self.codebook = choice, codebook
        super().__init__(choice.batch_shape, torch.Size((choice.event_shape[0] * codebook.size,)))

    @property
    def mean(self) -> Tensor:
        return self.codebook.embed(self.choice.mean)


class Codes(Embedded):
    """Discrete: z is the chosen codebook rows."""

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.codebook.embed(self.choice.sample(torch.Size(sample_shape)))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """A sample without gradient."""
        return self.sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.choice.log_prob(self.codebook.one_hot(value))


class Relaxed(Embedded):
    """w = softmax((log p + g) / temperature), g Gumbel: a differentiable choice
    (Jang et al. 2017, equation 2; Maddison et al. 2017, equation 10).

    KL is that of the discrete distribution, and `log_prob` is sum_k w_k log p_k, the discrete
    log-probability where w is one-hot. It is not a density of the relaxed sample.
    """

    has_rsample = True

    def __init__(self, choice: "Independent[Any]", temperature: float, codebook: Codebook) -> None:
        super().__init__(choice, codebook)
        self.temperature = temperature
        self.logits: Tensor = choice.base_dist.logits

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        logits = self.logits.expand(*sample_shape, *self.logits.shape)
        return self.codebook.embed(((logits + gumbel(logits)) / self.temperature).softmax(-1))

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.codebook.one_hot(value) * self.logits.log_softmax(-1)).sum((-2, -1))


class Atom(Deterministic):
    """A point mass at the codebook rows `after` (*batch, L), with indices `index` (*batch, G); log_prob is 0.

    The gradient passes straight through to `before`, the values before rounding (Bengio et al. 2013).
    """

    support = constraints.real_vector

    def __init__(self, before: Tensor, after: Tensor, index: Tensor) -> None:
        self.before, self.after, self.index = before, after.detach(), index
        super().__init__(after.shape[:-1], after.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.after + (self.before - self.before.detach())

    def log_prob(self, value: Tensor) -> Tensor:
        here = (value == self.after).all(-1)
        return torch.zeros_like(here, dtype=value.dtype).masked_fill(~here, -torch.inf)


class Autoregressive(Unvalidated):
    """p(w) = prod_g p(w_g | w_<g): `logits` maps w (*, G, K) to the logits of each group, (*, G, K),
    those of group g from the groups before it only (Germain et al. 2015). `blank` is w = 0, (G, K)."""

    support = constraints.one_hot

    def __init__(self, logits: Callable[[Tensor], Tensor], blank: Tensor) -> None:
        self.logits, self.blank = logits, blank
        super().__init__(torch.Size(), blank.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.logits(value).log_softmax(-1)).sum((-2, -1))

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        w = self.blank.expand(self._extended_shape(sample_shape)).clone()
        for g in range(len(self.blank)):
            w[..., g, :] = choice(self.logits(w)[..., g : g + 1, :]).sample()[..., 0, :]
        return w


@register_kl(Embedded, Codes)  # type: ignore[untyped-decorator]
def _(q: Embedded, p: Codes) -> Tensor:
    return kl_divergence(q.choice, p.choice)


@register_kl(Atom, Codes)  # type: ignore[untyped-decorator]
def _(q: Atom, p: Codes) -> Tensor:
    """-log p of the code index."""
    return -p.choice.log_prob(one_hot(q.index, p.choice.event_shape[-1]).to(q.after.dtype))


@mean_of.register
def _(d: Codes) -> Tensor:
    """The most probable code of each group: a mean of codes is not a code."""
    probabilities = d.choice.mean
    return d.codebook.embed(
        one_hot(probabilities.argmax(-1), probabilities.shape[-1]).to(probabilities.dtype)
    )


@sample_with.register
def _(d: Codes, samples: int, noise: Noise) -> Tensor:
    """argmax_k (log p_k + g_k) is a draw of p; g = -log(-log Phi(noise)) is Gumbel."""
    logits: Tensor = d.choice.base_dist.logits  # type: ignore[attr-defined]
    count = logits.shape[-1]
    normal = groups(noise(torch.Size((samples, 1, logits.shape[-2] * count))), count)
    best = (logits - (-torch.special.log_ndtr(normal)).log()).argmax(-1)
    return d.codebook.embed(one_hot(best, count).to(logits.dtype))
