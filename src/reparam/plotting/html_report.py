"""A self-contained HTML report of an evaluation: a table of metrics, warnings, and plots."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from html import escape
from math import isfinite
from typing import Any

from matplotlib.figure import Figure as Picture

from ..evaluation.evaluate import Evaluation
from . import figures, model_plots

UNITS = {"bits_per_dim": "bits", "ess": "of k", "prior_auc": "AUC"}
UNSHOWN = {"n", "k", "warnings", "bound_by_k", "log_likelihood_by_row"}
TITLES = {
    "log_likelihood": "log-likelihood",
    "bits_per_dim": "bits per dimension",
    "elbo": "ELBO",
    "rate": "KL (rate)",
    "distortion": "reconstruction (distortion)",
    "ess": "effective sample size",
    "pareto_k": "Pareto k",
    "rate_by_layer": "KL by layer",
    "rate_by_dimension": "KL by latent dimension",
    "active_by_kl": "active units by KL",
    "aggregate_kl": "KL of aggregate posterior and prior",
    "prior_auc": "AUC, aggregate posterior against prior",
    "distortion_by_column": "reconstruction by column",
    "ais": "annealed importance sampling",
}
PLAIN = {"n", "k", "active_units", "active_by_kl", "accuracy", "calibration_error", "pareto_k"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #333; max-width: 60rem; margin: 2rem auto }}
td, th {{ text-align: left; padding: .15rem 1.5rem .15rem 0; vertical-align: top }}
td:nth-child(2) {{ font-variant-numeric: tabular-nums }}
li {{ margin: .4rem 0 }} img {{ max-width: 100%; margin: .5rem 0 }}
</style></head><body>
<h1>{title}</h1>
<p>{n} rows, {k} importance samples per row; densities in nats per datum, in the units of the data.</p>
{warnings}
<table><tr><th>metric</th><th>value</th><th>unit</th></tr>
{rows}
</table>
{pictures}
</body></html>
"""


def table(result: Evaluation) -> Iterator[tuple[str, str, str]]:
    """(name, value, unit) of every metric that is defined."""
    for name, value in asdict(result).items():
        if value is None or name in UNSHOWN:
            continue
        unit = UNITS.get(name, "" if name in PLAIN else "nats")
        if name == "log_likelihood":
            shown = str(result.log_likelihood)
        elif isinstance(value, dict):
            shown = ", ".join(f"{key} {_number(each)}" for key, each in value.items() if each is not None)
        elif isinstance(value, tuple):
            shown = ", ".join(f"{each:.2f}" for each in value)
        else:
            shown = f"{value:.2f}" if unit == "nats" else _number(value)
        yield TITLES.get(name, name.replace("_", " ")), shown, unit


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def curve(result: Evaluation) -> Picture:
    """The bound as a function of k: where it is flat, k is large enough."""
    picture = figures.empty(5, 3)
    axes = picture.add_subplot()
    by_k = {k: bound for k, bound in (result.bound_by_k or {}).items() if isfinite(bound)}
    axes.semilogx(list(by_k), list(by_k.values()), marker="o", color=figures.BLUE)
    figures.finish(axes, "importance-weighted bound", "samples k", "nats per datum")
    return picture


def bars(rates: tuple[float, ...]) -> Picture:
    """The mean KL of each latent dimension, largest first."""
    picture = figures.empty(5, 3)
    axes = picture.add_subplot()
    known = sorted(filter(isfinite, rates), reverse=True)
    axes.bar(range(1, len(known) + 1), known, color=figures.BLUE)
    figures.finish(axes, "rate by latent dimension, largest first", "rank", "nats")
    return picture


def page(vae: Any, data: Any, result: Evaluation, title: str = "reparam: evaluation") -> str:
    """HTML without external files; `data` has .X and .y as for `model_plots.plot`."""
    drawn: list[Picture | figures.Animation] = (
        [curve(result)] if result.bound_by_k and len(result.bound_by_k) > 1 else []
    )
    drawn += [bars(result.rate_by_dimension)] if result.rate_by_dimension else []
    drawn += [picture for _, picture in model_plots.pictures(vae, data)]
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table(result)
    )
    warnings = "".join(f"<li>{escape(words)}</li>" for words in result.warnings)
    return PAGE.format(
        title=escape(title),
        n=result.n,
        k=result.k,
        warnings=f"<h2>Warnings</h2><ul>{warnings}</ul>" if warnings else "",
        rows=rows,
        pictures="\n".join(f'<img alt="" src="{_inline(picture)}">' for picture in drawn),
    )


def _inline(picture: Picture | figures.Animation) -> str:
    ending, content = figures.encoded(picture)
    return f"data:image/{ending};base64,{b64encode(content).decode()}"
