"""Published models by name, one expression each."""

from .articles import ARTICLES
from .base import Recipe, references
from .recipes import RECIPES, VARIANTS, citation, recipe
