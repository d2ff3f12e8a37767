"""The latent is a hierarchy of stochastic layers; one layer is the plain VAE.

From the top: layer 0 is q(z_0|x) against p(z_0); each layer below is q(z_i|x, s) against p(z_i|s),
where the state s is a function of the layers above (Sonderby et al. 2016; Kingma et al. 2016). After
layer 0 the state is z_0 itself. Inference, generation, replay and interpolation use the same pass; they
differ only in `draw`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import Codes, base_of, kl, mean_of, mixture
from ..families import Family, Gaussian
from ..nn.layers import LearnedVector, joined, projection
from ..tensors import Shape, numel, rows_on_axis


class LatentLayer(NamedTuple):
    """One stochastic layer: its value z (S, B, L), the posterior q and the prior p."""

    z: Tensor
    q: Distribution | None
    p: Distribution

    def rate(self) -> Tensor:
        """KL(q || p) in nats, (S, B): in closed form where known, else log q(z) - log p(z)."""
        assert self.q is not None
        exact = kl(self.q, self.p)
        if exact is not None:
            return exact.expand(self.z.shape[:2])
        return self.q.log_prob(self.z) - self.p.log_prob(self.z)

    def rates(self) -> Tensor:
        """The rate by latent dimension, (S, B, L), where q and p factorise."""
        assert self.q is not None
        exact = kl(base_of(self.q), base_of(self.p))
        assert exact is not None
        return exact.expand(self.z.shape)


Draw = Callable[[int, Distribution | None, Distribution], Tensor]


def inferring(samples: int) -> Draw:
    """z ~ q, with gradients: `samples` of layer 0, one of each layer below for each of those."""

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        assert q is not None
        with rows_on_axis(1):
            return q.rsample(torch.Size((samples,)) if len(q.batch_shape) == 1 else torch.Size())

    return draw


def generating(n: int) -> Draw:
    """z ~ p, shape (1, n, L)."""

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        return p.sample(torch.Size((1, n)) if i == 0 else torch.Size())

    return draw


def averaging(i: int, q: Distribution | None, p: Distribution) -> Tensor:
    """z = the mean of q given the means above."""
    assert q is not None
    return mean_of(q)[None] if len(q.batch_shape) == 1 else mean_of(q)


def replaying(zs: Sequence[Tensor]) -> Draw:
    """z = the given tensors, (S, B, L) for each layer."""
    return lambda i, q, p: zs[i]


class Hierarchy(nn.Module):
    """The layers: `posterior` heads on features and state, `prior` at the top, Gaussians below.

    Without a `prior` the top has a VampPrior: a mixture of q at the pseudo-inputs' features.
    """

    def __init__(
        self, features: tuple[Shape, ...], shapes: tuple[Shape, ...], posterior: Family, prior: Family | None
    ) -> None:
        super().__init__()
        self.widths = [numel(shape) for shape in features]
        features = features if len(features) == len(shapes) else features * len(shapes)
        self.dims = tuple(map(numel, shapes))
        states = [*shapes[:1], *features[1:]]
        self.state = states[-1:]
        above = [[], *([state] for state in states)]
        self.q = nn.ModuleList(
            posterior.build((numel(shape),), partial(projection, (feature, *state), shape))
            for shape, feature, state in zip(shapes, features, above, strict=False)
        )
        self.top: nn.Module | None = None
        if shapes:
            self.set_prior(posterior, prior)
        self.p = nn.ModuleList(
            Gaussian().build((numel(shape),), partial(projection, state, shape))
            for shape, state in zip(shapes[1:], above[1:], strict=False)
        )
        self.merge = nn.ModuleList(
            nn.Sequential(projection((a, shape), b, numel(b)), nn.ELU(), projection((b,), b, numel(b)))
            for shape, (a, b) in zip(shapes[1:], pairwise(states), strict=True)
        )

    def set_prior(self, posterior: Family, prior: Family | None) -> None:
        """Set the prior of the top layer; for codes it is over indices (groups, K), with q's codebook."""
        atoms = posterior.atoms
        event = self.dims[:1] if atoms is None else (self.dims[0] // atoms[1], atoms[0])
        self.top = None if prior is None else prior.build(event, LearnedVector)

    def split_features(self, h: Tensor) -> Sequence[Tensor]:
        """The features of each layer."""
        return torch.split(h, self.widths, -1) if len(self.widths) > 1 else [h] * len(self.dims)

    def prior(self, pseudo: Tensor | None = None) -> Distribution:
        """p(z_0); `pseudo` are the features (K, n_features) of a VampPrior's pseudo-inputs."""
        if self.top is not None:
            codebook = getattr(self.q[0], "codes", None)
            return self.top(None) if codebook is None else Codes(self.top(None), codebook)
        assert pseudo is not None
        q = self.q[0](self.split_features(pseudo)[0])
        return mixture(pseudo.new_zeros(len(pseudo)), q)

    def forward(
        self, h: Tensor | None, draw: Draw, pseudo: Tensor | None = None
    ) -> tuple[Tensor | None, tuple[LatentLayer, ...]]:
        """Features (B, n_features), or None to generate -> (the last state (S, B, n_state), layers)."""
        state: Tensor | None = None
        layers: list[LatentLayer] = []
        features = None if h is None else self.split_features(h)
        for i in range(len(self.dims)):
            above = [] if state is None else [state]
            q = None if features is None else self.q[i](joined([features[i], *above]))
            p = self.prior(pseudo) if i == 0 else self.p[i - 1](state)
            z = draw(i, q, p)
            layers.append(LatentLayer(z, q, p))
            state = z if state is None else self.merge[i - 1](joined([state, z]))
        return state, tuple(layers)


class LayerLogProbs(nn.Module):
    """log q(z) and log p(z) of each layer at given values."""

    def __init__(self, latents: Hierarchy) -> None:
        super().__init__()
        self.latents = latents

    def forward(self, h: Tensor, zs: Sequence[Tensor], pseudo: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        _, layers = self.latents(h, replaying(zs), pseudo)
        return [(layer.q.log_prob(layer.z), layer.p.log_prob(layer.z)) for layer in layers]
