"""A self-contained HTML report of an evaluation: a summary, then fit, use of the latent, samples and columns,
each a table beside its picture."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..evaluation.diagnostics import INACTIVE_KL
from ..evaluation.draw_quality import DrawQuality
from ..evaluation.evaluate import Estimate, Evaluation
from ..evaluation.metric_names import named, of_draws
from . import model_plots
from .cells import decimals, text
from .draw_figures import columns_of_draws
from .fitted import rows_of, samples_of
from .html_elements import data_table, figure, gallery, notice, pair, section
from .latent_figures import rates
from .report_style import CSS
from .report_words import summary
from .score_figures import score_histogram
from .training_figures import bound_by_samples

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style></head>
<body><header>
<p class="kind">Evaluation of a variational autoencoder</p>
<h1>{title}</h1>
<p class="summary">{summary}</p>
{warnings}</header>
<main>
{sections}
</main></body></html>
"""
FIT = [
    "log_likelihood",
    "bits_per_dim",
    "elbo",
    "rate",
    "distortion",
    "ess",
    "pareto_k",
    "accuracy",
    "calibration_error",
]
LATENT = ["active_by_kl", "active_units", "mutual_information", "aggregate_kl", "prior_auc"]
PARTS = ("encoder", "decoder", "posterior", "prior", "likelihood", "labels", "objective", "training")
DIMENSIONS, COLUMNS, PAIRS = 12, 40, 10  # the most rows in a table
DRAWN, FIELDS = 8, 10  # rows and columns of a table of drawn rows
COMPARED = 256  # rows whose values are compared with drawn ones


def page(
    vae: Any,
    data: Any,
    result: Evaluation,
    title: str = "reparam: evaluation",
    drawn: DrawQuality | None = None,
) -> str:
    """HTML without external files; `data` has .X and .y as for `model_plots.plot`; `drawn`: rows of a table
    compared with real ones."""
    report = Report(vae, data, result)
    parts = {
        "Fit": report.fit(),
        "Use of the latent": report.latent(),
        "Samples": report.samples(),
        "Columns": report.columns(),
        "Drawn rows": compared(drawn) if drawn else (),
        "Model": report.model(),
    }
    return PAGE.format(
        title=escape(title),
        style=CSS,
        summary=escape(" ".join(summary(result, vae.latent_dim_))),
        warnings=notice(result.warnings),
        sections="\n".join(filter(None, (section(name, each) for name, each in parts.items()))),
    )


def compared(drawn: DrawQuality) -> Iterator[str]:
    """Drawn rows of a table against real ones."""
    words = "Figures of drawn rows against real ones that the model was not trained on."
    picture = figure("columns_of_draws", columns_of_draws(drawn))
    yield pair([data_table(["figure", "value", "best"], of_draws(drawn), words, {1})], [picture])


class Report:
    """The sections of a page; each method yields the HTML of one."""

    def __init__(self, vae: Any, data: Any, result: Evaluation) -> None:
        self.vae, self.result = vae, result
        self.rows = rows_of(vae, data)
        self.table = model_plots.table_of(vae, self.rows)
        drawn = model_plots.pictures_of(vae, self.rows, self.table)
        self.pictures = {name: each for name, each in drawn if isinstance(each, Figure)}
        if result.log_likelihood_by_row is not None:
            self.pictures["score_histogram"] = score_histogram(result.log_likelihood_by_row.numpy())
        if len([bound for bound in (result.bound_by_k or {}).values() if isfinite(bound)]) > 1:
            self.pictures["bound_by_samples"] = bound_by_samples(result.bound_by_k or {})
        if result.rate_by_dimension:
            self.pictures["rates"] = rates(result.rate_by_dimension, INACTIVE_KL)

    def figures(self, *names: str) -> list[str]:
        return [figure(name, self.pictures[name]) for name in names if name in self.pictures]

    def metrics(self, keys: Sequence[str]) -> list[list[str]]:
        """[name, value, unit] of those metrics that are defined."""
        found = {key: row for key, *row in named(self.result)}
        return [found[key] for key in keys if key in found]

    def fit(self) -> Iterator[str]:
        rows = self.metrics(FIT)
        if ais := self.result.ais:
            value = str(Estimate(ais.log_likelihood, ais.se))
            rows.insert(1, [f"by annealing, {ais.n} rows, {ais.steps} temperatures", value, "nats"])
            rows.insert(2, ["its gap on simulated data", f"{ais.gap:.2f}", "nats"])
        words = (
            f"Means over {self.result.n:,} rows with {self.result.k} samples a row, in the units of the data."
        )
        metrics = data_table(["metric", "value", "unit"], rows, words, {1}, unit=2)
        yield pair([metrics], self.figures("losses"))
        yield gallery(self.figures("bound_by_samples", "score_histogram"))

    def latent(self) -> Iterator[str]:
        if not self.vae.latent_dim_:
            return
        layers = self.result.rate_by_layer or ()
        rows = self.metrics(LATENT)
        rows += [[f"KL of layer {i}", f"{kl:.2f}", "nats"] for i, kl in enumerate(layers, 1)] * (
            len(layers) > 1
        )
        tables = [data_table(["metric", "value", "unit"], rows, numeric={1}, unit=2)] if rows else []
        yield pair([*tables, *self.dimensions()], self.figures("rates", "latent_map"))
        yield gallery(self.figures("manifold", "traversals", "interpolation"))

    def dimensions(self) -> Iterator[str]:
        """The KL of each latent dimension, largest first, and its share."""
        known = dict(enumerate(self.result.rate_by_dimension or (), 1))
        known = {i: kl for i, kl in sorted(known.items(), key=lambda each: -each[1]) if isfinite(kl)}
        total, shown = sum(known.values()), list(known.items())[:DIMENSIONS]

        def row(name: str, kl: float) -> list[str]:
            return [name, f"{kl:.2f}", f"{100 * kl / total:.0f} %" if total > 0 else ""]

        rows = [row(f"z{i}", kl) for i, kl in shown]
        if others := len(known) - len(shown):
            rows.append(row(f"{others} others", total - sum(kl for _, kl in shown)))
        if rows:
            yield data_table(["dimension", "KL, nats", "share"], rows, numeric={1, 2})

    def samples(self) -> Iterator[str]:
        images = self.figures("samples", "reconstructions", "classes", "samples_by_epoch")
        if self.table is not None:
            yield self.drawn_rows(self.table.drawn.head(DRAWN).iloc[:, :FIELDS])
        elif self.rows.X is not None and not hasattr(self.rows.X, "columns"):
            yield pair([self.values()], images[:1])
            yield gallery(images[1:])
        else:
            yield gallery(images)

    def drawn_rows(self, frame: Any) -> str:
        """The first drawn rows of a table."""
        names = [str(name) for name in frame]
        digits = {name: decimals(self.table.real[name]) for name in names} if self.table else {}
        body = [
            [str(i), *(text(value, digits[name]) for name, value in zip(names, row, strict=True))]
            for i, row in enumerate(frame.itertuples(index=False), 1)
        ]
        numeric = {i for i, name in enumerate(names, 1) if frame[name].dtype.kind in "iuf"}
        words = f"The first {len(body)} rows drawn from the model."
        return f'<div class="rows">{data_table(["row", *names], body, words, numeric)}</div>'

    def values(self) -> str:
        """Numbers of real and of drawn values."""
        X = self.rows.X[:COMPARED]
        real = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float)
        drawn = np.asarray(samples_of(self.vae, COMPARED, self.rows), dtype=float)
        measures: dict[str, Callable[[Any], float]] = {
            "mean": np.nanmean,
            "standard deviation": np.nanstd,
            "minimum": np.nanmin,
            "maximum": np.nanmax,
        }
        rows = [[name, f"{f(real):.3g}", f"{f(drawn):.3g}"] for name, f in measures.items()]
        words = f"Values of {len(real)} rows and of {COMPARED} samples with the likelihood's noise."
        return data_table(["value", "real", "drawn"], rows, words, {1, 2})

    def columns(self) -> Iterator[str]:
        if self.table is None:
            return
        distortion, distances = self.result.distortion_by_column or {}, self.table.distances()
        rows = [
            [name, kind, f"{distortion[name]:.2f}" if name in distortion else "", f"{distances[name][1]:.2f}"]
            for name, kind in list(self.table.kinds.items())[:COLUMNS]
        ]
        words = (
            "Reconstruction term of each column, and the distance of its marginals: Kolmogorov-Smirnov for "
        )
        words += "numbers, total variation for categories."
        head = ["column", "kind", "nats", "distance"]
        yield pair([data_table(head, rows, words, {2, 3}, unit=1)], self.figures("marginals"))
        pairs = [[f"{a}, {b}", f"{x:.2f}", f"{y:.2f}"] for a, b, x, y in self.table.changed_pairs(PAIRS)]
        changed = data_table(
            ["pair", "real", "drawn"], pairs, "The pairs whose association differs the most.", {1, 2}
        )
        yield pair([changed] if pairs else [], self.figures("correlations"))
        yield from self.figures("strangest_cells")

    def model(self) -> Iterator[str]:
        parts = {part: getattr(self.vae, f"{part}_", None) for part in PARTS}
        rows = {"latent dimensions": self.vae.latent_dim_} | {k: v for k, v in parts.items() if v is not None}
        body = "".join(
            f'<tr><th scope="row">{name}</th><td><code>{escape(str(value))}</code></td></tr>'
            for name, value in rows.items()
        )
        yield f'<table class="parts"><tbody>{body}</tbody></table>'
