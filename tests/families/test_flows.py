"""Flows: their density is the Jacobian's, and how often their networks run."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Normal,
    TransformedDistribution,
)

from reparam import (
    IAF,
    MAF,
    Flow,
    Spline,
)
from reparam.distributions import mean_of
from reparam.families.flows import planar
from tests.parts import POSTERIORS, conditional

FLOWS = [q for q in POSTERIORS if isinstance(q, Flow)]


@pytest.mark.parametrize("q", FLOWS, ids=repr)
def test_flow_density_is_the_jacobian(q: Flow) -> None:
    d = conditional(q, 3)
    assert isinstance(d, TransformedDistribution)
    torch.manual_seed(6)
    z = d.rsample()
    torch.manual_seed(6)
    e = d.base_dist.rsample()

    def f(x: Tensor) -> Tensor:
        for transform in conditional(q, 3).transforms:
            x = transform(x)
        return x

    J = torch.autograd.functional.jacobian(f, e)[0, :, 0]
    torch.testing.assert_close(d.log_prob(z), d.base_dist.log_prob(e) - torch.linalg.slogdet(J)[1])
    torch.testing.assert_close(mean_of(d), f(mean_of(d.base_dist)))
    if q.tractable:
        torch.testing.assert_close(conditional(q, 3).log_prob(z), d.log_prob(z))
    else:
        with pytest.raises(NotImplementedError, match="own samples; use IAF"):
            conditional(q, 3).log_prob(z)


def passes(family: Flow, L: int, use: str) -> int:
    """How many times the masked networks run."""
    head, seen = family.build((L,), lambda n: nn.Linear(4, n)), [0]
    for step in head.steps:
        step.net.hyper.register_forward_hook(lambda *_: seen.__setitem__(0, seen[0] + 1))
    d = head(torch.randn(5, 4))
    if use == "draw":
        z = d.rsample()
        d.log_prob(z)
        d.log_prob(z)
    else:
        d.log_prob(torch.randn(5, L))
    return seen[0]


def test_passes_of_a_flow() -> None:
    """IAF draws and scores them in one pass a step, MAF scores anything in one; a spline takes few."""
    for L in (4, 9):
        assert passes(Flow(steps=(IAF(), IAF())), L, "draw") == 2
        assert passes(Flow(steps=(MAF(), MAF())), L, "score") == 2
        assert passes(Flow(steps=(Spline(), Spline())), L, "draw") == 2
        assert passes(Flow(steps=(Spline(), Spline())), L, "score") == 6
        assert passes(Flow(steps=(IAF(), IAF())), L, "score") == 2 * (L + 1)


def test_zuko_leaves_argument_checks_on() -> None:
    Flow().build((2,), lambda n: nn.Linear(4, n))
    with pytest.raises(ValueError, match="scale"):
        Normal(0.0, -1.0)


def test_planar_slope_where_it_is_all_but_flat() -> None:
    """w . u = -16: float32 gives the logarithm of a slope of 1e-7, float64 autograd's log |det J|."""
    torch.manual_seed(0)
    w = torch.randn(3, dtype=torch.float64)
    for wu in (-16.0, -3.0, 0.0, 2.0):
        u = wu * w / w.square().sum()
        across = torch.randn(3, dtype=torch.float64)
        u = u + across - (across @ w) / (w @ w) * w
        for bias in (0.0, 0.7, -4.0):
            x = torch.randn(3, dtype=torch.float64)
            x = x - (x @ w) / (w @ w) * w if bias == 0 else x
            b = torch.tensor([bias], dtype=torch.float64)
            _, found = planar(u, w, b, x)
            J = torch.autograd.functional.jacobian(lambda t, u=u, b=b: planar(u, w, b, t)[0], x)
            assert float(found) == pytest.approx(float(torch.linalg.slogdet(J)[1]), rel=1e-6, abs=1e-7)
            single = planar(u.float(), w.float(), b.float(), x.float())[1]
            assert bool(single.isfinite()) and float(single) == pytest.approx(
                float(found), rel=1e-4, abs=1e-5
            )
