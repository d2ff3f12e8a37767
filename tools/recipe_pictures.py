"""The pictures of docs/recipes.md, in docs/_static/recipes: `python tools/recipe_pictures.py [NAME ...]`.

Eight digits of 8 x 8 pixels, the means of p(x|z) for draws of z, after EPOCHS epochs on scikit-learn's, or
MEMORISED on a few of them where the recipe takes few rows.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.base import clone

from reparam import VAE, Training, load
from reparam.recipes import RECIPES
from reparam.recipes.base import Recipe

FOLDER = Path(__file__).parent.parent / "docs/_static/recipes"
EPOCHS, MEMORISED, DIGITS = 100, 2000, 8


def strip(r: Recipe) -> Image.Image:
    """DIGITS digits side by side, a white line between them."""
    data = load("digits")
    top = 255.0 if "255" in r.data else 1.0
    X, y = (data.X[: r.rows], np.arange(r.rows)) if r.rows else (data.X, data.y)
    epochs = MEMORISED if r.rows else EPOCHS
    model = clone(r.model).set_params(
        training=replace(r.model.training or Training(), epochs=epochs), random_state=0
    )
    model.fit((X * top).round() if top > 1 else X, y if model.labels else None)
    drawn = np.asarray(model.sample(DIGITS, mean=True, random_state=0)) / top
    framed = np.pad(drawn.clip(0, 1), ((0, 0), (0, 0), (0, 1)))
    return Image.fromarray((255 * (1 - np.hstack(list(framed)))).astype(np.uint8))


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, r in RECIPES.items():
        if (
            (not names or name in names)
            and isinstance(r.model, VAE)
            and r.data.startswith(("mnist", "images"))
        ):
            strip(r).save(FOLDER / f"{name}.png", optimize=True)
            print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
