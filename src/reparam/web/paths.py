"""Paths between two codes, and percentiles of scores."""

import numpy as np

from .wire import Array


def percentiles(reference: Array, scores: Array) -> Array:
    """The share, in percent, of the sorted reference scores that are at most each score."""
    below: Array = np.searchsorted(reference, scores, side="right")
    return 100.0 * below / max(1, len(reference))


def path(ends: Array, steps: int, kind: str) -> Array:
    """Codes (steps, L) from the first end to the second: on the straight line, or spherical, where direction
    turns by equal angles and length changes evenly (Shoemake 1985, for vectors of any length)."""
    share = np.linspace(0, 1, steps)[:, None]
    a, b = ends.astype(np.float64)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if kind == "spherical" and min(lengths) > 0:
        u, v = a / lengths[0], b / lengths[1]
        angle = float(np.arccos(np.clip(u @ v, -1.0, 1.0)))
        if 1e-6 < angle < np.pi - 1e-6:
            turned = (np.sin((1 - share) * angle) * u + np.sin(share * angle) * v) / np.sin(angle)
            length = (1 - share) * lengths[0] + share * lengths[1]
            return np.asarray(length * turned, dtype=np.float32)
    return np.asarray((1 - share) * a + share * b, dtype=np.float32)
