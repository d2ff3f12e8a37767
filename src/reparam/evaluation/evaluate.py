"""Metrics of a model in nats per datum, and warnings about their reliability."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..data.batching import Rows
from ..errors import SpecError
from ..html_table import html_table
from ..model.model import Model
from ..tensors import finite, random_from
from . import diagnostics
from .ais import Annealed, annealed, not_annealable
from .importance import group_sizes, last_rise, reliability_warning
from .metric_names import named
from .metrics import aggregate, calibration_error
from .row_figures import RowFigures, row_figures

SHOWN = {
    "log_likelihood",
    "bits_per_dim",
    "elbo",
    "rate",
    "distortion",
    "active_units",
    "ess",
    "mutual_information",
    "prior_auc",
    "accuracy",
    "calibration_error",
}
"""The metrics that `print` and a notebook show."""
OLD_KEYS = {"rate_by_rung": "rate_by_layer", "told_apart": "prior_auc"}
"""Keys of version 0.1 in the JSON of an evaluation, kept for one release."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error; None for a single row."""

    mean: float
    se: float | None

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.se is None else f" ± {self.se:.2f}")


@dataclass(frozen=True)
class Evaluation:
    """Held-out metrics, nats per datum in the units of the data; None where a metric is not defined.

    - `log_likelihood`: the importance-weighted bound with k samples (Burda et al. 2016, equation 8), which
      increases to log p(x) with k; `bound_by_k`: with fewer of the same samples; `ess`: the mean effective
      sample size, at most k; `pareto_k`: the mean shape of the tail of the weights (`importance.pareto_k`).
    - `active_units`: dimensions whose posterior mean has a variance above 0.01 over the data (Burda et al.
      2016, section 5.2); `active_by_kl`: those with a mean KL above 0.01 nat.
    - `mutual_information` of a row's index and its code, at most log n; `aggregate_kl`, KL(q(z) || p(z)):
      the top layer's rate is their sum (Hoffman and Johnson 2016); q(z) as in `penalties.decomposition`.
    - `calibration_error`: expected calibration error of a classifier, 15 bins (Guo et al. 2017).
    - `distortion_by_column`: for a table, over each column's observed cells; with an Auxiliary head given
      the class, averaged over p(y|x, z).
    - `prior_auc`: the AUC of a classifier between codes of the data and draws of the prior, 0.5 at best.
    - `ais`: log p(x) by annealed importance sampling, if requested.
    - `log_likelihood_by_row`: the bound of each row (n,); its mean is `log_likelihood`.
    """

    n: int
    k: int
    log_likelihood: Estimate | None
    bits_per_dim: float | None
    elbo: float | None
    rate: float | None
    distortion: float
    active_units: int
    ess: float | None
    accuracy: float | None
    warnings: tuple[str, ...]
    bound_by_k: dict[int, float] | None = None
    pareto_k: float | None = None
    rate_by_layer: tuple[float, ...] | None = None
    rate_by_dimension: tuple[float, ...] | None = None
    active_by_kl: int | None = None
    mutual_information: float | None = None
    aggregate_kl: float | None = None
    prior_auc: float | None = None
    calibration_error: float | None = None
    distortion_by_column: dict[str, float] | None = None
    ais: Annealed | None = None
    log_likelihood_by_row: Tensor | None = field(default=None, repr=False, compare=False)

    def _shown(self) -> dict[str, str]:
        """The main metrics by name, with their units."""
        return {name: f"{value} {unit}".strip() for key, name, value, unit in named(self) if key in SHOWN}

    def __str__(self) -> str:
        """What `print` shows: the main metrics, a line each, and the warnings; `repr` has all."""
        rows = self._shown()
        width = max(map(len, rows))
        lines = [f"{name:{width}}  {value}" for name, value in rows.items()]
        notes = [f"warning: {warning}" for warning in self.warnings]
        return "\n".join([f"{self.n:,} rows, k = {self.k}", *lines, *notes])

    def _repr_html_(self) -> str:
        """What a notebook shows: the same."""
        return html_table(f"{self.n:,} rows, k = {self.k}", self._shown(), self.warnings)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: without the values by row, and with the keys of version 0.1 in addition."""
        figures = asdict(replace(self, log_likelihood_by_row=None)) | {"warnings": list(self.warnings)}
        del figures["log_likelihood_by_row"]
        figures |= {old: figures[new] for old, new in OLD_KEYS.items()}
        return finite(figures)  # type: ignore[no-any-return]


@torch.no_grad()
def evaluate(
    model: Model,
    rows: Rows,
    k: int,
    seed: int,
    truth: Tensor | None = None,
    *,
    names: Sequence[str] = (),
    ais: int | None = None,
) -> Evaluation:
    """All metrics of a data set: rows x (n, *E), and class numbers y (n,) where the model needs them.

    `truth` (n,): the true classes for a classifier's accuracy, -1 where unknown; `names`: a table's columns;
    `ais`: the number of temperatures, which raises SpecError where a model has no gradients in z.
    """
    (x, y), config = rows, model.config
    k = 1 if config.deterministic else k
    if ais is not None and (reason := not_annealable(model)):
        raise SpecError(reason)
    with random_from(seed):
        every = row_figures(model, rows, k, cells=bool(names))
        found = aggregate(model, x, y, config.has_density)
    means: dict[str, Any] = every.means()
    code, dimensions = every.code, means["dimensions"]
    active = int((code.double().var(0) > 0.01).sum()) if len(x) > 1 and code.shape[1] else 0
    active_by_kl = None if dimensions is None else sum(rate > diagnostics.INACTIVE_KL for rate in dimensions)
    judged = None
    if truth is not None and every.logits is not None and bool((truth >= 0).any()):
        judged = every.logits[truth >= 0].double(), truth[truth >= 0]
    estimate = None if every.log_likelihood is None else estimate_of(every.log_likelihood)
    known_cells = means["known"]
    return Evaluation(
        n=len(x),
        k=k,
        log_likelihood=estimate,
        bits_per_dim=-estimate.mean / known_cells / math.log(2) if estimate and known_cells else None,
        elbo=None if means["rate"] is None else -means["rate"] - means["distortion"],
        rate=means["rate"],
        distortion=means["distortion"],
        active_units=active,
        ess=means["sample_size"],
        accuracy=None if judged is None else float((judged[0].argmax(-1) == judged[1]).double().mean()),
        warnings=(
            *of_estimate(model, every, means, k),
            *of_codes(model, every, means, active if active_by_kl is None else active_by_kl),
            *diagnostics.of_scale(None if means["misfit"] is None else math.sqrt(means["misfit"])),
            *diagnostics.of_prior(found.get("prior_auc")),
        ),
        bound_by_k=None if every.bounds is None else bound_by_k(every.bounds, k),
        pareto_k=known(means["pareto_k"]),
        rate_by_layer=None if means["layers"] is None else tuple(means["layers"]),
        rate_by_dimension=None if dimensions is None else tuple(dimensions),
        active_by_kl=active_by_kl,
        calibration_error=None if judged is None else calibration_error(*judged),
        distortion_by_column=dict(zip(names, means["cells"], strict=True)) if names else None,
        ais=None if ais is None else annealed(model, x, y, ais, seed),
        log_likelihood_by_row=None if estimate is None else every.log_likelihood,
        **found,
    )


def estimate_of(scores: Tensor) -> Estimate:
    """The mean of (n,) and its standard error, None where that is of one row or not finite."""
    scores = scores.double()
    finite_spread = len(scores) > 1 and bool(scores.isfinite().all())
    se = float(scores.std()) / math.sqrt(len(scores)) if finite_spread else None
    return Estimate(float(scores.nanmean()), se)


def bound_by_k(bounds: Tensor, k: int) -> dict[int, float]:
    """The mean over rows of (n, sizes), by number of samples; summed size by size, like `log_likelihood`."""
    return dict(zip(group_sizes(k), bounds.double().T.contiguous().nanmean(1).tolist(), strict=True))


def known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def of_estimate(model: Model, every: RowFigures, means: dict[str, Any], k: int) -> Iterator[str]:
    """Why the log-likelihood is not reliable, or what it refers to."""
    each = every.distortion if every.log_likelihood is None else every.log_likelihood
    if len(far := each.isinf().nonzero()):
        yield (
            f"{len(far)} of {len(each)} rows, the first of them row {int(far[0])}, are so far from the "
            "training data that their density is 0 in float32, and means become non-finite. Correct them or "
            "leave them out"
        )
    if every.log_likelihood is None:
        yield "a Point posterior has no density: rate, ELBO and log-likelihood are not defined"
    elif every.bounds is not None:
        rise = last_rise(bound_by_k(every.bounds, k))
        if words := reliability_warning(k, means["sample_size"], known(means["pareto_k"]), rise):
            yield words
    if getattr(model.likelihood.family, "grey", None) == "expected":
        yield (
            "log_likelihood is that of pixels binarised at random with their grey value as probability, at a "
            "fixed seed; rate, distortion and ELBO are those of the grey pixels, their expectation"
        )


def of_codes(model: Model, every: RowFigures, means: dict[str, Any], active: int) -> Iterator[str]:
    """Posterior collapse of layers and dimensions, and unused codes."""
    code, atoms = every.code, model.config.posterior.atoms
    if len(code) < 2 or (every.log_likelihood is None and code.shape[1]):
        return
    yield from diagnostics.of_latent(means["layers"] or (), active, 0 if atoms else code.shape[1])
    if atoms is not None:
        choices = code.reshape(-1, atoms[1])
        yield from diagnostics.of_codes(len(torch.unique(choices, dim=0)), atoms[0], len(choices))
