"""The distribution of a number whose margin is known: logistic mixtures on the scale of normal scores."""

from math import inf, log, pi
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Categorical
from torch.nn.functional import logsigmoid, pad
from torch.special import ndtr

from .base import Unvalidated, mean_of
from .ordinal import at

FARTHEST = 20.0
"""The largest normal score beyond the end knots that is drawn: e^20 times the scale of the tail."""
AT_ONCE = 16
"""Knots at which distribution functions are held in memory while means are computed."""


class Cell(NamedTuple):
    """The cells of some values: their ends as normal scores, and log |d score / dx|."""

    low: Tensor
    high: Tensor
    log_slope: Tensor


class Margin(NamedTuple):
    """An increasing map t from x to normal scores, one a column: linear between knots (x_i, s_i).

    Beyond the end knots t(x) = s_K + log(1 + (x - x_K) / c), so an exponential tail in s is a power of x.
    Where two knots have one x, t jumps, and that value has the probability of the jump. Shapes: x and s
    (C, K), a column with fewer knots repeats its last; `centre` (C, K - 1), the mean of the training data
    between two knots; `tails` (C, 2), the scales c; `levels` (C,), 1 where all numbers between two knots are
    one cell, else 0; `pieces` (C, K + 1, 8), what `pieces_of` makes of these.
    """

    x: Tensor
    s: Tensor
    centre: Tensor
    tails: Tensor
    levels: Tensor
    pieces: Tensor

    @classmethod
    def of(cls, x: Tensor, s: Tensor, centre: Tensor, tails: Tensor, levels: Tensor) -> "Margin":
        return cls(x, s, centre, tails, levels, pieces_of(x, s, tails, levels))

    def cell(self, x: Tensor) -> Cell:
        """The cells of x (*batch, C): between two knots for levels, else the value itself."""
        piece = self.pieces[torch.arange(len(self.x), device=x.device), search(self.x, x) + 1]
        left, before, start, slope, most, least, log_slope, log_jump = piece.unbind(-1)
        inside = x.clamp(self.x[:, 0], self.x[:, -1])
        outside = x - inside
        beyond = (outside.abs() * slope).log1p()
        score = start + (inside - left) * slope + outside.sign() * beyond
        at_knot = x == left
        low = torch.where(at_knot, before, torch.minimum(score, most))
        return Cell(low, torch.maximum(score, least), torch.where(at_knot, log_jump, log_slope - beyond))

    def score(self, x: Tensor) -> Tensor:
        """The middle of each value's cell, (*batch, C)."""
        cell = self.cell(x)
        return (cell.low + cell.high) / 2

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) where t(x) is standard normal, (*batch, C)."""
        cell = self.cell(x)
        width = cell.high - cell.low
        mean = (ndtr(cell.high) - ndtr(cell.low)) / torch.where(width > 0, width, 1.0)
        middle = -0.5 * cell.low.square() - 0.5 * log(2 * pi)
        return torch.where(width > 0, mean.clamp_min(1e-300).log(), middle) + cell.log_slope

    def value(self, s: Tensor) -> Tensor:
        """The inverse of t: x with the normal scores s (*batch, C)."""
        k = search(self.s, s).clamp(0, self.s.shape[-1] - 2)
        rise = at(self.s, k + 1) - at(self.s, k)
        share = ((s - at(self.s, k)) / torch.where(rise > 0, rise, 1.0)).clamp(0.0, 1.0)
        x = torch.lerp(at(self.x, k), at(self.x, k + 1), share)
        below = (self.s[:, 0] - s).clamp(0.0, FARTHEST).expm1() * self.tails[:, 0]
        above = (s - self.s[:, -1]).clamp(0.0, FARTHEST).expm1() * self.tails[:, 1]
        return x - below + above


def pieces_of(x: Tensor, s: Tensor, tails: Tensor, levels: Tensor) -> Tensor:
    """The pieces of a margin's map, below the first knot, from each to the next and above the last,
    (C, K + 1, 8): the left end and the scores below and at it, which differ at a jump; the slope; the ends of
    a level's cell as the most that its low end and the least that its high end may be, else no limit; log
    slope; and the logarithm of the jump at the left end, where there is one, else of the slope.
    """
    is_level = (levels[:, None] > 0) & (x[:, :-1] < x[:, -1:])
    step, rise = x.diff(dim=-1), s.diff(dim=-1)
    inner = rise / torch.where(step > 0, step, 1.0)
    slope = torch.cat([1 / tails[:, :1], inner, 1 / tails[:, 1:]], -1)
    most = pad(torch.where(is_level, s[:, :-1], inf), (1, 1), value=inf)
    least = pad(torch.where(is_level, s[:, 1:], -inf), (1, 1), value=-inf)
    first = s.gather(-1, torch.searchsorted(x, x))
    before = torch.where(levels[:, None] > 0, s, first)
    left, before, start = (torch.cat([t[:, :1], t], -1) for t in (x, before, s))
    jump = start - before
    log_jump = torch.where(jump > 0, jump, slope).log()
    return torch.stack([left, before, start, slope, most, least, slope.log(), log_jump], -1)


def search(knots: Tensor, x: Tensor) -> Tensor:
    """The number of the last of the increasing knots (C, K) that is at most x (*batch, C), or -1."""
    if torch.compiler.is_compiling():  # ONNX has no searchsorted
        return bisection(knots, x)
    columns = knots.shape[0]
    flat = x.reshape(-1, columns).T.contiguous()
    found = torch.searchsorted(knots.contiguous(), flat, right=True) - 1
    return found.T.reshape(x.shape)


def bisection(knots: Tensor, x: Tensor) -> Tensor:
    """As `search`, by operations that every graph has."""
    i, step = torch.full_like(x, -1, dtype=torch.long), 1 << (knots.shape[-1] - 1).bit_length()
    while step:
        ahead = i + step
        knot = at(knots, ahead.clamp_max(knots.shape[-1] - 1))
        reached = (knot <= x) & (ahead < knots.shape[-1])
        i, step = torch.where(reached, ahead, i), step // 2
    return i


class QuantileMixture(Unvalidated):
    """t(x) ~ sum_j w_j Logistic(loc_j, scale_j), t the `margin`'s map to normal scores.

    With a and b the ends of the cell of x, standardised, and s the sigmoid, a component has

        (s(b) - s(a)) / (b - a) = s(b) s(-a) (1 - exp(a - b)) / (b - a),

    the density s(a) s(-a) where the cell is a point. Times dt/dx, or the mean slope over the cell, it is a
    density in the unit of x. A value at a jump of t has a probability: the measure is Lebesgue's plus one
    that counts such values. `loc`, `scale`, `logits` (*batch, C, J).
    """

    def __init__(self, margin: Margin, logits: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.margin, self.loc, self.scale = margin, loc, scale
        self.log_weights = logits.log_softmax(-1)
        super().__init__(loc.shape[:-1])

    def log_prob(self, value: Tensor) -> Tensor:
        low, high, log_slope = self.margin.cell(value)
        a, b = (low[..., None] - self.loc) / self.scale, (high[..., None] - self.loc) / self.scale
        each = logsigmoid(b) + logsigmoid(-a) + log_mean_decay((high - low)[..., None] / self.scale)
        return torch.logsumexp(self.log_weights + each - self.scale.log(), -1) + log_slope

    @property
    def mean(self) -> Tensor:
        """The mean with each cell at the mean m_k of its training data, and the tails in the end cells:
        m_K - sum_k F(s_k) (m_k - m_{k-1}), F the distribution function of t(x)."""
        scores = torch.split(self.margin.s[:, 1:-1], AT_ONCE, -1)
        steps = torch.split(self.margin.centre.diff(dim=-1), AT_ONCE, -1)
        found, weights = self.margin.centre[:, -1], self.log_weights.exp()[..., None]
        for s, step in zip(scores, steps, strict=True):
            below = ((s[:, None] - self.loc[..., None]) / self.scale[..., None]).sigmoid()
            found = found - ((weights * below).sum(-2) * step).sum(-1)
        return found

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        chosen = Categorical(logits=self.log_weights, validate_args=False).sample(sample_shape)  # type: ignore[no-untyped-call]
        loc, scale = at(self.loc, chosen), at(self.scale, chosen)
        return self.margin.value(loc + scale * torch.rand_like(loc).logit(1e-7))


def log_mean_decay(d: Tensor) -> Tensor:
    """log((1 - exp(-d)) / d) for d >= 0: -d / 2 + d^2 / 24 where d is small."""
    small = d < 0.02
    safe = torch.where(small, 1.0, d)
    return torch.where(small, d * (d / 24 - 0.5), (-torch.expm1(-safe)).log() - safe.log())


@mean_of.register
def _(d: QuantileMixture) -> Tensor:
    return d.mean
