"""What the page shows of a model before any row: its parts, columns, latents and history."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..evaluation import diagnostics
from ..tensors import numel
from .covariates import described
from .data_view import DataView
from .row_format import RowFormat
from .wire import Info

if TYPE_CHECKING:
    from .. import VAE

TYPICAL = 10_000
"""Rows from which the range of a column is taken where the model does not say it."""


def describe(vae: "VAE", rows: RowFormat, view: DataView | None, verbs: Sequence[str]) -> Info:
    """The info of the verb `model`, but for what concerns all compared models."""
    model = vae.model_
    head = vae.labels_
    some = None if view is None else view.part(0, min(view.n, TYPICAL))
    return {
        "spec": vae.config_.to_spec(complete=False),
        "kind": rows.kind,
        "event": list(vae.event_),
        "shape": list(rows.shape),
        "columns": rows.columns(some),
        "window": vae.window_,
        "classes": [] if view is None and vae.classes_ is None else classes(vae, view),
        "labels": type(head).__name__ if head.to_decoder and not head.measured else None,
        "covariates": described(head),
        "conditional": head.observed,
        "latents": latents(vae),
        "latent_dim": vae.latent_dim_,
        "prior": repr(vae.prior_),
        "missing": vae.model_.config.has_missing,
        "temperature": vae.posterior_.support == "real",
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n_data": 0 if view is None else view.n,
        "evaluation": None,
        "diagnostics": [parted(words) for words in diagnostics.of_history(vae.history_)],
        "history": columns_of(vae.history_),
        "verbs": list(verbs),
        "keys": view is not None and view.has_keys,
    }


def cited(vae: "VAE") -> str:
    """The BibTeX entries of a model; to look them up takes half a second, for all recipes are imported."""
    from ..recipes.recipes import citation

    return citation(getattr(vae, "trained_on_", {}).get("recipe"))


def classes(vae: "VAE", view: DataView | None) -> list[str]:
    held = view.classes if view is not None else vae.classes_
    return [] if held is None else [str(label) for label in held]


def latents(vae: "VAE") -> list[Info]:
    """The layers from the top, as slices of the joined code."""
    found: list[Info] = []
    start, atoms = 0, vae.posterior_.atoms
    for shape in vae.config_.model.latent_shapes:
        kind = "codes" if atoms is not None else "maps" if len(shape) == 3 else "vector"
        layer: Info = {"start": start, "size": numel(shape), "shape": list(shape), "kind": kind}
        found.append(layer if atoms is None else layer | {"atoms": atoms[0], "width": atoms[1]})
        start += numel(shape)
    return found


def parted(words: str) -> dict[str, str]:
    """A warning as what is wrong and how to cure it.

    >>> parted("latent far too large: 1 of 8 dimensions are active. latent_dim=1 is enough")
    {'text': 'latent far too large: 1 of 8 dimensions are active', 'cure': 'latent_dim=1 is enough'}
    """
    text, _, cure = words.partition(". ")
    return {"text": text, "cure": cure}


def columns_of(history: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows of a history as columns of numbers.

    >>> columns_of([{"epoch": 1, "loss": 3.0, "terms": {}}, {"epoch": 2, "loss": 2.0, "terms": {}}])
    {'epoch': [1, 2], 'loss': [3.0, 2.0]}
    """
    names = dict.fromkeys(name for row in history for name, value in row.items() if number(value))
    return {name: [row.get(name) for row in history] for name in names}


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
