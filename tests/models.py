"""Small models and the data that several tests share."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from reparam import (
    IAF,
    MAF,
    MLP,
    Bernoulli,
    Fixed,
    Flow,
    Gaussian,
    Sphere,
    Spline,
    StandardNormal,
    Term,
    VampPrior,
)
from reparam.data.load import load
from reparam.families import Family
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.objectives import terms_of

Top = Family | VampPrior
IAFS = Flow(steps=(IAF((6,)), IAF((6,))))
MAFS = Flow(steps=(MAF((6,)),))
SPLINES = Flow(steps=(Spline((6,), bins=4), Spline((6,), bins=4)))
X = (torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) < 0.5).double()

NORMAL = Gaussian()
DIGITS = load("digits").X[:300]


def small(q: Family = NORMAL, p: Top | None = None, layers: tuple[int, ...] = (2,), **parts: Any) -> Model:
    """A model whose q is far from the posterior, every parameter away from where it starts."""
    torch.manual_seed(1)
    top = p if p is not None else Sphere() if q.support == "sphere" else StandardNormal()
    held = {"posterior": q, "prior": top, "likelihood": Bernoulli()} | parts
    model = Model((4,), ModelConfig(layers, MLP((5,), "tanh"), MLP((5,), "tanh"), **held)).double()
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


def blind(likelihood: Family, columns: int, **parts: Any) -> Model:
    """A model that reads nothing: q is the prior, and p(x|z) the same for every z; log p(x) is exact."""
    torch.manual_seed(0)
    held = {"posterior": Gaussian(), "prior": StandardNormal(), "likelihood": likelihood} | parts
    model = Model((columns,), ModelConfig((2,), MLP((3,)), MLP((3,)), **held)).double().eval()
    with torch.no_grad():
        for w in model.parameters():
            w.zero_()
        head: Any = model.likelihood
        last = head.layer[-1].bias
        last.copy_(torch.linspace(-1, 2, len(last), dtype=torch.float64))
    return model


def linear_gaussian(
    latent: int,
    columns: int | None = None,
    *,
    seed: int | None = None,
    noise: float = 0.5,
    widened: float = 1.2,
    centred: bool = True,
    rows: int = 200,
) -> tuple[Model, Tensor, np.ndarray, float]:
    """x = W z + b + noise e: a model, x, log p(x), and the mutual information of x and z.

    q is the exact posterior, widened and shifted by 0.1 of its sd. A diagonal q can be exact only where the
    columns of W are orthogonal, so they are.
    """
    rng = np.random.default_rng(latent if seed is None else seed)
    columns = columns or latent + 4
    W = np.linalg.qr(rng.normal(size=(columns, latent)))[0] * rng.uniform(0.5, 2.0, latent)
    b = np.zeros(columns) if centred else rng.normal(size=columns)
    parts = ModelConfig(
        (latent,), MLP(()), MLP(()), Gaussian(), StandardNormal(), Gaussian(scale=Fixed(noise))
    )
    model = Model((columns,), parts).double().eval()
    precision = 1 + (W**2).sum(0) / noise**2
    sd, gain = precision**-0.5, (W / noise**2 / precision).T
    heads: Any = (model.latents.q[0], model.likelihood)
    with torch.no_grad():
        q, p = heads[0].layer, heads[1].layer[-1]
        q.weight.copy_(torch.tensor(np.vstack([gain, np.zeros_like(gain)])))
        q.bias.copy_(torch.tensor(np.concatenate([-gain @ b + 0.1 * sd, 2 * np.log(widened * sd)])))
        p.weight.copy_(torch.tensor(W))
        p.bias.copy_(torch.tensor(b))
    x = rng.normal(size=(rows, latent)) @ W.T + b + noise * rng.normal(size=(rows, columns))
    exact = multivariate_normal(b, W @ W.T + noise**2 * np.eye(columns)).logpdf(x)
    return model, torch.tensor(x), np.asarray(exact), float(0.5 * np.log(precision).sum())


def people(n: int = 300) -> pd.DataFrame:
    """Every kind of column; sex and height hang together."""
    rng = np.random.default_rng(0)
    male = rng.random(n) < 0.5
    table = pd.DataFrame(
        {
            "id": np.arange(n),
            "name": [f"person {i}" for i in range(n)],
            "sex": np.where(male, "male", "female"),
            "height": 165 + 15 * male + rng.normal(0, 3, n),
            "income": np.exp(rng.normal(8, 1.5, n)),
            "children": rng.poisson(1.5, n),
            "grade": rng.integers(1, 6, n),
            "smokes": rng.random(n) < 0.3,
            "size": pd.Categorical(rng.choice(["S", "M", "L"], n), ["S", "M", "L"], ordered=True),
            "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 9000, n), unit="D"),
            "planet": "Earth",
        }
    )
    table.loc[::7, "height"] = np.nan
    table.loc[3::11, "sex"] = None
    return table


def combine(objective: Term | tuple[Term, ...], **parts: Any) -> None:
    """An objective beside the parts of a model: SpecError where they do not go together."""
    held = {
        "latent_dim": (2,),
        "encoder": MLP(),
        "decoder": MLP(),
        "posterior": Gaussian(),
        "prior": StandardNormal(),
        "likelihood": Bernoulli(),
    } | parts
    terms_of(objective, ModelConfig(**held))  # type: ignore[arg-type]
