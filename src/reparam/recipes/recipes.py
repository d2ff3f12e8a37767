"""Published VAEs by name, one expression each. The tests run the same table."""

import difflib
from dataclasses import replace

from sklearn.base import clone

from ..errors import SpecError
from .articles import ARTICLES
from .base import Recipe, references
from .labels import LABELS
from .latents import LAYERS_AND_CODES, PRIORS_AND_POSTERIORS
from .measurements import MEASUREMENTS
from .objectives import OBJECTIVES

VARIANTS: dict[str, Recipe] = OBJECTIVES | PRIORS_AND_POSTERIORS | LABELS | LAYERS_AND_CODES | MEASUREMENTS
RECIPES = ARTICLES | VARIANTS
"""Every recipe by its name."""


def recipe(name: str) -> Recipe:
    """The recipe of that name, with a new model; SpecError with the nearest name if there is none."""
    if name in RECIPES:
        return replace(RECIPES[name], model=clone(RECIPES[name].model))
    near = difflib.get_close_matches(name, RECIPES, 1)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(RECIPES)}"
    raise SpecError(f"unknown recipe {name!r}; {hint}")


def citation(name: str | None) -> str:
    """The BibTeX entries for a recipe, or for a model of none: its article and that of the VAE."""
    keys = [RECIPES[name].key] if name in RECIPES else []
    return "\n\n".join(references()[key] for key in dict.fromkeys([*keys, "kingma2014auto"]))
