"""Input validation: arguments and labels are checked here, and refused in a line with its cure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from ..data.stream import typical_rows
from ..errors import DataError, SpecError
from ..families import (
    Cell,
    Likelihood,
    Posterior,
)
from ..model.labels import LabelHead, Labels
from ..model.priors import Prior
from ..nn import Net
from ..objectives import Objective
from ..specs.spec import accepts, describe, plain
from ..training.config import Training

Array = np.ndarray[Any, Any]
KINDS: dict[str, Any] = {
    "latent_dim": int | tuple[int | tuple[int, ...], ...],
    "encoder": Net,
    "decoder": Net,
    "posterior": Posterior,
    "prior": Prior,
    "likelihood": Likelihood,
    "labels": Labels,
    "objective": Objective,
    "training": Training,
    "random_state": int | None,
    "window": int | None,
}
"""The arguments of VAE and what text may say of each."""
OWN = (
    ". A network of your own is a class Mine(Network) with encoder(self, event, extra, rungs) and "
    "decoder(self, seen, event, n), both of which return a module; say {name}=Mine(), and hand it over in "
    "VAE.load(path, specs=[Mine])"
)
UNLABELLED = (-1, "-1")


# -- arguments -------------------------------------------------------------------------------------------


def check_arguments(held: Mapping[str, Any], *, listed: bool = False) -> None:
    """SpecError at the first argument of VAE of the wrong kind; `listed` as in `accepts`."""
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
            own = OWN.format(name=name) if kind is Net and not cls else ""
            raise SpecError(f"VAE.{name} takes {describe(kind)}, not {shown}{own}")


def check_unchanged(asked: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A fit that goes further may train otherwise, but is of the same model."""
    if differs := [name for name in asked if asked[name] != now[name]]:
        raise SpecError(
            f"warm_start goes on with the fitted model, which had another {', '.join(differs)}: "
            "take the change back, or fit anew with warm_start=False"
        )


def model_arguments(vae: Any) -> dict[str, Any]:
    """The arguments that make a model what it is, to compare them later."""
    held = {name: plain(getattr(vae, name)) for name in KINDS if name not in ("training", "random_state")}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in held.items()}


def check_window(window: Any, labels: LabelHead, X: Any) -> int | None:
    """The window, refused where it makes no sense."""
    if window is None:
        return None
    if not isinstance(window, int | np.integer) or window < 2:
        raise SpecError(f"VAE.window takes a number of points, 2 or more; not {window!r}")
    if labels.to_decoder:
        raise SpecError(f"window={window} with labels={labels}: y marks a series' anomalies")
    if typical_rows(X, 1) is not X:
        raise DataError("a window reaches over blocks of a stream: hand the series over whole, as X[:]")
    return int(window)


def check_at_least(least: int, **numbers: Any) -> None:
    """Refuse what is no whole number of `least` or more."""
    for name, value in numbers.items():
        if type(plain(value)) is not int or value < least:
            raise SpecError(f"{name} takes a whole number of {least} or more, not {plain(value)!r}")


def stated_seed(random_state: Any) -> int:
    """The whole number that is said, else one that is drawn: with it a fit can be done again."""
    said = plain(random_state)
    return said if type(said) is int else seed_of(random_state)


def seed_of(random_state: Any) -> int:
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError:
        raise SpecError(
            f"random_state takes a whole number from 0 to {2**32 - 1}, a RandomState or None, "
            f"not {plain(random_state)!r}"
        ) from None


# -- labels ----------------------------------------------------------------------------------------------


def labels_of(y: Any, n: int, head: LabelHead, unlabelled: bool) -> Array:
    """y as n numbers or words; -1, or nothing, where a row may be and is `unlabelled`."""
    if y is None:
        raise DataError(f"labels={head} needs y: fit(X, y)")
    held: Array = np.asarray(y)
    if held.shape != (n,):
        raise DataError(f"y has shape {held.shape}; X has {n} rows: one label a row is needed")
    cure = "label every row, or leave out those without a label; labels=Enumerated(...) learns from them too"
    if held.dtype.kind in "Of":
        missing = np.array([value is None or value != value for value in held.tolist()], dtype=bool)
        if missing.any() and not unlabelled:
            raise DataError(f"y has no label in row {int(missing.argmax())}; {cure}")
        held = np.where(missing, -1, held)
    if held.dtype.kind == "O":
        for row, value in enumerate(held.tolist()):
            if not isinstance(value, str | bool | int | float | np.generic):
                raise DataError(f"y holds {value!r} in row {row}; labels are numbers or text")
        held = np.asarray(held.tolist())
    if held.dtype.kind == "f" and not np.isfinite(held).all():
        raise DataError(f"y has infinity; {cure}")
    if held.dtype.kind not in "biufU":
        raise DataError(f"y holds {held.dtype}; labels are numbers or text: y.astype(str)")
    return held


def classes_of(y: Array, head: LabelHead) -> Array:
    """The classes among labels y, sorted, as many as the head says."""
    known = ~np.isin(y, UNLABELLED[y.dtype.kind == "U"]) if head.partial else slice(None)
    classes: Array = np.unique(y[known])
    if not len(classes):
        raise DataError("every row of y is -1, unlabelled: label some rows, or leave labels out")
    if len(classes) == 1 < head.n_classes:
        raise DataError(f"y has one class, {classes.tolist()[0]!r}: leave labels out, or label others too")
    if len(classes) != head.n_classes:
        raise DataError(
            f"y has {len(classes)} classes; labels={head} says {head.n_classes}. "
            f"Use {type(head).__name__}({len(classes)})"
        )
    return classes


def class_numbers(classes: Array, y: Array, *, unlabelled: bool = False) -> Tensor:
    """Labels y (n,) -> 0 .. K-1, and -1 where a row may be and is `unlabelled`."""
    numbers: dict[Any, int] = {label: i for i, label in enumerate(classes.tolist())}
    if unlabelled:
        numbers = dict.fromkeys(UNLABELLED, -1) | numbers
    held = y.tolist()
    if absent := [label for label in held if label not in numbers]:
        raise DataError(f"{absent[0]!r} is no class of this model: {classes.tolist()}")
    return torch.tensor([numbers[label] for label in held], dtype=torch.long)


def one_each(name: str, labels: Any, n: int) -> Array:
    """One label for all n rows, or one a row."""
    held = np.asarray(labels)
    if held.shape not in ((), (1,), (n,)):
        raise DataError(f"{name} has shape {held.shape}: say one label, or one for each of the {n} rows")
    rows: Array = np.broadcast_to(held, (n,))
    return rows
