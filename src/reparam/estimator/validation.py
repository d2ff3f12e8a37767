"""Input validation: arguments are checked here, and refused in a line with its cure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..errors import SpecError
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
    "labels": Labels | None,
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


def check_window(window: Any, labels: LabelHead) -> int | None:
    """The window, refused where it makes no sense."""
    if window is None:
        return None
    if not isinstance(window, int | np.integer) or window < 2:
        raise SpecError(f"VAE.window takes a number of points, 2 or more; not {window!r}")
    if labels.to_decoder:
        raise SpecError(f"window={window} with labels={labels}: y marks a series' anomalies")
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
