"""Products of distributions over columns."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from .base import Unvalidated, blend, elementwise_log_prob, mean_of

Runs = Sequence[tuple[int, int, int]]
"""Columns in order, as runs (part, start, stop): columns start .. stop of that part come next."""


def join_columns(parts: Sequence[Tensor], runs: Runs) -> Tensor:
    """Parts (*leading, n_i) -> columns in their order, (*leading, sum of n)."""
    return torch.cat([_cut(parts[part], start, stop) for part, start, stop in runs], -1)


def _cut(x: Tensor, start: int, stop: int) -> Tensor:
    """Some columns; all of them without a cut, because the gradient of a cut is a copy."""
    return x if start == 0 and stop == x.shape[-1] else x[..., start:stop]


def split_columns(x: Tensor, runs: Runs) -> list[Tensor]:
    """The inverse of `join_columns`."""
    pieces = torch.split(x, [stop - start for _, start, stop in runs], -1)
    mine: dict[int, list[Tensor]] = {}
    for (part, _, _), piece in zip(runs, pieces, strict=True):
        mine.setdefault(part, []).append(piece)
    return [mine[part][0] if len(mine[part]) == 1 else torch.cat(mine[part], -1) for part in sorted(mine)]


class Product(Unvalidated):
    """p(x) = prod_i p_i(x_i): columns with different distributions, each part with event (n_i,).

    `missing` says which cells of some `columns` are missing, given x. log_prob and sample are of x alone.
    """

    def __init__(
        self,
        parts: Sequence[Distribution],
        runs: Runs,
        missing: Distribution | None = None,
        columns: Sequence[int] = (),
    ) -> None:
        self.parts, self.runs, self.missing, self.columns = parts, runs, missing, list(columns)
        event = torch.Size((sum(part.event_shape[0] for part in parts),))
        super().__init__(parts[0].batch_shape, event)

    def log_prob(self, value: Tensor) -> Tensor:
        own = zip(self.parts, split_columns(value, self.runs), strict=True)
        return torch.stack([part.log_prob(x) for part, x in own]).sum(0)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return join_columns([part.sample(sample_shape) for part in self.parts], self.runs)


class Chain(Product):
    """p(x) = prod_j p_j(x_j | x_i, i before j): `given(rows)` is the distribution of each column given those
    cells of rows (*rows, C) that come before it, observed ones first; given none without rows.

    With `rows` the product is that at these rows: log_prob is of them, a sample fills their missing cells
    (NaN) and keeps the others, and a missing cell's distribution is the one given all observed cells.
    """

    def __init__(self, given: Callable[[Tensor | None], Product], rows: Tensor | None) -> None:
        self.given, self.rows = given, rows
        now = given(rows)
        super().__init__(now.parts, now.runs, now.missing, now.columns)

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value) if self.rows is not None else self.given(value).log_prob(value)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        x = super().sample(sample_shape)
        empty = torch.tensor(torch.nan, device=x.device) if self.rows is None else self.rows
        x = empty.expand(x.shape).clone()
        for j in range(x.shape[-1]):
            gone = x[..., j].isnan()
            if gone.any():
                x[..., j] = torch.where(gone, self.given(x).sample()[..., j], x[..., j])
        return x


def log_missing(d: Distribution, missing: Tensor) -> Tensor | float:
    """log-probability of which cells are missing, `missing` (B, *E), true where one is; 0 where that is not
    modelled."""
    if not isinstance(d, Product) or d.missing is None:
        return 0.0
    log_p: Tensor = d.missing.log_prob(missing[..., d.columns].float())
    return log_p


def sample_with_missing(d: Distribution) -> Tensor:
    """A sample, with NaN in the cells that are missing, where that is modelled."""
    x = d.sample()
    d = d.given(x) if isinstance(d, Chain) else d
    if isinstance(d, Product) and d.missing is not None:
        hidden = torch.zeros_like(x, dtype=torch.bool)
        hidden[..., d.columns] = d.missing.sample().bool()
        return x.float().masked_fill(hidden, torch.nan)  # categories alone are whole numbers
    return x


def marginals(d: Distribution) -> Distribution:
    """p(x) with independent columns, each given none of the others."""
    return d.given(None) if isinstance(d, Chain) else d


@mean_of.register
def _(d: Chain) -> Tensor:
    """Of a missing cell given those observed, of an observed one given no other."""
    alone = _means(d.given(None))
    return alone if d.rows is None else torch.where(d.rows.isnan(), _means(d), alone)


def _means(d: Product) -> Tensor:
    return join_columns([mean_of(part) for part in d.parts], d.runs)


mean_of.register(Product, _means)


@elementwise_log_prob.register
def _(d: Product, x: Tensor) -> Tensor:
    """For a Chain the columns' log-probabilities given those before them."""
    d = d.given(x) if isinstance(d, Chain) and d.rows is None else d
    own = zip(d.parts, split_columns(x, d.runs), strict=True)
    return join_columns([elementwise_log_prob(part, mine) for part, mine in own], d.runs)


@blend.register
def _(d: Product, weights: Tensor) -> Tensor:
    return join_columns([blend(part, weights) for part in d.parts], d.runs)
