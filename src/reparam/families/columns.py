"""A family for each column of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, distributions as by_torch, nn
from torch.distributions import Distribution

from ..distributions import Chain, Product, Runs, event, join_columns, split_columns
from ..errors import DataError, SpecError
from ..specs.spec import AtLeast
from ..tensors import Shape, to_float32
from .base import Array, Conditional, Family, Head, Layer, Measurement, Violation
from .context import Context
from .continuous import Beta, ContinuousBernoulli, Gaussian, Laplace, LogNormal, StudentT
from .counts import NegativeBinomial, Poisson, ZeroInflated
from .discrete import Bernoulli, Categorical, DiscretizedLogistic
from .missing import MissingGiven
from .ordinal import OrderedLogistic
from .quantile import Quantile
from .sources import Shared

Cell = Annotated[
    Family,
    Gaussian,
    Laplace,
    StudentT,
    LogNormal,
    Beta,
    ContinuousBernoulli,
    Bernoulli,
    Categorical,
    DiscretizedLogistic,
    OrderedLogistic,
    Poisson,
    NegativeBinomial,
    ZeroInflated,
    Quantile,
]
"""The families whose cells are independent given the parameters."""
USUAL_WIDTH = 4
"""Numbers of a context's width that take as much memory and time as a cell of other decoders."""


def default_family(measurement: Measurement, levels: int = 0, *, inflated: bool = False) -> Family:
    """The default likelihood of a column; `inflated`: counts with more zeros than a negative binomial."""
    match measurement:
        case "binary":
            return Bernoulli()
        case "nominal":
            return Categorical(levels)
        case "ordinal":
            return DiscretizedLogistic(levels)
        case "count":
            return ZeroInflated(NegativeBinomial()) if inflated else NegativeBinomial()
        case "positive":
            return LogNormal(scale=Shared())
        case "share":
            return ContinuousBernoulli()
        case "real":
            return Gaussian(scale=Shared())


@dataclass(frozen=True, repr=False)
class Columns(Family):
    """p(x) = prod_j p_j(x_j): a family for each column of a table.

    Equal families are computed together. `missing`: columns of which a cell may be missing, with a
    probability that depends on the latent. Training learns it, and samples have such cells; log p(x) is that
    of the observed cells alone.

    `context`: p(x) = prod_j p_j(x_j | x_i, i before j) instead, through a network of that width (`Context`),
    and which cells are missing also depends on the other columns and on each other (`MissingGiven`); with 0
    columns are independent given the latent.
    Source: Nazabal et al., "Handling incomplete heterogeneous data using VAEs" (2020).

    >>> Columns((Gaussian(), Categorical(3), Gaussian())).inputs(torch.tensor([[0.5, 1.0, 2.0]]))
    tensor([[0.5000, 2.0000, 0.0000, 1.0000, 0.0000]])
    """

    families: tuple[Cell, ...]
    missing: tuple[int, ...] = ()
    context: Annotated[int, AtLeast(0)] = 0
    factorises: ClassVar[bool] = True
    by_column: ClassVar[bool] = True

    def check(self) -> None:
        if not self.families:
            raise SpecError("Columns needs a family for each column of the table, not ()")
        for column, family in enumerate(self.families):
            if type(family).build is not Family.build:
                raise SpecError(
                    f"Columns takes families of single numbers; column {column} has {type(family).__name__}"
                )

        if sorted(set(self.missing)) != list(self.missing) or any(
            not 0 <= column < len(self.families) for column in self.missing
        ):
            raise SpecError(f"Columns.missing takes numbers of columns, in order, not {self.missing}")

    @property
    def is_chain(self) -> bool:
        return self.context > 0

    @cached_property
    def groups(self) -> dict[Family, list[int]]:
        """The distinct families and the columns of each."""
        groups: dict[Family, list[int]] = {}
        for column, family in enumerate(self.families):
            groups.setdefault(family, []).append(column)
        return groups

    @cached_property
    def runs(self) -> Runs:
        """The columns in order, by group and position in it."""
        number = {family: group for group, family in enumerate(self.groups)}
        runs, seen = [], [0] * len(number)
        for family, equal in groupby(self.families):
            group = number[family]
            start, seen[group] = seen[group], seen[group] + len(list(equal))
            runs.append((group, start, seen[group]))
        return tuple(runs)

    def support_error(self, x: Array) -> Violation | None:
        if x.shape[1:] != (len(self.families),):
            raise DataError(
                f"Columns has {len(self.families)} families; each row of X has shape {x.shape[1:]}"
            )
        for family, columns in self.groups.items():
            rest = np.isin(np.arange(len(self.families)), columns, invert=True)
            if found := family.support_error(np.where(rest, np.nan, x)):
                return found
        return None

    def observe(self, x: Tensor, *, for_likelihood: bool = False, alike: bool = False) -> Tensor:
        if all(type(family).observe is Family.observe for family in self.groups):
            return x
        own = zip(self.groups, split_columns(x, self.runs), strict=True)
        return join_columns(
            [f.observe(mine, for_likelihood=for_likelihood, alike=alike) for f, mine in own], self.runs
        )

    def inputs(self, x: Tensor) -> Tensor:
        own = zip(self.groups, split_columns(x, self.runs), strict=True)
        return torch.cat([family.inputs(mine) for family, mine in own], -1)

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> Conditional:
        if event != (len(self.families),):
            raise SpecError(f"Columns has {len(self.families)} families; the data have shape {event}")
        return ColumnsHead(self, layer, floor)


class ColumnsHead(Conditional):
    """One network whose outputs are split among the heads, one for each group of equal columns."""

    family: Columns
    missing_logits: Tensor
    inside: Tensor

    def __init__(self, family: Columns, layer: Layer, floor: float) -> None:
        super().__init__()
        self.family = family
        self.each = nn.ModuleList(
            own.head()(own, (len(columns),), lambda n: nn.Identity(), floor)
            for own, columns in family.groups.items()
        )
        self.sizes = [sum(head.sizes) for head in self.heads]
        self.context = context_of(family, self.sizes) if family.context else None
        holes = family.missing if family.context else ()
        self.holes = MissingGiven(numbers_read(family), holes) if holes else None
        self.memory = max(1, family.context // USUAL_WIDTH)
        self.reads_rows = self.context is not None or any(head.reads_rows for head in self.heads)
        self.widths = [*self.sizes, len(family.missing), family.context]
        self.layer = layer(sum(self.widths)) if sum(self.widths) else None
        self.register_buffer("missing_logits", torch.zeros(len(family.missing)), bool(family.missing))
        inside = torch.tensor([own.inside for own in family.families])
        self.register_buffer("inside", inside, persistent=False)

    @property
    def heads(self) -> list[Head]:
        return list(self.each)  # type: ignore[arg-type]

    def forward(self, h: Tensor | None, rows: Tensor | None = None) -> Distribution:
        """p(x | h); a column may depend on others of `rows` (*rows, C), or on their total."""
        if self.layer is None:
            return self.product([h] * len(self.sizes), None, rows)
        *raws, holes, u = torch.split(to_float32(self.layer(h)), self.widths, -1)
        holes = holes + self.missing_logits  # at 0 as often as in training
        if self.context is None:
            own = by_torch.Bernoulli(logits=holes, validate_args=False)
            return self.product(raws, event(own, 1) if self.family.missing else None, rows)
        return Chain(partial(self.given, self.context, raws, u, holes), rows)

    def product(
        self, raws: Sequence[Tensor | None], missing: Distribution | None, rows: Tensor | None
    ) -> Product:
        seen = [None] * len(self.sizes) if rows is None else split_columns(rows, self.family.runs)
        parts = [head(raw, mine) for head, raw, mine in zip(self.heads, raws, seen, strict=True)]
        return Product(parts, self.family.runs, missing, self.family.missing)

    def given(
        self,
        context: Context,
        raws: Sequence[Tensor],
        u: Tensor,
        holes: Tensor,
        rows: Tensor | None,
    ) -> Product:
        """The distribution of each column given those before it in rows (*rows, C), or given none."""
        x = u.new_full((1, len(self.family.families)), torch.nan) if rows is None else rows.to(u.dtype)
        own = split_columns(self.standardised(x.reshape(-1, x.shape[-1])), self.family.runs)
        read = [f.inputs(mine).nan_to_num(nan=0.0) for f, mine in zip(self.family.groups, own, strict=True)]
        numbers = torch.cat(read, -1).reshape(*x.shape[:-1], -1)
        missing = self.holes(holes, numbers) if self.holes else None
        added = torch.split(context(u, numbers, ~x.isnan()), self.sizes, -1)
        return self.product([a + b for a, b in zip(raws, added, strict=True)], missing, rows)

    def standardised(self, x: Tensor) -> Tensor:
        own = zip(self.heads, split_columns(x, self.family.runs), strict=True)
        return join_columns([head.standardised(mine) for head, mine in own], self.family.runs)

    def filled(self, x: Tensor) -> Tensor:
        return torch.where(x.isnan(), self.inside, x)

    def fit_units(self, x: Tensor) -> None:
        for head, mine in zip(self.heads, split_columns(x, self.family.runs), strict=True):
            head.fit_units(mine)
        shares = x[:, list(self.family.missing)].isnan().double().mean(0)
        self.missing_logits.copy_(shares.clamp(1e-3, 1 - 1e-3).logit())


def numbers_read(family: Columns) -> list[int]:
    """The column of each number of `inputs`."""
    read = list[int]()
    for own, columns in family.groups.items():
        read += columns * (own.inputs(torch.zeros(1, len(columns))).shape[-1] // len(columns))
    return read


def context_of(family: Columns, sizes: Sequence[int]) -> Context:
    """How a column depends on others, for groups of columns with so many raw parameters."""
    written = list[int]()
    for columns, size in zip(family.groups.values(), sizes, strict=True):
        written += columns * (size // len(columns))
    return Context(numbers_read(family), written, family.context)
