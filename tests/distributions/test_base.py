"""Sums of log-probabilities that have a formula of their own."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Poisson

from reparam.distributions import Normal, event, log_prob_of
from reparam.tensors import Shape


@pytest.mark.parametrize("cells", [(784,), (28, 28), (101,), (7,), (1,), (0,), ()])
@pytest.mark.parametrize("grey", [False, True])
def test_a_bernoulli_gives_the_same_with_and_without_gradients(cells: Shape, grey: bool) -> None:
    """Against sum_i x_i log sigmoid(a_i) + (1 - x_i) log sigmoid(-a_i) in float64."""
    torch.manual_seed(0)
    x, a = torch.rand(5, *cells), 8 * torch.randn(3, 5, *cells)
    x = x if grey else x.round()
    far = torch.tensor([0.0, -0.0, 60.0, -60.0, 1e4, -1e4, 1e-30])
    a.flatten()[: len(far)] = far[: a.numel()]
    log_p, log_not = (torch.nn.functional.logsigmoid(sign * a.double()) for sign in (1, -1))
    each = x * log_p + (1 - x) * log_not
    wanted = each.flatten(2).sum(-1) if cells else each
    for logits in (a, a.clone().requires_grad_()):
        found = event(Bernoulli(logits=logits, validate_args=False), len(cells)).log_prob(x)
        torch.testing.assert_close(found.double(), wanted, rtol=2e-6, atol=2e-5)


def test_many_cells_that_are_all_even_do_not_underflow() -> None:
    for n in (100, 99_991):
        d = event(Bernoulli(logits=torch.zeros(n), validate_args=False), 1)
        torch.testing.assert_close(d.log_prob(torch.ones(n)), -n * torch.tensor(2.0).log(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("likelihood", ["bernoulli", "shared scale", "scale of each cell", "poisson"])
def test_only_observed_cells_count(likelihood: str, learned: bool) -> None:
    """Against the sum over the observed cells in float64, of values and gradients."""
    torch.manual_seed(0)
    a, x, mask = torch.randn(3, 5, 4, 6), torch.rand(5, 4, 6).round(), torch.rand(5, 4, 6) < 0.6
    mask[0], mask[1] = False, True

    def built(a: Tensor) -> Distribution:
        if likelihood == "bernoulli":
            return Bernoulli(logits=8 * a, validate_args=False)
        if likelihood == "poisson":
            return Poisson(a.exp())
        scale = torch.tensor(0.3, dtype=a.dtype)
        return Normal(a, scale.expand_as(a) if likelihood == "shared scale" else (a / 2).exp())

    exact = a.double().requires_grad_(learned)
    each = built(exact).log_prob(x.double())
    wanted = (each * mask).flatten(2).sum(-1)
    inputs = a.clone().requires_grad_(learned)
    found = log_prob_of(event(built(inputs), 2), x, mask)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1e-4)
    if learned:
        gradients = (torch.autograd.grad(p.sum(), t)[0] for p, t in ((found, inputs), (wanted, exact)))
        torch.testing.assert_close(*(g.double() for g in gradients), rtol=1e-5, atol=1e-5)
