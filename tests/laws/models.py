"""The small models that the laws are held against."""

from collections.abc import Iterable

import torch
from torch import Tensor

from reparam import IAF, MAF, MLP, Bernoulli, Flow, Gaussian, Sphere, Spline, StandardNormal, VampPrior
from reparam.data.load import load
from reparam.families import Family
from reparam.model.config import ModelConfig
from reparam.model.model import Model

Top = Family | VampPrior
IAFS = Flow(steps=(IAF((6,)), IAF((6,))))
MAFS = Flow(steps=(MAF((6,)),))
SPLINES = Flow(steps=(Spline((6,), bins=4), Spline((6,), bins=4)))
X = (torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) < 0.5).double()

NORMAL = Gaussian()
DIGITS = load("digits").X[:300]


def small(q: Family = NORMAL, p: Top | None = None, rungs: tuple[int, ...] = (2,), **parts: object) -> Model:
    """A model whose q is far from the posterior, every parameter away from where it starts."""
    torch.manual_seed(1)
    top = p if p is not None else Sphere() if q.support == "sphere" else StandardNormal()
    held = {"posterior": q, "prior": top, "likelihood": Bernoulli()} | parts
    model = Model((4,), ModelConfig(rungs, MLP((5,), "tanh"), MLP((5,), "tanh"), **held)).double()  # type: ignore[arg-type]
    model.start(X)
    with torch.no_grad():
        for w in model.parameters():
            w.add_(0.3 * torch.randn_like(w))
    return model


def flat(model: Model, loss: Tensor, names: Iterable[str] | None = None) -> Tensor:
    """The gradient of every parameter (of those named) in one vector, 0 where there is none."""
    named = dict(model.named_parameters())
    chosen = [named[name] for name in (named if names is None else names)]
    found = torch.autograd.grad(loss, chosen, allow_unused=True, retain_graph=True)
    pairs = zip(chosen, found, strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for w, g in pairs])


def blind(likelihood: Family, columns: int, **parts: object) -> Model:
    """A model that reads nothing: q is the prior, and p(x|z) the same for every z; log p(x) is exact."""
    torch.manual_seed(0)
    held = {"posterior": Gaussian(), "prior": StandardNormal(), "likelihood": likelihood} | parts
    model = Model((columns,), ModelConfig((2,), MLP((3,)), MLP((3,)), **held)).double().eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for w in model.parameters():
            w.zero_()
        last = model.likelihood.layer[-1].bias
        last.copy_(torch.linspace(-1, 2, len(last), dtype=torch.float64))
    return model
