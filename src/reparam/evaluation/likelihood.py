"""The importance-weighted likelihood, in nats."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data.batching import Rows
from ..distributions import sample_with
from ..model.hierarchy import Draw, inferring
from ..model.model import Model
from ..model.trace import Trace
from ..tensors import nan_to_neginf, random_from
from .importance import Sums
from .passes import over_rows, rows_when_sampled, samples_at_once
from .redraws import Redraws


def common_noise(samples: int, dtype: torch.dtype) -> Draw:
    """z ~ q with the same noise for every row of the batch."""

    def noise(shape: torch.Size) -> Tensor:
        return torch.randn(shape, dtype=dtype)

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        assert q is not None
        return sample_with(q, samples if len(q.batch_shape) == 1 else q.batch_shape[0], noise)

    return draw


class LogWeights:
    """Rows (x, y) -> exactly k log-weights log p(x, z) - log q(z|x) of each (and class, where those are
    enumerated), in pieces (S, B).

    `alike`: all rows of a batch share the same noise; else each has its own. `rows`: how many are to come.
    """

    def __init__(self, model: Model, k: int, *, alike: bool = False, rows: int = 0) -> None:
        self.model, self.k, self.alike = model, k, alike
        self.step = samples_at_once(model, k)
        self.redraws = Redraws(model, self.draw(self.step), Trace.log_w, rows * k)

    def draw(self, samples: int) -> Draw:
        return common_noise(samples, self.model.log_prior_y.dtype) if self.alike else inferring(samples)

    def __call__(self, x: Tensor, y: Tensor | None) -> Iterator[Tensor]:
        trace: Trace | None = None
        for done in range(0, self.k, self.step):
            samples = min(self.step, self.k - done)
            if trace is None or samples < self.step:
                trace = self.model(x, y, samples=samples, draw=self.draw(samples))
                yield nan_to_neginf(trace.log_w())
            else:
                yield nan_to_neginf(self.redraws(trace))


def summed(pieces: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """log (1/k) sum_s w_s, (B,), and the weights' effective sample size (sum w)^2 / sum w^2, (B,)."""
    sums = Sums()
    for log_w in pieces:
        sums.add(log_w)
    return sums.log_mean, sums.size


@torch.no_grad()
def log_likelihood(
    model: Model, x: Tensor, y: Tensor | None, k: int, seed: int | None
) -> tuple[Tensor, Tensor]:
    """`summed` for one batch. With a seed all rows share the same noise; without, each row has its own."""
    with nullcontext() if seed is None else random_from(seed):
        return summed(LogWeights(model, k, alike=seed is not None)(x, y))


@torch.no_grad()
def score_rows(model: Model, rows: Rows, k: int, seed: int) -> Tensor:
    """The importance-weighted bound on log p(x) of each row, (n,), with noise shared by all rows; for an
    autoencoder log p(x|z(x))."""
    has_density = model.config.has_density
    weights = LogWeights(model, 1 if model.config.deterministic else k, alike=True, rows=len(rows[0]))

    def scored(x: Tensor, y: Tensor | None) -> Tensor:
        with random_from(seed):
            seen = model.observe(x, for_likelihood=has_density, alike=True)
        if not has_density:
            return nan_to_neginf(model(seen, y).log_likelihood[0])
        with random_from(seed):
            return summed(weights(seen, y))[0]

    return over_rows(scored, *rows, rows_when_sampled(model))
