"""The ways to fill or draw tables side by side: means over tables, and mean ranks by each figure."""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from ..markdown import Rows, markdown

Array = np.ndarray
Badness = Callable[[Array], Array]
FIGURES: dict[str, dict[str, tuple[str, Badness]]] = {
    "gaps": {
        "error": ("error of numbers", lambda figure: figure),
        "right": ("categories right", lambda figure: -figure),
    },
    "draws": {
        "shape": ("likeness of columns", lambda figure: -figure),
        "pairs": ("of pairs", lambda figure: -figure),
        "detection": ("drawn against real rows, AUC", lambda figure: np.maximum(figure, 0.5)),
        "efficacy": ("last column, less that by real rows", lambda figure: -figure),
    },
}
"""The figures of each kind of row: their titles, and what is worse where it is larger."""
RANKS = tuple(f"{kind}-ranks" for kind in FIGURES)
REAL = "chance from the training rows"
"""As many real rows: what the likeness of two samples of one distribution is."""


def number(figure: object) -> float:
    """The mean of `mean ± spread`; NaN where there is none."""
    return np.nan if figure is None else float(str(figure).split(" ± ")[0])


def ranked(results: Rows, kind: str) -> Rows:
    """A row for each way. A way that did not come to an end on a table is last there."""
    verb = {"gaps": "filled", "draws": "drawn"}[kind]
    found = {
        tuple(name.split(f", {verb} by ")): row for name, row in results.items() if kind in row["tables"]
    }
    tables = list(dict.fromkeys(table for table, _ in found))
    ways = [way for way in dict.fromkeys(way for _, way in found) if way != REAL]
    stopped = np.array([["note" in found.get((table, way), {}) for table in tables] for way in ways])
    rows: Rows = {way: {} for way in ways}
    for key, (_, badness) in FIGURES[kind].items() if ways else ():
        values = np.array([[number(found.get((t, way), {}).get(key)) for t in tables] for way in ways])
        bad = np.where(stopped, np.inf, badness(values))
        places = rankdata(bad, axis=0, nan_policy="omit")
        for i, way in enumerate(ways):
            known = ~np.isnan(values[i])
            rows[way] |= {
                "ended": f"{known.sum()} of {len(tables)}",
                key: f"{values[i].mean():.3f}" if known.all() else None,
                f"{key}_rank": f"{np.nanmean(places[i]):.1f}",
            }
    return rows


def ranks(results: Rows) -> dict[str, str]:
    """The tables of the page by their markers."""
    tables = {}
    for kind, figures in FIGURES.items():
        columns = {"ended": "tables"}
        for key, (title, _) in figures.items():
            columns |= {key: title, f"{key}_rank": "rank"}
        tables[f"{kind}-ranks"] = markdown(ranked(results, kind), columns, "way")
    return tables
