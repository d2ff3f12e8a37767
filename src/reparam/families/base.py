"""A family turns raw numbers into a distribution; where each number comes from is its source.

Posterior, prior and likelihood are the same type. `Local` numbers come from the network, `Shared` is
one learned tensor, `Fixed` a constant: so a Gaussian of known, learned and input-dependent scale is
one class, and a prior is a family conditioned on nothing.
"""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .. import distributions
from ..errors import SpecError
from ..specs.spec import Spec
from ..tensors import Shape, numel, split_last, whole
from .sources import Fixed, Link, Local, Share, Shared, Source, linked

PIECE = 1 << 22
"""Numbers of the data that are looked at together, in double precision, for their units."""


Role = Literal["location", "scale", "rate"]
Support = Literal["real", "sphere", "codes"]
Measurement = Literal["real", "positive", "count", "binary", "nominal", "ordinal", "share"]


Array = np.ndarray[Any, Any]
Needs = dict[str, tuple[Shape, Source]]
"""What a family needs, and from where: name -> (shape, source with its link)."""
Layer = Callable[[int], nn.Module]
"""n -> the net that gives n numbers."""


class Violation(NamedTuple):
    """A value that a likelihood gives no probability."""

    family: str
    value: float
    row: int
    cell: tuple[int, ...]
    wanted: str
    fix: str

    def words(self, names: Sequence[str] = ()) -> str:
        """In one line with its cure; `names` are those of the columns."""
        column = self.cell[0] if self.cell else 0
        where = f"column {repr(names[column]) if names else column}"
        where = where if len(self.cell) < 2 else f"pixel {self.cell}"
        found = f"X has {self.value:.6g} in row {self.row}, {where}"
        return f"{self.family} needs {self.wanted}; {found}. {self.fix}"


@dataclass(frozen=True, repr=False)
class Family(Spec, abc.ABC):
    """Raw numbers -> Distribution with event shape E. Subclasses are frozen dataclasses of sources."""

    inside: ClassVar[float] = 0.0
    """A value of the support, for cells that are missing and masked afterwards."""
    links: ClassVar[dict[str, Link]] = {}
    """The parameters, and the link of each where its source names none. One that is no field is `Local`."""
    factorises: ClassVar[bool] = False
    """Whether the numbers of an event are independent given the parameters."""
    roles: ClassVar[dict[str, Role]] = {}
    """The parameters that carry the data's unit: a location moves and stretches, a scale and a count's
    rate scale."""
    support: ClassVar[Support] = "real"
    """Where a vector of this family lies: a posterior's KL to a prior with another support is infinite."""
    tractable: ClassVar[bool] = True
    """Whether log_prob is known everywhere, not for own draws alone."""
    reparametrised: ClassVar[bool] = True
    """Whether draws carry gradients, as a posterior's must."""
    has_density: ClassVar[bool] = True
    """Whether log_prob is defined; not for a point mass over real numbers."""
    deterministic: ClassVar[bool] = False
    """Whether all draws are alike, so that one says all."""
    spatial: ClassVar[bool] = False
    """Whether a latent of it may be laid out as maps (C, H, W)."""
    learns_codebook: ClassVar[bool] = False
    measurement: ClassVar[Measurement | None] = None
    """What kind of number each cell is, of a likelihood of single numbers."""
    top: ClassVar[float | None] = None
    """The largest value, of families over [0, top]: what is white where data are pictures."""

    @property
    def has_fixed_scale(self) -> bool:
        """Whether its scale is a constant, which data can contradict."""
        return False

    @property
    def atoms(self) -> tuple[int, int] | None:
        """(K, d) where every d numbers of a latent are one of K atoms; None for real numbers."""
        return None

    def params(self, event: Shape) -> Needs:
        """What I need: unless said otherwise, each of `links` as a number for each of the event's."""
        sources = {name: linked(getattr(self, name, Local()), link) for name, link in self.links.items()}
        return {name: (event, source) for name, source in sources.items()}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        """Parameter values (*batch, *shape) -> Distribution, batch shape (*batch), event shape E."""
        raise NotImplementedError(f"{type(self).__name__} is no law of plain numbers: build it")

    def support_error(self, x: Array) -> Violation | None:
        """The first of these values (n, *E) that is outside the support, or None; NaN is no value. Checked
        once, in input validation."""
        return None

    def observe(self, x: Tensor, *, for_likelihood: bool = False, alike: bool = False) -> Tensor:
        """What counts as the datum in this batch; `for_likelihood`: for an importance-weighted number;
        `alike`: with the same noise in every row."""
        return x

    def to_unit_axis(self, x: Tensor) -> Tensor:
        """x on the axis where `roles` hold: there locations move with the data and scales scale."""
        return x

    def inputs(self, x: Tensor) -> Tensor:
        """How such data, measured and in standard units, enter an encoder."""
        return x

    def start(self, z: Tensor) -> dict[str, Tensor]:
        """Raw numbers at which a prior's search begins, given codes z (n, *E) in standard units."""
        return {}

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        """A network that ends in this distribution."""
        return Head(self, event, layer, floor)


@dataclass(frozen=True, repr=False)
class Factorized(Family, abc.ABC):
    """A family whose numbers are independent given the parameters."""

    factorises: ClassVar[bool] = True

    @abc.abstractmethod
    def law(self, event: Shape, **values: Tensor) -> Distribution:
        """That of each number by itself, batch shape (*batch, *E)."""

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(self.law(event, **values), len(event))


def first_outside(family: Family, x: Array, outside: Array, wanted: str, fix: str) -> Violation | None:
    """The first value of x (n, *E) that is `outside` the support; None where all are NaN."""
    outside = outside & ~np.isnan(x)
    if not outside.any():
        return None
    row, *cell = map(int, np.unravel_index(int(outside.argmax()), x.shape))
    return Violation(type(family).__name__, float(x[row, *cell]), row, tuple(cell), wanted, fix)


class Conditional(nn.Module, abc.ABC):
    """h -> Distribution, batch shape that of h less its last axis, event E: what a family builds."""

    family: Family
    reads_rows: bool = False
    """Whether the law is conditioned on a row's total: `forward` takes the rows (B, *E) beside h then."""

    @abc.abstractmethod
    def forward(self, h: Tensor | None) -> Distribution: ...

    @abc.abstractmethod
    def standardised(self, x: Tensor) -> Tensor:
        """x (n, *E) without its units, as the family's `inputs` wants it."""

    @abc.abstractmethod
    def fit_units(self, x: Tensor) -> None:
        """Take the units from data (n, *E), NaN left out."""

    def filled(self, x: Tensor) -> Tensor:
        """x (n, *E) with some value of the support where it is NaN."""
        return x.nan_to_num(nan=self.family.inside)


class Head(Conditional):
    """h -> Distribution from numbers with sources; h=None for a prior.

    The buffers `shift` and `scale` are the measured data's mean and standard deviation: the distribution is
    in the data's own units, so a log-density needs no correction anywhere. They apply where the
    location is learned in standard units; a fixed or squashed location is in the data's unit already.
    """

    shift: Tensor
    scale: Tensor
    typical: Tensor

    def __init__(self, family: Family, event: Shape, layer: Layer, floor: float) -> None:
        super().__init__()
        self.family, self.event, self.floor = family, event, floor
        self.params = family.params(event)
        self.links = {name: getattr(source, "link", None) for name, (_, source) in self.params.items()}
        self.local = [name for name, (_, source) in self.params.items() if isinstance(source, Local)]
        self.sizes = [numel(self.params[name][0]) for name in self.local]
        self.layer = layer(sum(self.sizes)) if self.local else None
        self.shared = nn.ParameterDict()
        moving = [link for name, link in self.links.items() if family.roles.get(name) == "location"]
        self.standard = all(link is not None and link.standard for link in moving)
        unit = (1,) * (len(event) - 1) if len(event) > 1 else event
        self.register_buffer("shift", torch.zeros(unit))
        self.register_buffer("scale", torch.ones(unit))
        self.reads_rows = any(isinstance(link, Share) for link in self.links.values())
        if self.reads_rows:
            if len(event) != 1:
                raise SpecError(f"Share is for rows of numbers; these data have shape {event}")
            self.register_buffer("typical", torch.ones(()))
        for name, (shape, source) in self.params.items():
            if isinstance(source, Shared):
                self.shared[name] = nn.Parameter(torch.zeros(shared_shape(source, shape, event)))
            if isinstance(source, Fixed):
                value = torch.as_tensor(source.value, dtype=torch.get_default_dtype())
                if value.dim() and value.shape != shape[-1:]:
                    raise SpecError(f"Fixed holds {len(value)} values; {name} has {shape[-1]} columns")
                self.register_buffer(f"fixed_{name}", value)

    def forward(self, h: Tensor | None, rows: Tensor | None = None) -> Distribution:
        return self.family.distribution(self.event, **self.values(h, rows))

    def values(self, h: Tensor | None, rows: Tensor | None = None) -> dict[str, Tensor]:
        """Every parameter in the data's unit, (*batch, *shape)."""
        leading: Shape = () if h is None else tuple(h.shape[:-1])
        raws = () if self.layer is None else split_last(whole(self.layer(h)), self.sizes)
        local = dict(zip(self.local, raws, strict=True))
        values = {}
        for name, (shape, _) in self.params.items():
            link = self.links[name]
            if link is None:
                values[name] = getattr(self, f"fixed_{name}").expand(*leading, *shape)
                continue
            raw = local[name].reshape((*leading, *shape)) if name in local else self.shared[name]
            value = self.in_units(link(raw), self.family.roles.get(name), link)
            value = self.scaled(value, rows) if isinstance(link, Share) else value
            values[name] = value if name in local else value.expand(*leading, *shape)
        return values

    def in_units(self, value: Tensor, role: Role | None, link: Link) -> Tensor:
        """From standard deviations of the data to the data's unit."""
        if role == "scale" and self.floor:
            value = torch.hypot(value, torch.full_like(value, self.floor))
        if role is None or not (self.standard and link.standard):
            return value
        moved = role == "location"
        return torch.addcmul(self.shift, value, self.scale) if moved else value * self.scale

    def scaled(self, share: Tensor, rows: Tensor | None) -> Tensor:
        """share * total; the total of rows with holes is that of the known cells over their share, and a
        typical one where no cell is known."""
        if rows is None:
            return share * self.typical
        known = ~rows.isnan()
        seen = (share * known).sum(-1, keepdim=True)
        total = rows.nansum(-1, keepdim=True) / torch.where(known.any(-1, keepdim=True), seen, 1.0)
        return (share * torch.where(known.any(-1, keepdim=True), total, self.typical)).clamp_min(1e-30)

    def standardised(self, x: Tensor) -> Tensor:
        x = self.family.to_unit_axis(x)
        moves = self.standard and "location" in self.family.roles.values()
        return (x - self.shift) / self.scale if moves else x

    @torch.no_grad()
    def fit_units(self, x: Tensor) -> None:
        """Take shift and scale from data (n, *E): a column at a time, or once for pictures."""
        if self.reads_rows:
            self.typical.copy_(x.nansum(-1).quantile(0.5))
        if not (self.standard and self.family.roles):
            return
        axes = (0,) if len(self.event) <= 1 else tuple(range(x.dim()))
        pieces = torch.split(x, max(1, PIECE // numel(self.event)))

        def over(f: Callable[[Tensor], Tensor]) -> Tensor:
            return torch.stack([f(self.family.to_unit_axis(piece.double())) for piece in pieces])

        known = over(lambda x: (~x.isnan()).sum(axes, keepdim=True)).sum(0)
        mean = (over(lambda x: x.nansum(axes, keepdim=True)).sum(0) / known).nan_to_num(nan=0.0)
        squares = over(lambda x: (x - mean).square().nansum(axes, keepdim=True)).sum(0)
        spread = (squares / known).sqrt()
        largest = over(lambda x: x.abs().nan_to_num().amax(axes, keepdim=True)).amax(0)
        tiny = 1e-6 * largest.clamp_min(torch.finfo(torch.float64).tiny)
        self.shift.copy_(mean.reshape(self.shift.shape))
        self.scale.copy_(torch.where(spread > tiny, spread, 1.0).reshape(self.scale.shape))

    @torch.no_grad()
    def start(self, z: Tensor) -> None:
        """A prior's: take from codes z (n, *E) the units, and the numbers that its family starts at."""
        self.fit_units(z)
        raw = getattr(self.layer, "raw", z.new_zeros(0))
        raws = dict(zip(self.local, raw.split(self.sizes), strict=True))
        for name, value in self.family.start(self.standardised(z)).items():
            if name in raws:
                raws[name].copy_(value.flatten())


def shared_shape(source: Shared, shape: Shape, event: Shape) -> Shape:
    """The shape said; else all of a vector's, and one value for a picture, or for each of the components or
    classes that its shape leads with."""
    if source.shape is not None or len(event) <= 1:
        return shape if source.shape is None else source.shape
    leading = shape[: len(shape) - len(event)]
    return (*leading, *(1 for _ in event)) if leading else ()
