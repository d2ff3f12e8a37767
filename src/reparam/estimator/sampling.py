"""Drawn rows: from p(x), from p(x | some of its columns), and in the missing cells of X."""

import warnings
from collections.abc import Mapping
from operator import methodcaller
from typing import Any

import torch

from ..distributions import mean_of, sample_with_missing
from ..errors import DataError, SpecError
from ..evaluation import imputation
from ..specs.spec import plain
from ..tensors import random_from
from .fitted import Fitted, Shown
from .validation import check_at_least


def sample(
    fitted: Fitted, n: int, *, label: Any, mean: bool, given: dict[str, Any] | None, missing: bool
) -> Any:
    """n samples x ~ p(x|z), z ~ p(z), or E[x|z], with the shape and type of X."""
    check_at_least(1, n=n)
    drawn: Shown = sample_with_missing if missing else methodcaller("sample")
    shown = mean_of if mean else drawn
    if given:
        return sample_given(fitted, n, given, shown)
    with random_from(fitted.seed):
        label = fitted.targets.drawn(label, n, fitted.model.log_prior_y)
        every = torch.arange(n)
        return fitted.decoded(lambda some: fitted.model.prior_state(len(some)), every, label, shown)


def sample_given(fitted: Fitted, n: int, given: dict[str, Any], shown: Shown) -> Any:
    """n samples of a table's other columns, those of `given` having these values."""
    if not isinstance(given, Mapping):
        raise SpecError(f"given takes columns and their values, e.g. {{'age': 30}}; not {given!r}")
    if fitted.targets.labels.reads_y:
        raise DataError("sample(given=...) is only for models without labels: fit with labels=None")
    codec = fitted.codec
    x = codec.encode(codec.known(given))[:].expand(n, *codec.shape)
    fitted.preprocessor.supported(x[:1])
    condition = ", ".join(f"{name}={plain(value)}" for name, value in given.items())
    drawn, size = imputation.given(fitted.model, x, fitted.seed, shown)
    if not size:
        raise DataError(f"{condition} has probability 0 in this model; use values nearer the training data")
    if size < n / 10:
        warnings.warn(
            f"effective sample size is only {size:.0f} for {condition}: the {n} rows contain repeats",
            stacklevel=4,
        )
    return fitted.preprocessor.inverse(drawn, given)


def impute(fitted: Fitted, X: Any, y: Any, draws: int | None, n_samples: int) -> Any:
    """X with its missing cells filled, by what is most probable or by `draws` tables of draws."""
    check_at_least(1, n_samples=n_samples, **({} if draws is None else {"draws": draws}))
    model, codec, seed = fitted.model, fitted.codec, fitted.seed
    x, classes = fitted.cells(X, y)
    if draws is None:
        return codec.filled(X, imputation.best(model, x, classes, n_samples, seed))
    each = imputation.draws(model, x, classes, n_samples, range(seed, seed + draws))
    return [codec.filled(X, filled) for filled in each]
