"""How good a model is, in nats per datum, and how far the figures can be trusted."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from .distributions import sample_with
from .latents import Draw
from .model import Model, Trace
from .tensors import Rowwise, numel

ROWS = 128
"""Rows of a pass. Every pass is filled up to this size, so a row's numbers do not depend on how many
rows came with it."""
CELLS = 1 << 20
"""Decoded numbers of a pass: few enough to stay in a processor's cache, whatever k is."""


@dataclass(frozen=True)
class Figure:
    """A mean and its standard error; None for a single row."""

    mean: float
    se: float | None

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.se is None else f" ± {self.se:.2f}")


@dataclass(frozen=True)
class Evaluation:
    """Held-out figures, nats per datum in the units of the data; None where a model has no such number.

    `log_likelihood` is the importance-weighted bound with k samples (Burda et al. 2016, equation 8)
    and rises to log p(x) with k; `ess` is the mean effective sample size of its weights, of k.
    """

    n: int
    k: int
    log_likelihood: Figure | None
    bits_per_dim: float | None
    elbo: float | None
    rate: float | None
    distortion: float
    active_units: int
    ess: float | None
    accuracy: float | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"warnings": list(self.warnings)}


Batch = tuple[Tensor, Tensor | None]


def batches(x: Rowwise, y: Tensor | None, rows: int = ROWS) -> Iterator[tuple[Tensor, Tensor | None, int]]:
    """(x, y, how many count): every batch has `rows` rows, the last filled up with its own first row."""
    for i in range(0, len(x), rows):
        part = [t if t is None else t[i : i + rows] for t in (x, y)]
        count = len(x[i : i + rows])
        if count < rows:
            part = [
                t if t is None else torch.cat((t, t[:1].expand(rows - count, *t.shape[1:]))) for t in part
            ]
        assert part[0] is not None
        yield part[0], part[1], count


def samples_at_once(model: Model, k: int) -> int:
    """How many of k samples a pass takes."""
    return max(1, min(k, 100, CELLS // (ROWS * numel(model.event))))


@torch.no_grad()
def over_rows(f: Callable[[Tensor, Tensor | None], Tensor], x: Rowwise, y: Tensor | None = None) -> Tensor:
    """f over batches, joined: (n, ...)."""
    return torch.cat([f(a, b)[:count] for a, b, count in batches(x, y)])


def common_noise(generator: torch.Generator, samples: int, dtype: torch.dtype) -> Draw:
    """z ~ q with the same noise for every row of the batch."""

    def noise(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        assert q is not None
        return sample_with(q, samples if len(q.batch_shape) == 1 else q.batch_shape[0], noise)

    return draw


def log_weights(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int | None) -> Iterator[Tensor]:
    """Exactly k log-weights log p(x, z) - log q(z|x) of each row (and class, where those are enumerated),
    (S, B) a piece.

    With a seed all rows share one noise, fixed by it; without, each row has its own.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    step = samples_at_once(model, k)
    for done in range(0, k, step):
        samples = min(step, k - done)
        draw = None if generator is None else common_noise(generator, samples, x.dtype)
        yield model(x, y, samples=samples, draw=draw).log_w()


@torch.no_grad()
def log_likelihood(
    model: Model, x: Tensor, y: Tensor | None, k: int, seed: int | None
) -> tuple[Tensor, Tensor]:
    """log (1/k) sum_s w_s, (B,), and the weights' effective sample size (sum w)^2 / sum w^2, (B,)."""
    once = torch.full((len(x),), -math.inf, dtype=x.dtype)
    twice, drawn = once.clone(), 0
    for log_w in log_weights(model, x, y, k, seed):
        once = torch.logaddexp(once, log_w.logsumexp(0))
        twice = torch.logaddexp(twice, (2 * log_w).logsumexp(0))
        drawn += len(log_w)
    return once - math.log(drawn), (2 * once - twice).exp()


def enough(trace: Trace, k: int) -> int:
    """How many of k draws say all: one where every rung's q is a single place."""
    return 1 if all(site.is_certain for site in trace.sites) else k


@torch.no_grad()
def evaluate(
    model: Model, x: Rowwise, y: Tensor | None, k: int, seed: int, truth: Tensor | None = None
) -> Evaluation:
    """All figures of a data set x (n, *E), class numbers y (n,) where the model is told them.

    `truth` (n,) are the classes that a classifier's accuracy is held against.
    """
    family, warnings = model.likelihood.family, []
    probe = model(x[:1], None if y is None else y[:1])
    k, rated, sums = enough(probe, k), probe.has_rate, torch.zeros(2, dtype=torch.float64)
    codes, guesses, scores, sizes = [], [], [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for a, b, count in batches(x, y):
            trace = model(a, b, samples=samples_at_once(model, k))
            log_px = trace.average(trace.log_likelihood)[:count].double()
            rate = trace.rate[:count].double() if rated else torch.zeros(count).double()
            sums += torch.stack([rate.sum(), -log_px.sum()])
            codes.append(model.encode(a, b)[:count])
            if trace.logits is not None:
                guesses.append(trace.logits.argmax(-1)[:count])
            if rated:
                seen = model.observe(a, evidence=True)
                score, size = log_likelihood(model, seen, b, k, None)
                scores.append(score[:count].double())
                sizes.append(size[:count].double())
    rate, distortion = (sums / len(x)).tolist()
    estimate = ess = None
    if rated:
        score = torch.cat(scores)
        se = float(score.std()) / math.sqrt(len(x)) if len(x) > 1 else None
        estimate, ess = Figure(float(score.mean()), se), float(torch.cat(sizes).mean())
        if k > 1 and ess < 2:
            warnings.append(
                f"the importance weights have an effective sample size of {ess:.1f} of {k}: "
                "the log-likelihood is too low by an unknown amount; raise k"
            )
    else:
        warnings.append("a Point posterior has no density: rate, ELBO and log-likelihood are not defined")
    if getattr(family, "grey", None) == "expected":
        warnings.append(
            "log_likelihood is of pixels switched on at random with their grey value as probability, at a "
            "fixed seed; rate, distortion and ELBO are of the grey pixels, their expectation"
        )
    code = torch.cat(codes).double()
    active = int((code.var(0) > 0.01).sum()) if len(x) > 1 and code.shape[1] else 0
    return Evaluation(
        n=len(x),
        k=k,
        log_likelihood=estimate,
        bits_per_dim=None if estimate is None else -estimate.mean / numel(model.event) / math.log(2),
        elbo=-rate - distortion if rated else None,
        rate=rate if rated else None,
        distortion=distortion,
        active_units=active,
        ess=ess,
        accuracy=float((torch.cat(guesses) == truth).double().mean())
        if guesses and truth is not None
        else None,
        warnings=tuple(warnings),
    )
