"""The verbs of the page for one fitted model and its data: arrays and options in, arrays and info out."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..distributions import mean_of, sample_with_missing
from ..errors import DataError
from ..estimator.fitted import Fitted
from ..estimator.reasons import reasons, usual
from ..evaluation.conditionals import Values, given_others, values_of
from ..evaluation.diagnostics import of_history
from ..evaluation.metric_names import table
from ..evaluation.posterior import log_prior, posterior, prior_codes
from ..tensors import random_from
from . import options as opt
from .covariates import numbers_of
from .data_view import BLOCK, DataView, classes_of
from .describe import cited, describe, parted
from .given import MOST_ROWS, Given
from .paths import path, percentiles
from .row_format import Tables, format_of
from .wire import Array, Arrays, Info

if TYPE_CHECKING:
    from .. import VAE, Dataset

Answer = tuple[Arrays, Info]
Options = Mapping[str, Any]
MOST_DRAWS = 64
REFERENCE = 2_000
"""Rows of the data, evenly spaced, among whose scores a percentile is taken until all rows are scored."""
MOST_GIVEN = 32
"""The most rows whose cells are each given the others at once."""
DRAWS = 100
"""Draws of z for a distribution of cells, as in `VAE.score_samples`."""
EVALUATED = 1_000
"""The most rows that are evaluated for the page."""
SEEDS = 2**31 - 1


class ModelAnswers:
    """The verbs of the contract. Every number comes from the methods of `vae`."""

    def __init__(self, name: str, vae: "VAE", dataset: "Dataset | None") -> None:
        self.name, self.vae = name, vae
        self.rows = format_of(vae)
        self.given = Given(vae, self.rows)
        self.view = None if dataset is None else DataView(vae, dataset)
        self.classes = self.view.classes if self.view else classes_of(vae, None)
        vae.model_.eval()

    @cached_property
    def verbs(self) -> dict[str, Callable[[Arrays, Options], Answer]]:
        """What this model can answer."""
        config, has_latent = self.vae.config_.model, self.vae.latent_dim_ > 0
        found: dict[str, Callable[[Arrays, Options], Answer]] = {
            "model": self.model,
            "sample": self.sample,
            "reconstruct": self.reconstruct,
            "score": self.score,
            "impute": self.impute,
            "training": self.training,
        }
        if has_latent:
            found |= {"encode": self.encode, "decode": self.decode, "interpolate": self.interpolate}
        if has_latent and config.posterior.support == "real" and config.has_density:
            found["prior"] = self.prior
        if isinstance(self.rows, Tables):
            found["conditional"] = self.conditional
        if self.view is not None:
            found |= {"data": self.data, "anomalies": self.anomalies}
            found |= {"codes": self.codes} if has_latent else {}
            found |= {"column": self.column} if self.rows.columns(None) else {}
        return found

    # -- verbs over rows and codes -------------------------------------------------------------------

    def encode(self, arrays: Arrays, options: Options) -> Answer:
        X, vae = self.given.x(arrays), self.reader(options)
        y = self.given.condition(arrays, len(X))
        found = {name: np.asarray(t) for name, t in posterior(vae.model_, Fitted.of(vae).rows(X, y)).items()}
        if hasattr(vae, "predict_proba"):
            found["probabilities"] = vae.predict_proba(X)
        return found, {}

    def decode(self, arrays: Arrays, options: Options) -> Answer:
        z = self.given.z(arrays)
        label = self.given.labels(arrays, len(z))
        found = {"x": self.rows.numbers(self.vae.inverse_transform(z, label))}
        wanted = self.rows.kind != "table" and opt.flag(options, "sd", self.rows.kind != "image")
        if wanted and (spread := self.spread(z, label)) is not None:
            found["sd"] = spread
        return found, {}

    def spread(self, z: Array, label: Any) -> Array | None:
        """The standard deviation of p(x|z), laid out like x; None where the likelihood has none."""
        model, codes = self.vae.model_, torch.as_tensor(z)
        try:
            sd = Fitted.of(self.vae).decoded(model.state, codes, label, lambda px: px.stddev)
        except NotImplementedError:
            return None
        return self.rows.numbers(sd)

    def sample(self, arrays: Arrays, options: Options) -> Answer:
        n = opt.whole(options, "n", 16, 1, MOST_ROWS)
        temperature = opt.real(options, "temperature", 1.0, 0.0, 4.0)
        label, model = self.given.labels(arrays, n), self.vae.model_
        show_mean = opt.flag(options, "mean", self.rows.kind != "table")
        fitted = Fitted.of(self.vae, seed_of(options))
        with random_from(fitted.seed):
            label = self.vae.preprocessor_.targets.drawn(label, n, model.log_prior_y)
            z = prior_codes(model, n, temperature)
            x = fitted.decoded(model.state, z, label, mean_of if show_mean else sample_with_missing)
        found = {"z": z.numpy(), "x": self.rows.numbers(x)}
        if label is not None and not self.vae.labels_.measured:
            found["y"] = np.array([self.classes.index(each) for each in label.tolist()], np.int32)
        return found, {}

    def reconstruct(self, arrays: Arrays, options: Options) -> Answer:
        X = self.given.x(arrays)
        return {"x": self.rows.numbers(self.vae.reconstruct(X, self.given.condition(arrays, len(X))))}, {}

    def score(self, arrays: Arrays, options: Options) -> Answer:
        X, vae = self.given.x(arrays), self.reader(options)
        y = self.given.condition(arrays, len(X))
        log_px = vae.score_samples(X, y)
        found, info = {"log_px": log_px}, Info()
        if vae.likelihood_.factorises and opt.flag(options, "cells", True):
            found["cells"] = self.rows.cells(np.asarray(vae.score_cells(X, y)))
        if self.view is not None:
            reference = self.reference()
            found["percentile"] = percentiles(reference, log_px)
            info = {"reference": len(reference), "n": self.view.n}
        return found, info

    def reference(self) -> Array:
        """Sorted scores of the data: of all rows where they are known or few, else of REFERENCE rows."""
        view = self.required_view()
        if view.scored.all() or view.n <= REFERENCE or self.vae.window_ is not None:
            held = view.score_all()
        else:
            rows = np.unique(np.linspace(0, view.n - 1, REFERENCE).astype(int))
            held = view.score_some(rows)
        return np.sort(held[~np.isnan(held)])

    def impute(self, arrays: Arrays, options: Options) -> Answer:
        X = self.given.x(arrays)
        draws = opt.whole(options, "draws", 0, 0, MOST_DRAWS)
        y = self.given.condition(arrays, len(X))
        found = self.tolerant.impute(X, y, draws=draws or None, random_state=seed_of(options))
        each = found if draws else [found]
        return {"x": np.stack([self.rows.numbers(rows) for rows in each])}, {}

    def conditional(self, arrays: Arrays, options: Options) -> Answer:
        """p(x_j | the other cells of the row) of each column, as probabilities p (n, G, columns) of `values`
        (G, columns); a column with fewer than G repeats its last one at probability 0."""
        X = self.given.x(arrays)
        if len(X) > MOST_GIVEN:
            raise DataError(f"x has {len(X)} rows: send 1 to {MOST_GIVEN} at once")
        vae, y = self.tolerant, self.given.condition(arrays, len(X))
        p = given_others(vae.model_, *vae.preprocessor_.cells(X, y), self.cell_values, DRAWS, vae.seed_)
        return {"values": self.shown_values, "p": p.numpy()}, {}

    @cached_property
    def cell_values(self) -> Values:
        """Values of a table's columns, for their distributions."""
        assert isinstance(self.rows, Tables)
        return values_of(self.vae.model_, self.rows.categories, self.vae.seed_)

    @cached_property
    def shown_values(self) -> Array:
        """The same, (G, columns), as numbers of the page."""
        return self.rows.numbers(self.vae.codec_.decode(self.cell_values.each))

    def reader(self, options: Options) -> "VAE":
        """The model that reads rows: `missing` says that they have missing cells on purpose."""
        return self.tolerant if opt.flag(options, "missing", False) else self.vae

    @cached_property
    def tolerant(self) -> "VAE":
        """The model, which takes missing cells though its training data had none: what is erased in the page
        is missing on purpose."""
        vae = copy(self.vae)
        vae.preprocessor_ = replace(vae.preprocessor_, estimator=vae, allow_missing=True)
        return vae

    def prior(self, arrays: Arrays, options: Options) -> Answer:
        z = torch.as_tensor(self.given.z(arrays))
        return {"log_p": log_prior(self.vae.model_, z).numpy().astype(np.float32)}, {}

    def interpolate(self, arrays: Arrays, options: Options) -> Answer:
        ends = self.given.z(arrays)
        if len(ends) != 2:
            raise DataError(f"z has {len(ends)} rows: a path has two ends")
        steps = opt.whole(options, "steps", 9, 2, MOST_ROWS)
        z = path(ends, steps, opt.one_of(options, "path", ("linear", "spherical")))
        found, info = self.decode({**arrays, "z": z}, options)
        return found | {"z": z}, info

    # -- verbs over the data -------------------------------------------------------------------------

    def codes(self, arrays: Arrays, options: Options) -> Answer:
        view = self.required_view()
        start, stop = self.bounds(options)
        if start == stop:
            none = np.zeros((0, self.vae.latent_dim_), np.float32)
            return {"mean": none, "sd": none, "y": view.y[:0]}, {"n": view.n, "start": start, "stop": stop}
        first = start if self.vae.window_ is None else max(0, start - self.vae.window_ + 1)
        rows = Fitted.of(self.vae).rows(view.part(first, stop), view.labels(first, stop))
        found = {name: np.asarray(t[start - first :]) for name, t in posterior(self.vae.model_, rows).items()}
        info: Info = {"n": view.n, "start": start, "stop": stop, "kl": None}
        if (kl := found.pop("kl", None)) is not None:
            new = ~view.kl_known[start:stop]
            view.kl_sum += kl[new].sum(0, dtype=np.float64)
            view.kl_known[start:stop] = True
            known = int(view.kl_known.sum())
            info |= {"kl": (view.kl_sum / known).tolist(), "kl_rows": known}
        if opt.flag(options, "score", True):
            found["score"] = view.score(start, stop).astype(np.float32)
        return found | {"y": view.y[start:stop]}, info

    def data(self, arrays: Arrays, options: Options) -> Answer:
        view = self.required_view()
        rows = view.index(arrays["index"]) if "index" in arrays else np.arange(*self.bounds(options))
        X = view.take(rows)
        x = self.windows(rows) if self.vae.window_ and "index" in arrays else self.rows.numbers(X)
        found = {"x": x, "y": view.y[rows]}
        if self.vae.labels_.measured:
            found["covariates"] = numbers_of(self.vae.labels_, view.chosen_labels(rows), len(rows))
        return found, {"keys": view.keys(rows, X), "n": view.n}

    def windows(self, rows: Array) -> Array:
        """The windows of a series that end in these rows, (m, window, 1)."""
        view, size = self.required_view(), self.vae.window_ or 1
        spans = [view.part(max(0, row - size + 1), row + 1) for row in rows.tolist()]
        each = [np.asarray(self.vae.codec_.encode(span)[-1:], dtype=np.float64) for span in spans]
        return np.concatenate(each)[..., None] if each else np.zeros((0, size, 1))

    def column(self, arrays: Arrays, options: Options) -> Answer:
        view = self.required_view()
        columns = self.rows.columns(None)
        names = [column["name"] for column in columns]
        j = names.index(opt.one_of(options, "name", names))
        start, stop = self.bounds(options)
        value = self.rows.numbers(view.part(start, stop))[:, j].astype(np.float64)
        return {"value": value}, {"categories": columns[j].get("categories"), "n": view.n}

    def anomalies(self, arrays: Arrays, options: Options) -> Answer:
        view = self.required_view()
        n = opt.whole(options, "n", 20, 1, 1000)
        scores = np.nan_to_num(view.score_all(), nan=np.inf, neginf=-1e30)
        index = np.argsort(scores, kind="stable")[:n]
        found = {"index": index.astype(np.int32), "score": scores[index].astype(np.float32)}
        if self.rows.kind != "table":
            return found, {"reasons": None}
        rows = np.sort(index)
        why = reasons(self.vae, view.take(rows), view.chosen_labels(rows), self.usual, 3)
        by_row = dict(zip(rows, why, strict=True))
        return found, {"reasons": [[reason._asdict() for reason in by_row[row]] for row in index]}

    @cached_property
    def usual(self) -> Array:
        """The usual log-probability of each column of the data."""
        view = self.required_view()
        return usual(self.vae, view.X, view.dataset.y if self.vae.labels_.observed else None)

    def bounds(self, options: Options) -> tuple[int, int]:
        start = opt.whole(options, "start", 0, 0, 2**40)
        stop = opt.whole(options, "stop", start + BLOCK, 0, 2**40)
        return self.required_view().bounds(start, stop)

    def required_view(self) -> DataView:
        if self.view is None:
            raise DataError("there are no data beside this model: open it with DATA")
        return self.view

    # -- the model -----------------------------------------------------------------------------------

    def model(self, arrays: Arrays, options: Options) -> Answer:
        info = describe(self.vae, self.rows, self.view, sorted(self.verbs))
        if opt.flag(options, "evaluation", False) and self.view is not None:
            info |= self.evaluation
        if opt.flag(options, "citation", False):
            info["citation"] = cited(self.vae)
        return {}, info | {"name": self.name}

    @cached_property
    def evaluation(self) -> Info:
        """The names, values and units that `reparam evaluate` prints, of at most EVALUATED rows, and its
        warnings."""
        view = self.required_view()
        if self.vae.window_ is not None:
            X, y = view.part(0, EVALUATED), None
        else:
            rows = np.unique(np.linspace(0, view.n - 1, EVALUATED).astype(int))
            X, y = view.take(rows), view.chosen_labels(rows)
            if self.vae.classes_ is not None and view.dataset.y is not None:
                y = view.dataset.y[rows]
        found = self.vae.evaluate(X, y)
        warnings = dict.fromkeys([*found.warnings, *of_history(self.vae.history_)])
        counts = [("rows", f"{found.n:,}", ""), ("importance samples, k", str(found.k), "")]
        return {
            "evaluation": [*counts, *table(found)],
            "diagnostics": [parted(words) for words in warnings],
        }

    def training(self, arrays: Arrays, options: Options) -> Answer:
        samples, epochs = getattr(self.vae, "samples_", None), getattr(self.vae, "sampled_", [])
        found = {}
        if samples is not None and len(samples):
            each = samples.reshape(-1, *samples.shape[2:])
            x = self.rows.numbers(each)
            found["samples"] = x.reshape(*samples.shape[:2], *x.shape[1:])
        return found, {"history": self.vae.history_, "epochs": list(epochs)}


def seed_of(options: Options) -> int | None:
    """The seed that is asked for; None takes that of the model."""
    return None if options.get("seed") is None else opt.whole(options, "seed", 0, 0, SEEDS)
