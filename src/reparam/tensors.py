"""Small functions of tensors. Letters: S samples, B batch, L latent size, *E event shape."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Rowwise(Protocol):
    """Data (n, *E) of which some rows become a tensor at a time: a tensor itself, or a sparse matrix."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any) -> Tensor: ...
    def to(self, device: torch.device) -> Any: ...


@contextmanager
def random_from(seed: int) -> Iterator[None]:
    """Inside, torch's random numbers come from `seed`; afterwards the earlier state is restored."""
    begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count() if begun else 0)
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        for device in devices:
            torch.cuda.default_generators[device].manual_seed(seed)
        yield


_rows_axis = ContextVar("rows_axis", default=0)


@contextmanager
def rows_on_axis(axis: int) -> Iterator[None]:
    """Inside, random numbers are drawn with the rows of the batch on `axis`; the default is the first."""
    token = _rows_axis.set(axis)
    try:
        yield
    finally:
        _rows_axis.reset(token)


def rows_axis() -> int:
    """The batch axis of the random numbers being drawn."""
    return _rows_axis.get()


def nan_to_neginf(x: Tensor) -> Tensor:
    """Log-densities, with -inf in place of NaN from overflow: such a row is extremely unlikely."""
    return x.masked_fill(x.isnan(), -math.inf)


def finite(value: Any) -> Any:
    """Numbers and containers of numbers for JSON: None in place of non-finite numbers."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(finite(each) for each in value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_shape(size: int | Shape) -> Shape:
    """A vector's (n,), or the maps (C, H, W) themselves."""
    return (size,) if isinstance(size, int) else size


def log_mean_exp(x: Tensor, dim: int = 0) -> Tensor:
    """log (1/n) sum_i exp(x_i) along `dim`, without overflow."""
    return torch.logsumexp(x, dim) - math.log(x.shape[dim])


def weighted_sum(weights: Tensor, t: Tensor) -> Tensor:
    """sum_s w_sb t_sb... over samples: (S, B) and (S, B, ...) -> (B, ...)."""
    return (weights.reshape(*weights.shape, *[1] * (t.dim() - 2)) * t).sum(0)


def over_batch_axes(f: Callable[[Tensor], Tensor], x: Tensor, event_ndim: int) -> Tensor:
    """Apply `f`, which needs one batch axis, to x of shape (*leading, *E)."""
    leading = x.shape[: x.dim() - event_ndim]
    y = f(x.reshape(-1, *x.shape[x.dim() - event_ndim :]))
    return y.reshape(*leading, *y.shape[1:])


def split_last(x: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """x split along its last axis; unchanged where there is one part, because the gradient of a split is a
    copy."""
    return torch.split(x, sizes, -1) if len(sizes) > 1 else (x,)


def broadcast_shape(*tensors: Tensor) -> torch.Size:
    """The shape to which tensors broadcast; torch.broadcast_shapes imports a part of the compiler."""
    return torch.broadcast_tensors(*tensors)[0].shape  # type: ignore[no-any-return, no-untyped-call]


def numel(shape: Shape) -> int:
    return math.prod(shape)


def to_float32(x: Tensor) -> Tensor:
    """Half precision converted to float32, in which densities are computed; others unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def log_gamma_ratio(a: Tensor, b: Tensor) -> Tensor:
    """log Gamma(a) - log Gamma(b), taken in float64: at 1e4 float32 would lose 1e-3 nats."""
    return (torch.lgamma(a.double()) - torch.lgamma(b.double())).to(a.dtype)
