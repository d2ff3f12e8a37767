"""Input validation: each error is one line and says how to correct the argument."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn
from torch.utils import data as torch_data

from ..errors import DataError, SpecError
from ..families import (
    Cell,
    Likelihood,
    Posterior,
)
from ..model.label_head import LabelHead
from ..model.labels import Labels
from ..model.priors import Prior
from ..nn import Net
from ..nn.wrap import Wrap
from ..objectives import Objective
from ..specs.spec import accepts, describe, plain
from ..training.config import Training

Array = np.ndarray[Any, Any]
KINDS: dict[str, Any] = {
    "latent_dim": int | tuple[int | tuple[int, ...], ...],
    "encoder": Net | Wrap,
    "decoder": Net | Wrap,
    "posterior": Posterior,
    "prior": Prior,
    "likelihood": Likelihood,
    "labels": Labels | None,
    "objective": Objective,
    "training": Training,
    "random_state": int | None,
    "window": int | None,
}
"""The arguments of VAE and their types."""
WORDS = {"latent_dim": "a whole number, or one per layer such as (8, 16)"}
"""Types that are clearer in words than as the annotation."""
OWN = (
    ". A module of your own is {name}=Wrap(module). A network for any data is a class Mine(Network) with "
    "encoder(self, event, extra, layers) and decoder(self, seen, event, n), both of which return a module; "
    "use {name}=Mine(), and load with VAE.load(path, specs=[Mine])"
)


def check_arguments(held: Mapping[str, Any], *, listed: bool = False) -> None:
    """SpecError at the first argument of VAE of the wrong type; `listed` as in `accepts`."""
    for name, kind in KINDS.items():
        value = plain(held[name])
        if value is None or name == "random_state":
            continue
        if name == "likelihood" and isinstance(value, dict):
            for column, family in value.items():
                if not accepts(Cell, family, listed=True):
                    raise SpecError(f"likelihood[{column!r}] takes {describe(Cell)}, not {family!r}")
        elif not accepts(kind, value, listed=listed):
            cls = value.__name__ if isinstance(value, type) else None
            shown = f"the class {cls}; write {cls}(...)" if cls else repr(value)
            if isinstance(value, type) and issubclass(value, nn.Module):
                shown = f"the class {cls}; write Wrap({cls}(...))"
            if isinstance(value, nn.Module):
                cure = f"write {name}=Wrap(module); VAE.load(path, modules={{{name!r}: module}}) loads it"
                raise SpecError(f"VAE.{name} takes a spec, not the module {type(value).__name__}; {cure}")
            own = OWN.format(name=name) if name in ("encoder", "decoder") and not cls else ""
            raise SpecError(f"VAE.{name} takes {WORDS.get(name) or describe(kind)}, not {shown}{own}")


def check_rows(X: Any) -> None:
    """DataError where X is not rows but what holds them: a DataLoader or Dataset of torch, or our own."""
    rows, name = (X.dataset, "loader.dataset") if isinstance(X, torch_data.DataLoader) else (X, "dataset")
    if isinstance(rows, torch_data.Dataset):
        kind = type(X).__name__ if type(X).__module__.startswith("torch.") else "Dataset"
        example = f" ({name}.tensors[0])" if isinstance(rows, torch_data.TensorDataset) else ""
        raise DataError(
            f"X is a torch {kind}: pass its rows as one array or tensor{example}, and labels separately as y;"
            " for data larger than memory there is reparam.stream(path)"
        )
    if hasattr(X, "X") and hasattr(X, "y") and not hasattr(X, "shape"):
        raise DataError(f"X is a {type(X).__name__}: pass its rows, data.X, and labels separately, data.y")
    if isinstance(X, torch.Tensor) and X.requires_grad:
        raise DataError("X is a tensor that requires gradients, and nothing flows back to data: X.detach()")
    if isinstance(X, np.matrix):
        raise DataError("X is a numpy.matrix, which has no rows of one axis: pass numpy.asarray(X)")


def check_numeric(X: Any) -> None:
    """DataError where an array, or a frame that is read as one, holds dates or durations."""
    kinds = X.dtypes if hasattr(X, "dtypes") else [getattr(X, "dtype", None)]
    if times := [kind for kind in kinds if getattr(kind, "kind", "") in ("m", "M")]:
        raise DataError(
            f"X holds {times[0]}, and this model reads numbers: write dates as days, "
            "(X - X.min()) / numpy.timedelta64(1, 'D')"
        )


def first_real(y: Any) -> float | None:
    """The first number of y that is not whole; None where labels are text or whole numbers."""
    held = np.asarray(y)
    numbers = held[np.isfinite(held)] if held.dtype.kind == "f" else held[:0]
    real = numbers[numbers != np.round(numbers)] if len(numbers) else numbers
    return float(real[0]) if len(real) else None


def check_whole(y: Any, n: int) -> None:
    """DataError where labels y, which should be of n classes, are real numbers."""
    if (real := first_real(y)) is not None:
        raise DataError(
            f"y holds real numbers, e.g. {real:.4g}, and labels are classes: bin them with "
            f"pandas.cut(y, {n}, labels=False), or leave y out and keep it as a column of X"
        )


def check_weights(sample_weight: Any, n: int) -> Array:
    """Weights of n rows as float64 (n,); DataError where they are not."""
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError("sample_weight takes a number for each row") from None
    weights = np.full(n, weights) if weights.ndim == 0 else weights
    if weights.shape != (n,):
        raise DataError(f"sample_weight has shape {weights.shape}, and there are {n} rows")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError("sample_weight takes finite numbers of 0 or more")
    if not weights.sum() > 0:
        raise DataError("every weight in sample_weight is zero: at least one row needs a weight above zero")
    return weights


def check_unchanged(asked: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """With warm_start the training may change, but not the model."""
    if differs := [name for name in asked if asked[name] != now[name]]:
        raise SpecError(
            f"warm_start continues the fitted model, which had another {', '.join(differs)}: "
            "undo the change, or fit a new model with warm_start=False"
        )


def model_arguments(vae: Any) -> dict[str, Any]:
    """The arguments that define the model, to compare them later."""
    held = {name: plain(getattr(vae, name)) for name in KINDS if name not in ("training", "random_state")}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in held.items()}


def check_window(window: Any, labels: LabelHead) -> int | None:
    """The window; SpecError where it is not valid."""
    if window is None:
        return None
    if not isinstance(window, int | np.integer) or window < 2:
        raise SpecError(f"VAE.window takes a number of time steps, 2 or more; not {window!r}")
    if labels.reads_y:
        raise SpecError(f"window={window} with labels={labels}: y marks the anomalies of a time series")
    return int(window)


def check_at_least(least: int, **numbers: Any) -> None:
    """SpecError where a value is not a whole number of `least` or more."""
    for name, value in numbers.items():
        if type(plain(value)) is not int or value < least:
            raise SpecError(f"{name} takes a whole number of {least} or more, not {plain(value)!r}")


def stated_seed(random_state: Any) -> int:
    """The given seed, else a random one; it makes the fit reproducible."""
    seed = plain(random_state)
    return seed if type(seed) is int and 0 <= seed < 2**32 else seed_of(random_state)


def seed_of(random_state: Any) -> int:
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError:
        raise SpecError(
            f"random_state takes a whole number from 0 to {2**32 - 1}, a RandomState or None, "
            f"not {plain(random_state)!r}"
        ) from None
