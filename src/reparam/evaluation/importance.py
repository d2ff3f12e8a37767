"""Statistics of importance weights: the bound as a function of k, and the reliability of the estimate.

Weights come in pieces and are not stored: memory does not grow with k, except for the tail of 3 sqrt(k).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

TRUSTED_SIZE = 10.0
"""An effective sample size below it means more than 1 / (2 * 10) = 0.05 nat of bias."""
TRUSTED_TAIL = 0.7
"""With Pareto k above it, the mean of the weights converges too slowly (Vehtari et al. 2024)."""
TRUSTED_RISE = 0.06
"""Nats: where twice as many samples raise the bound by more, about 0.15 nats are still missing."""


def pareto_k(tail: Tensor) -> Tensor:
    """The shape k (B,) of a generalised Pareto fit to the weights above the smallest of (M + 1, B), in logs.

    Zhang and Stephens (2009), with the prior of Vehtari et al., "Pareto smoothed importance sampling"
    (2024, appendix C): b runs over m quantiles of a prior, k(b) = mean log(1 - b x), weighted by the profile
    likelihood M (log(-b / k) - k - 1). The weights' variance is infinite above 0.5, their mean
    above 1. NaN where there is no tail.
    """
    log_w = tail.double().sort(0).values
    top = log_w[-1]
    x = (log_w[1:] - top).exp() - (log_w[0] - top).exp()
    n = len(x)
    m = 30 + math.isqrt(n)
    grid = 1 - (m / (torch.arange(1, m + 1, dtype=x.dtype) - 0.5)).sqrt()
    b = grid[:, None] / (3 * x[int(n / 4 + 0.5) - 1]) + 1 / x[-1]
    k = torch.stack([torch.log1p(-each * x).mean(0) for each in b])
    b = (b * (n * ((-b / k).log() - k - 1)).softmax(0)).sum(0)
    return (n * torch.log1p(-b * x).mean(0) + 10 * 0.5) / (n + 10)


def tail_size(k: int) -> int:
    """How many of k weights count as the tail (Vehtari et al. 2024, section 3.2)."""
    return math.ceil(min(k / 5, 3 * math.sqrt(k)))


def group_sizes(k: int) -> list[int]:
    """The numbers of draws for which `ImportanceWeights.by_k` gives a bound: 1, 2, 5, 10, ... and k.

    >>> group_sizes(37)
    [1, 2, 5, 10, 20, 37]
    """
    sizes = [size * 10**level for level in range(len(str(k))) for size in (1, 2, 5)]
    return [size for size in sizes if size < k] + [k]


@dataclass
class Sums:
    """The sums of weights and of their squares, from log weights (S, B) in pieces."""

    once: Tensor = field(default_factory=lambda: torch.tensor(-math.inf).double())
    twice: Tensor = field(default_factory=lambda: torch.tensor(-math.inf).double())
    drawn: int = 0

    def add(self, log_w: Tensor) -> None:
        log_w = log_w.double()
        self.once = torch.logaddexp(self.once, log_w.logsumexp(0))
        self.twice = torch.logaddexp(self.twice, (2 * log_w).logsumexp(0))
        self.drawn += len(log_w)

    @property
    def log_mean(self) -> Tensor:
        """log 1/k sum_s w_s, (B,)."""
        return self.once - math.log(self.drawn)

    @property
    def size(self) -> Tensor:
        """The effective sample size (sum w)^2 / sum w^2, (B,)."""
        size: Tensor = (2 * self.once - self.twice).exp()
        return size


@dataclass
class ImportanceWeights:
    """Statistics of k log weights of each of B rows, updated by `add`.

    Level j holds log sums of 10^j draws each. Ten of them give disjoint groups of 1, 2 and 5 times 10^j
    draws, and then become one sum of level j + 1.
    """

    k: int
    sums: Sums = field(default_factory=Sums)
    tail: Tensor | None = None
    levels: list[list[Tensor]] = field(default_factory=list)
    totals: dict[int, tuple[Tensor, int]] = field(default_factory=dict)

    def add(self, log_w: Tensor) -> None:
        """Log weights (S, B)."""
        log_w = log_w.double()
        self.sums.add(log_w)
        kept = log_w if self.tail is None else torch.cat((self.tail, log_w))
        size = tail_size(self.k) + 1
        self.tail = kept.topk(size, 0).values if len(kept) > 4 * size else kept
        for each in log_w:
            self._climb(each, 0)

    def _climb(self, log_sum: Tensor, level: int) -> None:
        if level == len(self.levels):
            self.levels.append([])
        self.levels[level].append(log_sum)
        if len(self.levels[level]) == 10:
            blocks = self._count(level)
            self._climb(blocks.logsumexp(0), level + 1)

    def _count(self, level: int) -> Tensor:
        """Add the level's groups to the totals, and empty it."""
        blocks = torch.stack(self.levels[level])
        self.levels[level] = []
        for size in (1, 2, 5):
            whole = len(blocks) // size
            draws = size * 10**level
            each = blocks[: whole * size].reshape(whole, size, blocks.shape[1]).logsumexp(1) - math.log(draws)
            total, count = self.totals.get(draws, (torch.zeros_like(blocks[0]), 0))
            self.totals[draws] = total + each.sum(0), count + whole
        return blocks

    @property
    def shape(self) -> Tensor:
        """Pareto's k of the largest weights, (B,); NaN where there are too few to fit."""
        size = tail_size(self.k)
        if self.tail is None or size < 5:
            return torch.full_like(self.sums.once, math.nan)
        return pareto_k(self.tail.topk(size + 1, 0).values)

    def by_k(self) -> dict[int, Tensor]:
        """The bound (B,) with 1, 2, 5, 10, ... and with all k draws: means over disjoint groups, unbiased."""
        for level, blocks in enumerate(self.levels):
            if blocks:
                self._count(level)
        means = {k: total / count for k, (total, count) in sorted(self.totals.items()) if count}
        return means | {self.k: self.sums.log_mean}


def last_rise(bounds: Mapping[int, float]) -> float:
    """By how many nats the bound rises while the number of samples doubles to k, from `bound_by_k`.

    >>> round(last_rise({10: -3.0, 20: -2.5, 50: -2.25, 60: -2.2}), 3)
    0.189
    """
    k = max(bounds)
    half = max((size for size in bounds if size <= k / 2), default=k)
    return 0.0 if half == k else (bounds[k] - bounds[half]) / math.log2(k / half)


def reliability_warning(k: int, size: float, shape: float | None, rise: float) -> str | None:
    """Why the estimate is not reliable, or None, from means over rows of `ImportanceWeights` statistics and
    the `last_rise`."""
    thin = k > 1 and size < min(TRUSTED_SIZE, k / 2)
    if not thin and (shape is None or shape <= TRUSTED_TAIL) and rise <= TRUSTED_RISE:
        return None
    tail = "" if shape is None else f", Pareto k of the weights {shape:.2f}"
    return (
        f"effective sample size {size:.1f} of {k}{tail}, {rise:.2f} nats above half as many samples: the log-"
        "likelihood is too low by an unknown amount; raise k, use ais=1000, or train with IWAE: it widens q"
    )
