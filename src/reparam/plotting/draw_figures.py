"""A figure of drawn rows: how each column differs from that of real ones.

>>> shapes, aucs = {"size": 0.9, "kind": 0.97}, {"size": 0.8, "kind": 0.5}
>>> missing = dict.fromkeys(shapes, 0.0)
>>> found = DrawQuality(shapes, missing, pairs=0.9, detection=0.7, detection_by_column=aucs)
>>> [label.get_text() for label in columns_of_draws(found).axes[0].get_yticklabels()]
['size', 'kind']
"""

from matplotlib.figure import Figure

from ..evaluation.draw_quality import DrawQuality
from .style import BLUE, FAINT, LABEL, ORANGE, empty, headed, plain, short, titled

COLUMNS = 24
"""The most columns in the picture."""
ROW = 0.24  # inches


def columns_of_draws(found: DrawQuality) -> Figure:
    """The AUC of trees that classify drawn and real rows by each column alone, 0.5 at best, worst first; and
    the likeness of the column's marginals, 1 at best. Of more than COLUMNS columns the first."""
    aucs = sorted(found.detection_by_column.items(), key=lambda each: -each[1])[:COLUMNS]
    names, places = [name for name, _ in aucs], range(len(aucs))
    figure = empty(5.5, ROW * len(aucs) + 1.2)
    words = "drawn against real rows, by one column alone"
    words += f"; {COLUMNS} of {len(found.shapes)} columns" if len(aucs) < len(found.shapes) else ""
    headed(figure, words)
    panels = (
        ("AUC of a classifier", [auc for _, auc in aucs], 0.5, ORANGE),
        ("likeness of marginals", [found.shapes[name] for name in names], 1.0, BLUE),
    )
    for axes, (title, values, best, colour) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        plain(axes)
        titled(axes, title)
        axes.title.set_fontsize(LABEL)
        axes.axvline(best, color=FAINT, linewidth=1.0)
        axes.hlines(places, best, values, color=colour, linewidth=1.5)
        axes.plot(values, places, "o", color=colour, markersize=4.5, clip_on=False)
        axes.set_xlim(min(*values, 0.45) - 0.02, 1.0)
        axes.set_yticks(places, [short(name, 18) for name in names])
    axes.invert_yaxis()
    return figure
