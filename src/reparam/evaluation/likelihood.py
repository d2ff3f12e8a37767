"""The importance-weighted likelihood, in nats."""

from collections.abc import Iterator

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
    in pieces (S, B).

    With a seed all rows share the same noise; without, each row has its own.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    trace: Trace | None = None
    step = samples_at_once(model, k)
    for done in range(0, k, step):
        samples = min(step, k - done)
        draw = inferring(samples) if generator is None else common_noise(generator, samples, x.dtype)
        again = trace if samples == step else None
        trace = again.redrawn(draw) if again else model(x, y, samples=samples, draw=draw)
        yield nan_to_neginf(trace.log_w())


@torch.no_grad()
def log_likelihood(
    model: Model, x: Tensor, y: Tensor | None, k: int, seed: int | None
) -> tuple[Tensor, Tensor]:
    """log (1/k) sum_s w_s, (B,), and the weights' effective sample size (sum w)^2 / sum w^2, (B,)."""
    sums = Sums()
    for log_w in log_weights(model, x, y, k, seed):
        sums.add(log_w)
    return sums.log_mean, sums.size


@torch.no_grad()
def score_rows(model: Model, rows: Rows, k: int, seed: int) -> Tensor:
    """The importance-weighted bound on log p(x) of each row, (n,), with noise shared by all rows; for an
    autoencoder log p(x|z(x))."""
    has_density = model.config.has_density
    draws = 1 if model.config.deterministic else k

    def scored(x: Tensor, y: Tensor | None) -> Tensor:
        with random_from(seed):
            seen = model.observe(x, for_likelihood=has_density, alike=True)
        if not has_density:
            return nan_to_neginf(model(seen, y).log_likelihood[0])
        return log_likelihood(model, seen, y, draws, seed)[0]

    return over_rows(scored, *rows, rows_when_sampled(model))
