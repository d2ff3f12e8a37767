"""Points of a sphere: draws, mean, entropy and KL against closed forms, in single precision too."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from reparam import (
    Fixed,
    PowerSpherical,
    Sphere,
    distributions,
)
from reparam.distributions import kl
from tests.parts import conditional, unconditional


@pytest.mark.parametrize("L", [3, 5])
@torch.no_grad()
def test_power_spherical_beyond_the_circle(L: int) -> None:
    """t = mu . x has density ~ (1 + t)^kappa (1 - t^2)^((L - 3) / 2); draws, mean and entropy agree."""
    d = conditional(PowerSpherical(), L)
    torch.manual_seed(0)
    z = d.sample(torch.Size((100_000,)))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones_like(z[..., 0]))
    t = (d.loc * z).sum(-1)
    side = torch.linspace(-1, 1, 100_002, dtype=torch.float64)[1:-1]
    density = (1 + side) ** d.concentration * (1 - side**2) ** ((L - 3) / 2)
    density = density / density.sum()
    error = t.std() / math.sqrt(len(t))
    assert abs(float((t.mean() - density @ side) / error)) < 4.5
    assert abs(float((t.mean() - d.mean.norm()) / error)) < 4.5
    surprise = -d.log_prob(z)
    assert abs(float((surprise.mean() - d.entropy()) / (surprise.std() / math.sqrt(len(t))))) < 4.5


def test_power_spherical_of_no_concentration_is_uniform() -> None:
    d = PowerSpherical(concentration=Fixed(0.0)).build((4,), lambda n: nn.Linear(2, n))(torch.ones(3, 2))
    uniform = unconditional(Sphere(), 4)
    z = d.rsample()
    np.testing.assert_allclose(d.log_prob(z).detach(), uniform.log_prob(z.detach()), rtol=1e-5)
    np.testing.assert_allclose(kl(d, uniform).detach(), 0, atol=1e-5)


@pytest.mark.parametrize(
    "kappa",
    [1e2, 1e3, 1e6],
)
@torch.no_grad()
def test_power_spherical_density_in_single_precision(kappa: float) -> None:
    """At own draws float32 is off float64 at the same point by little on average, so that a sampled KL,
    as to a VampPrior, is no worse than the exact one."""
    torch.manual_seed(0)
    loc = torch.nn.functional.normalize(torch.randn(3), dim=0)
    d = distributions.PowerSpherical(loc, torch.tensor(kappa))
    z = d.sample(torch.Size((5000,)))
    at = torch.nn.functional.normalize(z.double(), dim=-1)
    unit = torch.nn.functional.normalize(loc.double(), dim=0)
    exact = distributions.PowerSpherical(unit, torch.tensor(kappa).double()).log_prob(at)
    assert abs(float((d.log_prob(z) - exact).mean())) < 1e-3


@pytest.mark.parametrize("kappa", [1.0, 1e2, 1e4, 1e5, 1e6])
def test_power_spherical_kl_in_single_precision(kappa: float) -> None:
    """L = 3: log(k + 1) - k / (k + 1); L = 5: log(a (a + 1) / 6) - k / a - k / (a + 1), a = k + 2."""
    a = kappa + 2
    exact = {
        3: math.log(kappa + 1) - kappa / (kappa + 1),
        5: math.log(a * (a + 1) / 6) - kappa / a - kappa / (a + 1),
    }
    for L, value in exact.items():
        loc = torch.nn.functional.normalize(torch.ones(L), dim=0)
        k = torch.tensor(kappa, requires_grad=True)
        found = kl(distributions.PowerSpherical(loc, k), distributions.UniformSphere(torch.zeros(L)))
        assert found is not None and found.dtype == torch.float32
        assert float(found.detach()) == pytest.approx(value, abs=2e-6, rel=2e-7)
        (slope,) = torch.autograd.grad(found, k)
        # d KL / d kappa = -kappa (psi'(a + 2 b) - psi'(a + b)), positive; by differences of the closed form
        step = 1e-4 * kappa
        ends = []
        for each in (kappa + step, kappa - step):
            b = each + 2
            ends.append(
                math.log(each + 1) - each / (each + 1)
                if L == 3
                else math.log(b * (b + 1) / 6) - each / b - each / (b + 1)
            )
        assert float(slope) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)
