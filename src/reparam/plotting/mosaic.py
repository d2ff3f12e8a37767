"""Images as pixels: which data are images, which value is white, and many images as one mosaic.

An event is (H, W), (1, H, W), (3, H, W), (H, W, 1) or (H, W, 3).

>>> mosaic(np.zeros((3, 48, 96)), columns=2).shape
(104, 200, 4)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
GAP = 0.02  # border as a fraction of a tile
VEIL = 56  # opacity of a border, of 255
HOLE = (0.93, 0.55, 0.45)  # a missing pixel


def is_picture(event: Sequence[int]) -> bool:
    """Whether a row of this shape is an image; a flat vector is not."""
    if len(event) == 3:
        event = event[1:] if event[0] in (1, 3) else event[:2] if event[2] in (1, 3) else ()
    return len(event) == 2 and min(event) > 1


def shade(images: ArrayLike, top: float | None, like: ArrayLike) -> Array:
    """Pixels in [0, 1]: for a family over [0, top] divided by `Family.top`; for other families unchanged,
    unless the values of `like` have another range (0 to 255, -1 to 1)."""
    low, high = 0.0, top
    if high is None:
        least, most = float(np.nanmin(like, initial=0.0)), float(np.nanmax(like, initial=1.0))
        low, high = least if least < -0.5 else 0.0, most if most > 1.5 else 1.0
    pixels: Array = (np.asarray(images, dtype=np.float32) - low) / (high - low)
    return pixels


def picture(x: ArrayLike, event: Sequence[int]) -> Array:
    """One datum as (H, W) or (H, W, 3), clipped to [0, 1]; missing pixels stay NaN."""
    image = np.asarray(x, dtype=np.float32).reshape(tuple(event))
    if image.ndim == 3:
        image = np.moveaxis(image, 0, -1) if event[0] in (1, 3) else image
        image = image[..., 0] if image.shape[-1] == 1 else image
    return np.clip(image, 0.0, 1.0)


def mosaic(images: Array, columns: int) -> Array:
    """All of (n, *event) in [0, 1] as one byte image (height, width, 4), row by row. Borders are white and
    almost transparent, so that they show on a page of any colour."""
    tiles = np.stack([picture(x, images.shape[1:]) for x in images])
    tiles = tiles if tiles.ndim == 4 else np.repeat(tiles[..., None], 3, axis=-1)
    tiles = np.round(255 * np.where(np.isnan(tiles), HOLE, tiles)).astype(np.uint8)
    zoom = max(1, 96 // max(tiles.shape[1:3]))  # enlarge small images, so that the border can be thin
    tiles = tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)
    n, height, width, _ = tiles.shape
    n_rows, gap = -(-n // columns), max(1, round(GAP * max(height, width)))
    canvas = np.full((n_rows * columns, height + 2 * gap, width + 2 * gap, 4), 255, dtype=np.uint8)
    canvas[:n, ..., 3], canvas[n:, ..., 3] = VEIL, 0
    canvas[:n, gap:-gap, gap:-gap, :3] = tiles
    canvas[:n, gap:-gap, gap:-gap, 3] = 255
    height, width = canvas.shape[1:3]
    whole: Array = canvas.reshape(n_rows, columns, height, width, 4).swapaxes(1, 2)
    return whole.reshape(n_rows * height, columns * width, 4)
