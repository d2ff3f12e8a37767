"""Mixtures against torch's in float64, and the one choice for all dimensions."""

from typing import Any

import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
)

from reparam import (
    Fixed,
    FullGaussian,
    Gaussian,
    Mixture,
    PowerSpherical,
)
from reparam.distributions import GaussianMixture, mixture
from reparam.nn.layers import LearnedVector
from tests.parts import unconditional


def test_components_start_apart() -> None:
    for base in (Gaussian(), FullGaussian(), PowerSpherical()):
        d = unconditional(Mixture(base, 8))
        centres = d.component_distribution.mean if isinstance(d, MixtureSameFamily) else d.loc
        assert float(torch.pdist(centres).min().detach()) > 0.01


def test_gaussian_mixture_is_that_of_its_parts() -> None:
    """Also where precise components lie far out, and in float32."""
    torch.manual_seed(0)
    loc, scale = 5 * torch.randn(7, 4), torch.rand(7, 4) + 0.01
    logits, z = torch.randn(7), loc[:3, None] + torch.randn(3, 50, 4)
    parts = Independent(Normal(loc.double(), scale.double()), 1)
    exact = MixtureSameFamily(Categorical(logits=logits.double()), parts)
    ours = mixture(logits, Independent(Normal(loc, scale), 1))
    assert isinstance(ours, GaussianMixture)
    torch.testing.assert_close(ours.log_prob(z), exact.log_prob(z.double()).float())
    torch.testing.assert_close(ours.mean, exact.mean.float())


def test_mixture_chooses_once_for_all_dimensions() -> None:
    """Two far components: no draw mixes the first of one with the second of the other."""
    head: Any = Mixture(Gaussian(scale=Fixed(0.1)), 2).build((2,), LearnedVector)
    with torch.no_grad():
        head.layer.raw.copy_(torch.tensor([0.0, 0.0, 5, 5, -5, -5]))
    z = head(None).sample(torch.Size((500,)))
    assert bool((z.sign().prod(-1) > 0).all()) and 150 < int((z[:, 0] > 0).sum()) < 350
