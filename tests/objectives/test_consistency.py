"""Consistency of the classifier against closed forms."""

from dataclasses import replace

import torch
from torch import Tensor

from reparam import MLP, Consistency, Enumerated, MutualInformation
from reparam.model.trace import Trace
from reparam.objectives.consistency import unit
from tests.models import small


def kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) of logits (B, K), (B,)."""
    p, q = p.log_softmax(-1), q.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def test_the_worst_direction_of_a_linear_classifier() -> None:
    """Two classes and logits W x: the KL depends on r only through (w_1 - w_0) r, so r is along w_1 - w_0."""
    torch.manual_seed(0)
    model = small(labels=Enumerated(2, MLP(())))
    x = torch.randn(40, 4, dtype=torch.float64)
    trace = model(x, None)
    found = Consistency(2.0, radius=0.05)(trace, 0)
    inputs, labels = model.inputs(x), model.config.labels
    length = 0.05 * (inputs - inputs.mean(0)).square().sum(1).mean().sqrt()
    one, two = model.get_parameter("classifier.last.weight")
    r = length * unit((two - one)[None].detach())
    own = labels.logits(model, inputs)
    sides = torch.stack([kl(own, labels.logits(model, inputs + side * r)) for side in (1, -1)])
    assert 2 * sides.amin(0).mean() <= found <= 2 * sides.amax(0).mean()
    assert torch.isclose(sides.amin(0).mean(), sides.amax(0).mean(), rtol=0.1)


def test_it_finds_a_worse_change_than_chance() -> None:
    torch.manual_seed(0)
    model = small(labels=Enumerated(3, MLP((32,), "tanh")))
    x = torch.randn(64, 4, dtype=torch.float64)
    found = Consistency(radius=0.2)(model(x, None), 0)
    inputs, labels = model.inputs(x), model.config.labels
    length = 0.2 * (inputs - inputs.mean(0)).square().sum(1).mean().sqrt()
    own = labels.logits(model, inputs)
    changes = [length * unit(torch.randn_like(inputs)) for _ in range(50)]
    drawn = torch.stack([kl(own, labels.logits(model, inputs + r)) for r in changes])
    assert found > 1.5 * drawn.mean()


def test_a_constant_classifier_is_consistent() -> None:
    model = small(labels=Enumerated(3))
    with torch.no_grad():
        model.get_parameter("classifier.last.weight").zero_()
    assert Consistency()(model(torch.randn(8, 4, dtype=torch.float64), None), 0).abs() < 1e-12


def test_information_of_labels_by_hand() -> None:
    """log K - I(x; y) for a uniform p(y), and 0 where every row has its own of K classes."""
    torch.manual_seed(0)
    model = small(labels=Enumerated(4, MLP(())))
    trace = model(torch.randn(40, 4, dtype=torch.float64), None)
    q = labels_of(trace)
    mean = q.mean(0)
    information = (q * (q / mean).log()).sum(1).mean()
    found = MutualInformation(2.0, balance=1.0)(trace, 0)
    torch.testing.assert_close(found, 2 * (torch.tensor(4.0).log() - information), check_dtype=False)
    logits = 100 * torch.eye(4, dtype=torch.float64).repeat(10, 1)
    clear = replace(trace, conditioning=trace.conditioning._replace(logits=logits))
    assert MutualInformation()(clear, 0).abs() < 1e-6


def labels_of(trace: Trace) -> Tensor:
    assert trace.logits is not None
    return trace.logits.softmax(-1)
