"""Published models by name, one expression each."""

from .recipes import ARTICLES, RECIPES, VARIANTS, Recipe, citation, recipe, references
