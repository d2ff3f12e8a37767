"""A family whose margin is that of the training data, whatever its shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from .. import distributions
from ..distributions import Margin, pieces_of
from ..specs.spec import Count
from ..tensors import Shape
from .base import FAR, Array, Family, Head, Layer, Measurement, Needs, Violation, first_outside
from .sources import AnySource, Identity, Link, Local, LogVariance

KNOTS = 257
"""The most knots of a margin."""
SMOOTH = 64
"""The most cells of equal width (in probability, and in normal scores) over numbers that hardly repeat."""
REPEATS = 3
"""Numbers are levels if each occurs at least this often on average."""
FEW = 4
"""Fewer rows share a cell with the next level."""
SPIKE = 0.01
"""A number with at least this share of the rows, and more than FEW, has a probability of its own."""
ROWS = 200_000
"""The most rows from which a margin is learned."""
CLOSE = 3e-7
"""Numbers that differ by less than this share of the largest are equal in float32."""
RARE = 1e-6
"""The smallest probability of a gap between levels: normal scores on its two sides differ in float32."""
NARROW = 1e-3
"""The smallest scale of a tail, in units of the slope of the whole map."""


@dataclass(frozen=True, repr=False)
class Quantile(Family):
    """t(x) ~ sum_j w_j Logistic(loc_j, scale_j), with t the training data's own map to normal scores.

    t = Phi^-1(F), F the distribution function of the column in training, linear between at most 257 knots:
    spikes, bounds, skew and tails are those of the data, and the network models how the column depends on
    the latent. Learned numbers are normal scores, and so is what the encoder reads. log_prob is in x's unit:

    - numbers that repeat (three times on average) are levels, each spread evenly over a cell that is as wide
      as the smallest gap between two levels; rare neighbours share a cell;
    - among others, a number with more than a hundredth of the rows has a probability, the rest a density.

    Beyond the data the tails are powers of the distance. The point prediction is the mean,
    the tails counted in the last cells.
    Source: normal scores as in van der Waerden (1952), logistic mixtures as in Salimans et al. (2017).

    >>> Quantile(components=2)
    Quantile(2)
    """

    components: Count = 3
    loc: AnySource = Local()
    scale: AnySource = Local()
    weights: AnySource = Local()
    factorises: ClassVar[bool] = True
    links: ClassVar[dict[str, Link]] = {
        "loc": Identity(),
        "scale": LogVariance(floor=1e-6),
        "weights": Identity(),
    }
    measurement: ClassVar[Measurement | None] = "real"

    def params(self, event: Shape) -> Needs:
        needs = super().params((self.components, *event))
        if self.components == 1:
            del needs["weights"]
        return needs

    def head(self) -> type[Head]:
        return QuantileHead

    def support_error(self, x: Array) -> Violation | None:
        return first_outside(self, x, np.abs(x) > 1e18, "values from -1e18 to 1e18", "Rescale the column")


class QuantileHead(Head):
    """h -> QuantileMixture, with the margins of the columns, or one for all cells of an image, as buffers."""

    def __init__(self, family: Family, event: Shape, layer: Layer, floor: float) -> None:
        super().__init__(family, event, layer, floor)
        columns = event[0] if len(event) == 1 else 1
        for name, values in joined([standard()] * columns)._asdict().items():
            self.register_buffer(f"margin_{name}", values, persistent=name != "pieces")

    @property
    def margin(self) -> Margin:
        return Margin(*(getattr(self, f"margin_{name}") for name in Margin._fields))

    def forward(self, h: Tensor | None, rows: Tensor | None = None) -> Distribution:
        values = self.values(h, rows)
        last = {name: value.movedim(-1 - len(self.event), -1) for name, value in values.items()}
        logits = last.get("weights", torch.zeros_like(last["loc"]))
        cell = distributions.QuantileMixture(self.margin, logits, last["loc"], last["scale"])
        return distributions.event(cell, len(self.event))

    def standardised(self, x: Tensor) -> Tensor:
        z = self.margin.score(x)
        return z if self.training else z.clamp(-FAR, FAR)

    @torch.no_grad()
    def fit_units(self, x: Tensor) -> None:
        """Learn the margins from data (n, *E)."""
        columns = x.T if len(self.event) == 1 else x.reshape(1, -1)
        some = columns[:, :: -(-columns.shape[1] // ROWS)]
        learned = joined([learn(column[~column.isnan()].double().cpu().numpy()) for column in some])
        for own, values in zip(self.margin, learned, strict=True):
            own.copy_(values)
        self.set_pieces()

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self.set_pieces()

    @torch.no_grad()
    def set_pieces(self) -> None:
        """Make the pieces from the other buffers, so that a loaded model has those of the fitted one."""
        x, s, _, tails, levels, pieces = self.margin
        pieces.copy_(pieces_of(x, s, tails, levels))


def joined(margins: Sequence[Margin]) -> Margin:
    """The margins of several columns as one."""
    return Margin(*(torch.cat(values) for values in zip(*margins, strict=True)))


def ndtri(p: Array) -> Array:
    """The standard normal quantiles of probabilities."""
    found: Array = torch.special.ndtri(torch.as_tensor(p, dtype=torch.float64)).numpy()
    return found


def learn(values: Array) -> Margin:
    """The margin of a column's values (n,), in float64.

    F(x) = (1/2 + rows below x) / (n + 1) at the knots, so half a row lies beyond each end, and half a row
    between two neighbouring spikes.
    """
    v, counts = np.unique(values, return_counts=True)
    if len(v) < 2:
        return around(float(v[0])) if len(v) else standard()
    rare = counts <= max(FEW, SPIKE * len(values))
    levels = rare.sum() * REPEATS <= counts[rare].sum()
    edges, rows = level_cells(v, counts) if levels else number_cells(v, counts)
    below = np.append(0, np.cumsum(rows)) + 0.5
    scores = ndtri(below / (below[-1] + 0.5))
    full = rows >= 1
    centre = (edges[1:] + edges[:-1]) / 2
    starts = np.append(0, np.cumsum(rows[full])[:-1]).astype(int)
    centre[full] = np.add.reduceat(np.sort(values), starts) / rows[full]
    slope = (edges[-1] - edges[0]) / (scores[-1] - scores[0])
    tails = np.maximum((np.diff(edges) / np.diff(scores))[[0, -1]], NARROW * slope)
    pad = (0, KNOTS - len(edges))
    x, s, middle = (torch.as_tensor(np.pad(each, pad, "edge"))[None] for each in (edges, scores, centre))
    return Margin.of(x, s, middle, torch.as_tensor(tails)[None], torch.tensor([float(levels)]))


def level_cells(v: Array, counts: Array) -> tuple[Array, Array]:
    """The edges of cells about levels v, as wide as the smallest gap, and the rows in each; levels with few
    rows share one. All gaps between cells have half a row together."""
    half = np.diff(v) / 2
    width = max(float(half.min()), CLOSE * float(np.abs(v).max()))
    low, high = v - np.minimum(np.append(width, half), width), v + np.minimum(np.append(half, width), width)
    least = FEW
    while True:
        last = np.asarray(last_of_cells(counts, least))
        first = np.append(0, last[:-1] + 1)
        gaps = low[first[1:]] > high[last[:-1]] + CLOSE * np.abs(v).max()
        if len(last) + gaps.sum() < KNOTS:
            break
        least *= 2
    held = np.add.reduceat(counts, first).astype(float)
    empty = max(0.5 / max(gaps.sum(), 1), RARE * counts.sum())
    edges, rows = [low[0]], list[float]()
    for i, gap in enumerate([*gaps, False]):
        edges += [high[last[i]], *([low[first[i + 1]]] if gap else [])]
        rows += [held[i], *([empty] if gap else [])]
    return np.asarray(edges), np.asarray(rows)


def last_of_cells(counts: Array, least: int) -> list[int]:
    """The last level of each cell: a level with `least` rows is one, others are joined up to that many."""
    ends, held = list[int](), 0
    for i, count in enumerate(counts):
        if count >= least and held:
            ends.append(i - 1)
            held = 0
        held += count
        if held >= least:
            ends.append(i)
            held = 0
    return [*ends, len(counts) - 1] if held else ends


def number_cells(v: Array, counts: Array) -> tuple[Array, Array]:
    """The edges of cells over numbers v, and the rows in each. A spike has two edges at its value; between
    spikes cells are about as wide in probability as in normal scores, and have FEW rows or more."""
    n, half = int(counts.sum()), np.diff(v) / 2
    spike = counts > max(FEW, SPIKE * n)
    below = np.append(0, np.cumsum(counts))
    p = (below + 0.5) / (n + 1)
    unit = np.floor(min(SMOOTH, n**0.5) / 2 * (p + 0.5 - ndtri(p) / ndtri(p[0]) / 2))
    edges, rows, since = [v[0] if spike[0] else v[0] - half[0]], list[float](), 0
    for i in range(len(v)):
        if spike[i]:
            if i and edges[-1] != v[i]:
                edges.append(v[i])
                rows.append(max(float(below[i] - below[since]), 0.5))
            edges.append(v[i])
            rows.append(float(counts[i]))
            since = i + 1
        elif i + 1 == len(v):
            edges.append(v[i] + half[-1])
            rows.append(float(below[i + 1] - below[since]))
        elif not spike[i + 1] and unit[i + 1] > unit[since] and below[i + 1] - below[since] >= FEW:
            edges.append(v[i] + half[i])
            rows.append(float(below[i + 1] - below[since]))
            since = i + 1
    return np.asarray(edges), np.asarray(rows)


def standard() -> Margin:
    """t(x) = x: the margin before any data."""
    x = torch.linspace(-4, 4, KNOTS)[None]
    return Margin.of(x, x, (x[:, 1:] + x[:, :-1]) / 2, torch.ones(1, 2), torch.zeros(1))


def around(value: float) -> Margin:
    """The margin of a constant: a narrow bell about it."""
    plain, scale = standard(), 1e-3 * max(abs(value), 1e-30)
    x, centre = value + scale * plain.x.double(), value + scale * plain.centre.double()
    return Margin.of(x, plain.s, centre, scale * plain.tails, plain.levels)
