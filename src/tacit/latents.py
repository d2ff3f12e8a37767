"""The latent is a ladder; one rung is the plain VAE.

From the top down: rung 0 is q(z_0|x) against p(z_0); each rung below is q(z_i|x, s) against p(z_i|s),
where the state s carries what the rungs above said (Sonderby et al. 2016; Kingma et al. 2016). After
rung 0 the state is z_0 itself. Inference, generation, replay and interpolation are the same walk; they
differ in `draw` alone.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from .distributions import has_density
from .errors import SpecError
from .families import Family, Gaussian
from .networks import MLP, joined, linear


class Site(NamedTuple):
    """One rung: its value z (S, B, L), what inference and what generation think of it."""

    z: Tensor
    q: Distribution | None
    p: Distribution

    def rate(self) -> Tensor:
        """KL(q || p) in nats, (S, B): analytic where the pair is known, else log q(z) - log p(z)."""
        assert self.q is not None
        if _known(self.q, self.p):
            return kl_divergence(self.q, self.p).expand(self.z.shape[:2])
        return self.q.log_prob(self.z) - self.p.log_prob(self.z)

    @property
    def has_rate(self) -> bool:
        return self.q is not None and has_density(self.q)


Draw = Callable[[int, Distribution | None, Distribution], Tensor]


def inferring(samples: int) -> Draw:
    """z ~ q, with gradients: `samples` of rung 0, one of each rung below for each of those."""

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        assert q is not None
        return q.rsample(torch.Size((samples,)) if i == 0 else torch.Size())

    return draw


def generating(n: int) -> Draw:
    """z ~ p, shape (1, n, L)."""

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        return p.sample(torch.Size((1, n)) if i == 0 else torch.Size())

    return draw


def averaging(i: int, q: Distribution | None, p: Distribution) -> Tensor:
    """z = the mean of q given the means above."""
    assert q is not None
    return q.mean[None] if i == 0 else q.mean


def replaying(zs: Sequence[Tensor]) -> Draw:
    """z = what you say, a tensor (S, B, L) a rung."""
    return lambda i, q, p: zs[i]


class TopDown(nn.Module):
    """The rungs: `posterior` heads over features and state, `prior` at the top, Gaussians below."""

    def __init__(self, n_features: int, dims: tuple[int, ...], posterior: Family, prior: Family) -> None:
        super().__init__()
        states = [0, *dims[:1], *(max(a, b) for a, b in pairwise(dims))]
        self.dims, self.n_state = dims, states[-1] if dims else 0
        self.q = nn.ModuleList(
            posterior.build((L,), lambda n, s=s: linear(n_features + s, n))  # type: ignore[misc]
            for L, s in zip(dims, states, strict=False)
        )
        self.p = nn.ModuleList(
            prior.build((L,), _nothing) if i == 0 else Gaussian().build((L,), lambda n, s=s: linear(s, n))  # type: ignore[misc]
            for i, (L, s) in enumerate(zip(dims, states, strict=False))
        )
        self.merge = nn.ModuleList(
            MLP((s,), "elu").decoder(states[i + 1] + dims[i + 1], (), s) for i, s in enumerate(states[2:])
        )

    def forward(self, h: Tensor | None, draw: Draw) -> tuple[Tensor | None, tuple[Site, ...]]:
        """Features (B, n_features), or None to generate -> (the last state (S, B, n_state), sites)."""
        state: Tensor | None = None
        sites: list[Site] = []
        for i in range(len(self.dims)):
            above = [] if state is None else [state]
            q = None if h is None else self.q[i](joined([h, *above]))
            p = self.p[i](state)
            z = draw(i, q, p)
            sites.append(Site(z, q, p))
            state = z if state is None else self.merge[i - 1](joined([state, z]))
        return state, tuple(sites)


def _nothing(n: int) -> nn.Module:
    raise SpecError("a prior is conditioned on nothing: its sources are Fixed or Shared, not Local")


def _known(q: Distribution, p: Distribution) -> bool:
    pair = [d.base_dist if isinstance(d, Independent) else d for d in (q, p)]
    return all(isinstance(d, Normal) for d in pair)


__all__ = ["Draw", "Site", "TopDown", "averaging", "generating", "inferring", "replaying"]
