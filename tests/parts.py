"""The tables of tests: a row for each likelihood, posterior, prior, term and network.

A new part is a row here; the tests of its kind run on it, and fail where a part of a union has no row.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from scipy import stats
from torch import Tensor, nn

from reparam import (
    CIWAE,
    ELBO,
    FSQ,
    IAF,
    IWAE,
    L2,
    MAF,
    MIWAE,
    MLP,
    MMD,
    PIWAE,
    VQ,
    AutoregressiveCodes,
    Auxiliary,
    Bernoulli,
    Beta,
    Categorical,
    CodePrior,
    Columns,
    Commitment,
    Consistency,
    ContinuousBernoulli,
    Conv,
    CrossEntropy,
    Decorrelation,
    DiscretizedLogistic,
    Enumerated,
    FactorTC,
    Family,
    Flow,
    FullGaussian,
    Gaussian,
    GradientPenalty,
    GumbelSigmoid,
    GumbelSoftmax,
    Laplace,
    LatentCritic,
    LatentNorm,
    Local,
    LogNormal,
    LowRankGaussian,
    Mixture,
    MutualInformation,
    NegativeBinomial,
    Network,
    OrderedLogistic,
    Planar,
    Poisson,
    PowerSpherical,
    PriorShare,
    Quantile,
    Renyi,
    ResMLP,
    ResNet,
    Shared,
    Sparsity,
    Sphere,
    Spline,
    StandardNormal,
    StudentT,
    Term,
    TotalCorrelation,
    VampPrior,
    ZeroInflated,
)
from reparam.nn.layers import LearnedVector

# -- likelihoods ---------------------------------------------------------------------------------------

Grid = tuple[Tensor, Tensor]
Values = dict[str, np.ndarray]


def whole_line() -> Grid:
    """Places x and weights dx: x = sinh(t)."""
    t = torch.linspace(-40, 40, 80_001, dtype=torch.float64)
    return t.sinh(), t.cosh() * 1e-3


def half_line() -> Grid:
    t = torch.linspace(-30, 30, 40_001, dtype=torch.float64)
    return t.exp(), t.exp() * 1.5e-3


def shares() -> Grid:
    t = torch.linspace(-36, 36, 40_001, dtype=torch.float64)
    return t.sigmoid(), t.sigmoid() * (-t).sigmoid() * 1.8e-3


def numbers(n: int) -> Callable[[], Grid]:
    return lambda: (torch.arange(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64))


class LikelihoodRow(NamedTuple):
    """A family, places and weights of its values, data to fit, what scipy says, and whether units move it."""

    family: Family
    support: Callable[[], Grid]
    draw: Callable[[Generator, tuple[int, ...]], np.ndarray]
    log_prob: Callable[[np.ndarray, Values], np.ndarray] | None = None
    moves: bool = False


def discretized(x: np.ndarray, v: Values) -> np.ndarray:
    loc, scale = 127.5 * (v["loc"][..., 0, :] + 1), 127.5 * v["scale"][..., 0, :]
    law = stats.logistic(loc, scale)
    with np.errstate(divide="ignore"):
        return np.log(np.where(x == 255, 1, law.cdf(x + 0.5)) - np.where(x == 0, 0, law.cdf(x - 0.5)))


def ordered(x: np.ndarray, v: Values) -> np.ndarray:
    u = stats.logistic.ppf(np.arange(1, 5) / 5)
    gaps = np.diff(u)[:, None] * (v["step"] + 1e-3)
    cuts = (v["first"] + u[0])[..., None, :] + np.cumsum(np.insert(gaps, 0, 0, -2), -2)
    below = np.insert(np.insert(stats.logistic.cdf(cuts - v["eta"][..., None, :]), 0, 0, -2), 5, 1, -2)
    return np.take_along_axis(np.log(np.diff(below, axis=-2)), x.astype(int)[..., None, :], -2)[..., 0, :]


def beta(x: np.ndarray, v: Values) -> np.ndarray:
    m, d = 1 / (1 + np.exp(-v["logit"])), v["dispersion"]
    return stats.beta(m / d, (1 - m) / d).logpdf(x)


def continuous_bernoulli(x: np.ndarray, v: Values) -> np.ndarray:
    a = v["logit"]
    return stats.truncexpon(np.abs(a), scale=1 / np.abs(a)).logpdf(np.where(a < 0, x, 1 - x))


def negative_binomial(x: np.ndarray, v: Values) -> np.ndarray:
    r = 1 / v["dispersion"]
    return stats.nbinom(r, r / (r + v["mean"])).logpmf(x)


def zero_inflated(x: np.ndarray, v: Values) -> np.ndarray:
    g = 1 / (1 + np.exp(-v["gate"]))
    return np.log(g * (x == 0) + (1 - g) * stats.poisson(v["rate"]).pmf(x))


def softmax(x: np.ndarray, v: Values) -> np.ndarray:
    p = np.moveaxis(v["logits"] - np.log(np.exp(v["logits"]).sum(-2, keepdims=True)), -2, -1)
    return np.take_along_axis(p, x.astype(int)[..., None], -1)[..., 0]


FAMILIES = {
    "gaussian": LikelihoodRow(
        Gaussian(),
        whole_line,
        lambda rng, n: rng.normal(2, 3, n),
        lambda x, v: stats.norm(v["loc"], v["scale"]).logpdf(x),
        moves=True,
    ),
    "laplace": LikelihoodRow(
        Laplace(scale=Local()),
        whole_line,
        lambda rng, n: rng.laplace(2, 3, n),
        lambda x, v: stats.laplace(v["loc"], v["scale"]).logpdf(x),
        moves=True,
    ),
    "student": LikelihoodRow(
        StudentT(),
        whole_line,
        lambda rng, n: 2 + rng.standard_t(3, n),
        lambda x, v: stats.t(v["df"], v["loc"], v["scale"]).logpdf(x),
        moves=True,
    ),
    "lognormal": LikelihoodRow(
        LogNormal(),
        half_line,
        lambda rng, n: rng.lognormal(1, 0.5, n),
        lambda x, v: stats.lognorm(v["scale"], scale=np.exp(v["loc"])).logpdf(x),
        moves=True,
    ),
    "beta": LikelihoodRow(Beta(), shares, lambda rng, n: rng.beta(2, 5, n), beta),
    "continuous": LikelihoodRow(
        ContinuousBernoulli(), shares, lambda rng, n: rng.beta(0.5, 1, n), continuous_bernoulli
    ),
    "bernoulli": LikelihoodRow(
        Bernoulli(),
        numbers(2),
        lambda rng, n: rng.integers(0, 2, n),
        lambda x, v: stats.bernoulli(1 / (1 + np.exp(-v["logit"]))).logpmf(x),
    ),
    "categorical": LikelihoodRow(Categorical(4), numbers(4), lambda rng, n: rng.integers(0, 4, n), softmax),
    "levels": LikelihoodRow(
        Categorical(4, ordered=True), numbers(4), lambda rng, n: rng.integers(0, 4, n), softmax
    ),
    "pixels": LikelihoodRow(
        DiscretizedLogistic(), numbers(256), lambda rng, n: rng.integers(0, 256, n), discretized
    ),
    "mixture": LikelihoodRow(
        DiscretizedLogistic(16, components=3), numbers(16), lambda rng, n: rng.integers(0, 16, n)
    ),
    "ordered": LikelihoodRow(OrderedLogistic(5), numbers(5), lambda rng, n: rng.integers(0, 5, n), ordered),
    "poisson": LikelihoodRow(
        Poisson(),
        numbers(2000),
        lambda rng, n: rng.poisson(7, n),
        lambda x, v: stats.poisson(v["rate"]).logpmf(x),
    ),
    "negative": LikelihoodRow(
        NegativeBinomial(),
        numbers(20_000),
        lambda rng, n: rng.negative_binomial(2, 0.2, n),
        negative_binomial,
    ),
    "inflated": LikelihoodRow(
        ZeroInflated(), numbers(2000), lambda rng, n: rng.poisson(5, n) * rng.integers(0, 2, n), zero_inflated
    ),
    "inflated negative": LikelihoodRow(
        ZeroInflated(NegativeBinomial(dispersion=Local()), Shared()),
        numbers(20_000),
        lambda rng, n: rng.negative_binomial(2, 0.2, n) * rng.integers(0, 2, n),
    ),
    "quantile": LikelihoodRow(Quantile(), whole_line, lambda rng, n: rng.gamma(2.0, 3.0, n), moves=True),
}
TABLE = Columns(
    (
        Gaussian(scale=Shared()),
        Categorical(3),
        Gaussian(scale=Shared()),
        LogNormal(),
        Poisson(),
        Categorical(3),
        Bernoulli(),
        Bernoulli(),
        Beta(),
    )
)


def head(family: Family, event: tuple[int, ...], floor: float = 1e-3) -> tuple[Any, int]:
    """The family's head over raw numbers given by hand, and how many it wants."""
    wanted: list[int] = []

    def identity(n: int) -> nn.Module:
        wanted.append(n)
        return nn.Identity()

    built = family.build(event, identity, floor)
    return built, sum(wanted)


# -- posteriors and priors -----------------------------------------------------------------------------

POSTERIORS: list[Family] = [
    Gaussian(),
    FullGaussian(),
    LowRankGaussian(2),
    PowerSpherical(),
    Flow(steps=(IAF((16,)), IAF((16,)))),
    Flow(steps=(MAF((16,)), MAF((16,)))),
    Flow(steps=(Spline((16,), bins=5), Spline((16,), bins=5))),
    Flow(FullGaussian(), steps=(IAF((16, 16)), Spline((16,)))),
    Flow(steps=(Planar(), Planar(), Planar())),
]
PRIORS: list[Family | VampPrior] = [
    StandardNormal(),
    FullGaussian(),
    LowRankGaussian(1),
    Sphere(),
    Mixture(Gaussian(), 4),
    Mixture(FullGaussian(), 3),
    PowerSpherical(),
    Mixture(PowerSpherical(), 3),
    Flow(steps=(MAF((16,)), MAF((16,)))),
    Flow(Mixture(Gaussian(), 3), steps=(Spline((16,), bins=5),)),
    VampPrior(6),
    Gaussian(),
]
CODES: list[tuple[Family, int]] = [
    (GumbelSoftmax(3), 9),
    (GumbelSigmoid(), 4),
    (FSQ((3, 2)), 4),
    (VQ(4, 2), 6),
]
CODE_PRIORS: list[Family] = [CodePrior(), CodePrior(Shared()), AutoregressiveCodes((16,))]


def conditional(family: Family, L: int = 2, rows: int = 1, seed: int = 0) -> Any:
    """The family read from random features, its steps and scales well away from the identity."""
    torch.manual_seed(seed)
    head = family.build((L,), lambda n: nn.Linear(4, n)).double()
    with torch.no_grad():
        for p in head.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return head(torch.randn(rows, 4).double())


def unconditional(family: Family, L: int = 2) -> Any:
    """The family as a prior: its numbers are learned, and here as they start."""
    torch.manual_seed(1)
    return family.build((L,), LearnedVector).double()(None)


def grid(support: str) -> tuple[Tensor, float]:
    """Points (N, 2) of the plane or the circle, and the area of each."""
    if support == "sphere":
        angle = torch.arange(2_000, dtype=torch.float64) * 2 * math.pi / 2_000
        return torch.stack((angle.cos(), angle.sin()), -1), 2 * math.pi / 2_000
    side = torch.linspace(-14, 14, 361, dtype=torch.float64)
    return torch.cartesian_prod(side, side), float(side[1] - side[0]) ** 2


# -- terms ---------------------------------------------------------------------------------------------


class TermRow(NamedTuple):
    """A term, the parameters that it moves by their first words, and what it asks of a model and of data."""

    term: Term
    moves: tuple[str, ...] = ("encoder", "latents")
    parts: dict[str, Any] = {}  # noqa: RUF012
    holes: bool = False


EVERYTHING = ("encoder", "latents", "likelihood")
TERMS = {
    "elbo": TermRow(ELBO(), EVERYTHING),
    "iwae": TermRow(IWAE(5), EVERYTHING),
    "miwae": TermRow(MIWAE(2, 3), EVERYTHING),
    "ciwae": TermRow(CIWAE(5), EVERYTHING),
    "piwae": TermRow(PIWAE(2, 3), EVERYTHING),
    "renyi": TermRow(Renyi(0.5, 5), EVERYTHING),
    "cross entropy": TermRow(
        CrossEntropy(3.0), ("encoder", "classifier"), {"labels": Auxiliary(3, network=None)}
    ),
    "consistency": TermRow(Consistency(3.0), ("classifier",), {"labels": Enumerated(3)}),
    "mutual information": TermRow(MutualInformation(3.0), ("classifier",), {"labels": Enumerated(3)}),
    "total correlation": TermRow(TotalCorrelation(3.0)),
    "factor": TermRow(FactorTC(3.0, (8,))),
    "decorrelation": TermRow(Decorrelation(1.0, 1.0)),
    "mmd": TermRow(MMD(3.0)),
    "commitment": TermRow(Commitment(), parts={"posterior": VQ(5, 2), "prior": CodePrior()}),
    "critic": TermRow(LatentCritic(1.0, (8,))),
    "norm": TermRow(LatentNorm(0.1)),
    "sparsity": TermRow(Sparsity(0.1)),
    "gradient": TermRow(GradientPenalty(0.1), ("likelihood",)),
    "prior share": TermRow(PriorShare(), holes=True),
    "weights": TermRow(L2(), EVERYTHING),
}

# -- networks ------------------------------------------------------------------------------------------

NETWORKS: dict[str, Network] = {
    "mlp": MLP((16, 8)),
    "conv": Conv((4, 8), hidden=(16,)),
    "residual mlp": ResMLP(16, blocks=2),
    "one block": ResMLP(16, blocks=1, activation="silu"),
    "residual": ResNet((4, 8), blocks=1, hidden=(16,), norm=2),
    "attention": ResNet((8, 16), blocks=2, hidden=(), norm=4, attention=True),
    "no norm": ResNet((5,), blocks=1, norm=0, activation="relu"),
}
