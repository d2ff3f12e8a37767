"""From codes to rows: decoded codes, reconstructions, and ways through the latent space."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..distributions import mean_of
from ..errors import DataError, SpecError
from ..evaluation.passes import over_rows, rows_at_once
from .fitted import Array, Fitted
from .validation import check_at_least


def decode(fitted: Fitted, Z: Any, label: Any) -> Any:
    """Decoded means of codes Z (n, L)."""
    codes = torch.as_tensor(checked(Z, fitted.latent_dim))
    return fitted.decoded(fitted.model.state, codes, label, mean_of)


def checked(Z: Any, latent_dim: int) -> Array:
    """Codes as float32 (n, latent_dim); DataError where they are not."""
    try:
        with np.errstate(over="ignore"):
            codes: Array = np.asarray(Z, dtype=np.float32)
    except (ValueError, TypeError):
        raise DataError(
            f"Z holds text or rows of unequal length; codes are {latent_dim} numbers per row"
        ) from None
    if codes.ndim != 2 or codes.shape[1] != latent_dim:
        raise DataError(f"Z has shape {codes.shape}; this model decodes (n, {latent_dim})")
    if not np.isfinite(codes).all():
        raise DataError("Z holds NaN, infinity or a number above 3e38; codes are finite numbers")
    return codes


@torch.no_grad()
def reconstruct(fitted: Fitted, X: Any, y: Any, label: Any) -> Any:
    """Decoded means of the posterior means, as if the rows had another `label`, if any."""
    model = fitted.model
    x, condition = fitted.rows(X, y)
    other = None if label is None else fitted.targets.condition(label, len(x), y)
    both = [each for each in (condition, other) if each is not None]

    def rebuilt(a: Tensor, b: Tensor | None) -> Tensor:
        each = iter(() if b is None else b.unbind(1))
        own = None if condition is None else next(each)
        return mean_of(model.rebuild(a, own, next(each, None))).reshape(len(a), *model.event)

    stacked = torch.stack(both, 1) if both else None
    return fitted.preprocessor.inverse(over_rows(rebuilt, x, stacked, rows_at_once(model)))


def interpolate(fitted: Fitted, a: Any, b: Any, n: int, label: Any) -> Any:
    """n decoded means on the straight line between the codes of rows a and b."""
    check_at_least(2, n=n)
    first, last = fitted.targets.ends(label, n)
    za, zb = fitted.code(a, first), fitted.code(b, last)
    share = np.linspace(0, 1, n)[:, None]
    return decode(fitted, (1 - share) * za + share * zb, label)


def traverse(fitted: Fitted, x: Any, dim: int, n: int, span: float, label: Any) -> Any:
    """n decoded means as latent `dim` goes from -span to span from the code of row x."""
    check_at_least(1, n=n)
    check_at_least(0, dim=dim)
    if dim >= fitted.latent_dim:
        raise SpecError(f"dim={dim}: the latents are 0 to {fitted.latent_dim - 1}")
    Z = np.repeat(fitted.code(x, label), n, 0)
    Z[:, dim] = np.linspace(-span, span, n)
    return decode(fitted, Z, label)
