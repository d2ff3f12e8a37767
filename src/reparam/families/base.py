"""A family maps parameters to a distribution; the source of each parameter says where it comes from.

Posterior, prior and likelihood have the same type. `Local` parameters come from the network, `Shared` is
one learned tensor, `Fixed` a constant: so a Gaussian with fixed, learned or input-dependent scale is
one class, and a prior is an unconditional family.
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
from ..tensors import Shape, numel, split_last, to_float32
from .sources import Fixed, Link, Local, Share, Shared, Source, linked
from .units import units

FAR = 100.0
"""Standard deviations beyond which a new row is read as if it were there, so that no number overflows."""

Role = Literal["location", "scale", "rate"]
Support = Literal["real", "sphere", "codes"]
Measurement = Literal["real", "positive", "count", "binary", "nominal", "ordinal", "share"]


Array = np.ndarray[Any, Any]
Needs = dict[str, tuple[Shape, Source]]
"""The parameters of a family: name -> (shape, source with its link)."""
Layer = Callable[[int], nn.Module]
"""n -> a module with n outputs."""


class Violation(NamedTuple):
    """A value outside the support of a likelihood."""

    family: str
    value: float
    row: int
    cell: tuple[int, ...]
    wanted: str
    fix: str

    def words(self, names: Sequence[str] = ()) -> str:
        """The error message, one line with a correction; `names` are those of the columns."""
        column = self.cell[0] if self.cell else 0
        where = f"column {repr(names[column]) if names else column}"
        where = where if len(self.cell) < 2 else f"pixel {self.cell}"
        found = f"X has {self.value:.6g} in row {self.row}, {where}"
        return f"{self.family} needs {self.wanted}; {found}. {self.fix}"


@dataclass(frozen=True, repr=False)
class Family(Spec, abc.ABC):
    """A family of distributions with event shape E. Subclasses are frozen dataclasses of sources."""

    inside: ClassVar[float] = 0.0
    """A value in the support, put in missing cells, which are masked afterwards."""
    links: ClassVar[dict[str, Link]] = {}
    """The parameters and their default links. A parameter that is not a field is `Local`."""
    factorises: ClassVar[bool] = False
    """Whether log_prob is a sum over the cells of an event: they are independent given the parameters, or, in
    a table, each given those before it."""
    by_column: ClassVar[bool] = False
    """Whether the columns of a table have families of their own."""
    roles: ClassVar[dict[str, Role]] = {}
    """The parameters in the data's unit: a location is shifted and scaled, a scale or a count's rate only
    scaled."""
    support: ClassVar[Support] = "real"
    """The support of a vector: the KL of a posterior to a prior with another support is infinite."""
    tractable: ClassVar[bool] = True
    """Whether log_prob is known everywhere, not only at the distribution's own samples."""
    reparametrised: ClassVar[bool] = True
    """Whether samples are reparametrised, as a posterior's must be."""
    has_density: ClassVar[bool] = True
    """Whether log_prob is defined; False for a point mass over real numbers."""
    deterministic: ClassVar[bool] = False
    """Whether all samples are equal, so that one is enough."""
    spatial: ClassVar[bool] = False
    """Whether a latent may have the shape of maps (C, H, W)."""
    learns_codebook: ClassVar[bool] = False
    measurement: ClassVar[Measurement | None] = None
    """The measurement type of each cell, for a likelihood of single numbers."""
    top: ClassVar[float | None] = None
    """The largest value, for families over [0, top]: white in images."""

    @property
    def has_fixed_scale(self) -> bool:
        """Whether the scale is a constant, which may not fit the data."""
        return False

    @property
    def is_chain(self) -> bool:
        """Whether the columns of a row depend on each other given z."""
        return False

    @property
    def atoms(self) -> tuple[int, int] | None:
        """(K, d) where every d numbers of a latent are one of K codebook rows; None for real numbers."""
        return None

    def params(self, event: Shape) -> Needs:
        """The parameters needed: by default each of `links`, with the shape of the event."""
        sources = {name: linked(getattr(self, name, Local()), link) for name, link in self.links.items()}
        return {name: (event, source) for name, source in sources.items()}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        """Parameter values (*batch, *shape) -> Distribution, batch shape (*batch), event shape E."""
        raise NotImplementedError(
            f"{type(self).__name__} has no distribution of plain parameters: use build, or write "
            "distribution(self, event, **values) in a family of your own"
        )

    def support_error(self, x: Array) -> Violation | None:
        """The first of these values (n, *E) that is outside the support, or None; NaN is ignored. Checked
        once, in input validation."""
        return None

    def observe(self, x: Tensor, *, for_likelihood: bool = False, alike: bool = False) -> Tensor:
        """The datum in this batch, e.g. a random binarisation; `for_likelihood`: for importance-weighted
        estimates; `alike`: with the same noise in every row."""
        return x

    def to_unit_axis(self, x: Tensor) -> Tensor:
        """x on the axis where `roles` apply, e.g. log x."""
        return x

    def inputs(self, x: Tensor) -> Tensor:
        """The encoder's input for standardised data x."""
        return x

    def start(self, z: Tensor) -> dict[str, Tensor]:
        """Raw parameters at which the fit of a prior starts, given codes z (n, *E) in standard units."""
        return {}

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        """A module h -> this distribution."""
        return self.head()(self, event, layer, floor)

    def head(self) -> type["Head"]:
        """The class of that module, where the parameters are plain numbers."""
        return Head


@dataclass(frozen=True, repr=False)
class Factorized(Family, abc.ABC):
    """A family whose cells are independent given the parameters."""

    factorises: ClassVar[bool] = True

    @abc.abstractmethod
    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        """The distribution of each cell, batch shape (*batch, *E)."""

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(self.cell_distribution(event, **values), len(event))


def first_outside(family: Family, x: Array, outside: Array, wanted: str, fix: str) -> Violation | None:
    """The first value of x (n, *E) that is `outside` the support; None where all are NaN."""
    outside = outside & ~np.isnan(x)
    if not outside.any():
        return None
    row, *cell = map(int, np.unravel_index(int(outside.argmax()), x.shape))
    return Violation(type(family).__name__, float(x[row, *cell]), row, tuple(cell), wanted, fix)


class Conditional(nn.Module, abc.ABC):
    """h -> Distribution with event E, batch shape that of h without its last axis."""

    family: Family
    reads_rows: bool = False
    """Whether the distribution depends on other cells of a row: `forward` then also takes rows (B, *E)."""
    memory: int = 1
    """How many times as much memory as other decoders it takes, by which rows at once are bounded."""

    @abc.abstractmethod
    def forward(self, h: Tensor | None) -> Distribution: ...

    @abc.abstractmethod
    def standardised(self, x: Tensor) -> Tensor:
        """x (n, *E) in standard units, as the family's `inputs` needs it."""

    @abc.abstractmethod
    def fit_units(self, x: Tensor) -> None:
        """Set the units from data (n, *E), without NaN."""

    def filled(self, x: Tensor) -> Tensor:
        """x (n, *E) with a value in the support in place of NaN."""
        return x.nan_to_num(nan=self.family.inside)


class Head(Conditional):
    """h -> Distribution, each parameter from its source; h=None for a prior.

    The buffers `shift` and `scale` are the data's mean and standard deviation: the distribution is in the
    data's own units, so log-densities need no correction. They apply where the location is learned in
    standard units; a fixed or squashed location is already in the data's unit.
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
                raise SpecError(f"Share is for vectors; these data have shape {event}")
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
        raws = () if self.layer is None else split_last(to_float32(self.layer(h)), self.sizes)
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
        """Standard units to the data's unit."""
        if role == "scale" and self.floor:
            value = torch.hypot(value, torch.full_like(value, self.floor))
        if role is None or not (self.standard and link.standard):
            return value
        moved = role == "location"
        return torch.addcmul(self.shift, value, self.scale) if moved else value * self.scale

    def scaled(self, share: Tensor, rows: Tensor | None) -> Tensor:
        """share * total; with missing cells, the total is that of the observed cells over their share, and
        the median total where no cell is observed."""
        if rows is None:
            return share * self.typical
        known = ~rows.isnan()
        seen = (share * known).sum(-1, keepdim=True)
        total = rows.nansum(-1, keepdim=True) / torch.where(known.any(-1, keepdim=True), seen, 1.0)
        return (share * torch.where(known.any(-1, keepdim=True), total, self.typical)).clamp_min(1e-30)

    def standardised(self, x: Tensor) -> Tensor:
        x = self.family.to_unit_axis(x)
        if not (self.standard and "location" in self.family.roles.values()):
            return x
        z = (x - self.shift) / self.scale
        return z if self.training else z.clamp(-FAR, FAR)

    @torch.no_grad()
    def fit_units(self, x: Tensor) -> None:
        """Set shift and scale from data (n, *E): for each column, or one for images."""
        if self.reads_rows:
            self.typical.copy_(x.nansum(-1).quantile(0.5))
        if not (self.standard and self.family.roles):
            return
        shift, scale = units(x, self.family.to_unit_axis)
        self.shift.copy_(shift.reshape(self.shift.shape))
        self.scale.copy_(scale.reshape(self.scale.shape))

    @torch.no_grad()
    def start(self, z: Tensor) -> None:
        """For a prior: set the units and the family's start values from codes z (n, *E)."""
        self.fit_units(z)
        raw = getattr(self.layer, "raw", z.new_zeros(0))
        raws = dict(zip(self.local, raw.split(self.sizes), strict=True))
        for name, value in self.family.start(self.standardised(z)).items():
            if name in raws:
                raws[name].copy_(value.flatten())


def shared_shape(source: Shared, shape: Shape, event: Shape) -> Shape:
    """The given shape; else that of a vector, and for an image one value, or one for each of the leading
    components or classes."""
    if source.shape is not None or len(event) <= 1:
        return shape if source.shape is None else source.shape
    leading = shape[: len(shape) - len(event)]
    return (*leading, *(1 for _ in event)) if leading else ()
