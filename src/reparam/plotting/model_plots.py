"""The plots of a fitted model: `pictures` chooses those that apply, `plot` writes them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from .figures import comparison
from .fitted import Array, Fitted, Rows, decoded_samples, rows_of
from .image_plots import ImagePlots, Named
from .latent_figures import latent_map, principal_plane
from .mosaic import is_picture, shade
from .style import Animation, encoded
from .training_figures import losses

if TYPE_CHECKING:
    from .table_plots import TablePlots


def pictures(model: Fitted, data: Any) -> Iterator[Named]:
    """The name and the plot of everything that applies; `data` as for `plot`."""
    rows = rows_of(model, data)
    yield from pictures_of(model, rows, table_of(model, rows))


def pictures_of(model: Fitted, rows: Rows, table: "TablePlots | None") -> Iterator[Named]:
    """The same, of rows and the table that they are."""
    if len(model.history_):
        yield "losses", losses(model.history_)
    if rows.Z is not None and rows.Z.shape[1] > 1:
        yield "latent_map", map_of(rows.Z, rows.y, table)
    if table is not None:
        yield from table.pictures()
    if is_picture(model.event_):
        yield from ImagePlots(model, rows).pictures()


def table_of(model: Fitted, rows: Rows) -> "TablePlots | None":
    """The plots of a model of a data frame, where there are rows of one."""
    if rows.X is None or not hasattr(getattr(model, "codec_", None), "columns"):
        return None
    from .table_plots import TablePlots

    return TablePlots(model, rows)


def map_of(Z: Array, y: Array | None, table: "TablePlots | None") -> Figure:
    """The latent plane, or the plane of the first two principal components of the posterior means; coloured
    by y, or by a column of the table."""
    points, axes, words, name = Z, ("z1", "z2"), "posterior means in the latent plane", ""
    if Z.shape[1] > 2:
        points, shares = principal_plane(Z)
        axes = ("first principal component", "second principal component")
        words = "posterior means, first two principal components"
        words += f" ({100 * shares.sum():.0f} % of their variance)" if np.isfinite(shares).all() else ""
    if y is None and table is not None:
        y, name = table.colouring(points)
    return latent_map(points, y, axes, words, name)


def plot(models: Mapping[str, Fitted], data: Any, out: str | Path) -> list[Path]:
    """Write every plot that applies: in `out` for one model, in `out/NAME` and a comparison for several.

    `data` is None or has .X (n, *event) and .y, which may be None.
    """
    written: list[Path] = []

    def write(drawn: Figure | Animation, folder: Path, name: str) -> None:
        ending, content = encoded(drawn)
        folder.mkdir(parents=True, exist_ok=True)
        written.append(folder / f"{name}.{ending}")
        written[-1].write_bytes(content)

    for name, model in models.items():
        folder = Path(out) / re.sub(r"[^\w=+-]+", "_", name) if len(models) > 1 else Path(out)
        for title, drawn in pictures(model, data):
            write(drawn, folder, title)
    events = {tuple(model.event_) for model in models.values()}
    if len(models) > 1 and len(events) == 1 and is_picture(events.pop()):
        sets = {name: decoded_samples(model, 36) for name, model in models.items()}
        like = np.concatenate(list(sets.values())) if data is None else np.asarray(data.X[:256])
        sets = {name: shade(each, models[name].likelihood_.top, like) for name, each in sets.items()}
        write(comparison(sets), Path(out), "comparison")
    return written
