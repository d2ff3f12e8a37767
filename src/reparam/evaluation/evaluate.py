"""How good a model is, in nats per datum, and how far the figures can be trusted."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ..data.batching import Rows
from ..errors import SpecError
from ..model.model import Model
from ..tensors import finite, log_mean_exp, nan_to_neginf, random_from
from . import diagnostics
from .ais import Annealed, annealed, refusal
from .importance import ImportanceWeights, reliability_warning
from .likelihood import log_weights
from .metrics import aggregate, by_cell, calibration_error, kl_by_layer, residuals
from .passes import each_row, samples_at_once


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error; None for a single row."""

    mean: float
    se: float | None

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.se is None else f" ± {self.se:.2f}")


@dataclass(frozen=True)
class Evaluation:
    """Held-out figures, nats per datum in the units of the data; None where a model has no such number.

    - `log_likelihood`: the importance-weighted bound with k samples (Burda et al. 2016, equation 8), which
      rises to log p(x) with k; `bound_by_k`: with fewer of the same samples; `ess`: the mean effective
      sample size of the weights, of k; `pareto_k`: the mean shape of their tail (`importance.pareto_k`).
    - `active_units`: dimensions whose posterior mean has a variance above 0.01 over the data (Burda et al.
      2016, section 5.2); `active_by_kl`: whose mean KL is above 0.01 nat.
    - `mutual_information` of a row's number and its code, at most log n; `aggregate_kl`, KL(q(z) || p(z)):
      the top rung's rate is their sum (Hoffman and Johnson 2016); q(z) by `penalties.decomposition`.
    - `calibration_error`: the expected one of a label head, 15 bins of confidence (Guo et al. 2017).
    - `distortion_by_column`: of a table, over each column's known cells; beside an Auxiliary head given the
      class, each with its share p(y|x, z).
    - `prior_auc`: the AUC of a classifier between codes of the data and draws of the prior, 0.5 at best.
    - `ais`: log p(x) by annealing, where asked for.
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

    def to_dict(self) -> dict[str, Any]:
        return finite(asdict(self) | {"warnings": list(self.warnings)})  # type: ignore[no-any-return]


def by_row(model: Model, x: Tensor, y: Tensor | None, k: int, rated: bool, cells: bool) -> dict[str, Tensor]:
    """Every figure that is a mean over rows, of each row (B, ...), in nats."""
    trace = model(model.observe(x), y, samples=samples_at_once(model, k))
    known = (~x.isnan()).flatten(1).sum(1).double()
    distortion = -nan_to_neginf(trace.average(trace.log_likelihood))
    rows = {"known": known, "distortion": distortion, "code": model.encode(x, y)}
    if trace.logits is not None:
        rows["logits"] = trace.logits
    if (misfit := residuals(trace)) is not None:
        rows["misfit"] = misfit
    if cells:
        each = by_cell(trace)
        rows["cells"] = each if trace.mask is None else each.masked_fill(~trace.mask, math.nan)
    if not rated:
        return rows
    layers, dimensions = kl_by_layer(trace)
    rows |= {
        "rate": -nan_to_neginf(-trace.rate),
        "layers": torch.stack(layers, -1) if layers else trace.rate[:, None][:, :0],
    }
    rows |= {"dimensions": torch.cat(dimensions, -1)} if dimensions else {}
    weights, classes = ImportanceWeights(k), len(model.log_prior_y) if model.config.labels.enumerated else 1
    for log_w in log_weights(model, model.observe(x, for_likelihood=True), y, k, None):
        weights.add(log_mean_exp(log_w.reshape(-1, classes, len(x)), 1))
    sums = weights.sums
    rows |= {"score": sums.log_mean, "size": sums.size, "skew": weights.skew, "shape": weights.shape}
    return rows | {f"k={k}": bound for k, bound in weights.by_k().items()}


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
    """All figures of a data set: rows x (n, *E), and class numbers y (n,) where the model is told them.

    `truth` (n,) are the classes that a classifier's accuracy is held against, -1 where unknown; `names` a
    table's columns; `ais` the temperatures of annealing, which raises SpecError where a model has no
    gradients in z.
    """
    x, y = rows
    rated, k = model.config.has_density, 1 if model.config.deterministic else k
    if ais is not None and (refused := refusal(model)):
        raise SpecError(refused)
    with random_from(seed):
        every = each_row(lambda a, b: by_row(model, a, b, k, rated, bool(names)), x, y)
        found = aggregate(model, x, y, rated)
    every = {name: rows.double() for name, rows in every.items()}
    means: dict[str, Any] = {name: rows.nanmean(0).tolist() for name, rows in every.items()}
    code, dimensions = every["code"], means.get("dimensions")
    active = int((code.var(0) > 0.01).sum()) if len(x) > 1 and code.shape[1] else 0
    speaking = None if dimensions is None else sum(rate > diagnostics.INACTIVE_KL for rate in dimensions)
    told = None
    if truth is not None and "logits" in every and bool((truth >= 0).any()):
        told = every["logits"][truth >= 0], truth[truth >= 0]
    estimate = shape = None
    if rated:
        score = every["score"]
        se = float(score.std()) / math.sqrt(len(x)) if len(x) > 1 and bool(score.isfinite().all()) else None
        estimate = Estimate(means["score"], se)
        shape = None if math.isnan(means["shape"]) else means["shape"]
    return Evaluation(
        n=len(x),
        k=k,
        log_likelihood=estimate,
        bits_per_dim=-estimate.mean / means["known"] / math.log(2) if estimate and means["known"] else None,
        elbo=-means["rate"] - means["distortion"] if rated else None,
        rate=means.get("rate"),
        distortion=means["distortion"],
        active_units=active,
        ess=means.get("size"),
        accuracy=None if told is None else float((told[0].argmax(-1) == told[1]).double().mean()),
        warnings=tuple(
            [
                *of_estimate(model, every, means, k, shape),
                *of_codes(model, code, means, active if speaking is None else speaking),
                *diagnostics.of_scale(math.sqrt(means["misfit"]) if "misfit" in means else None),
                *diagnostics.of_prior(found.get("prior_auc")),
            ]
        ),
        bound_by_k={int(name[2:]): mean for name, mean in means.items() if name.startswith("k=")} or None,
        pareto_k=shape,
        rate_by_layer=tuple(means["layers"]) if rated else None,
        rate_by_dimension=None if dimensions is None else tuple(dimensions),
        active_by_kl=speaking,
        calibration_error=None if told is None else calibration_error(*told),
        distortion_by_column=dict(zip(names, means["cells"], strict=True)) if names else None,
        ais=None if ais is None else annealed(model, x, y, ais, seed),
        **found,
    )


def of_estimate(
    model: Model, every: dict[str, Tensor], means: dict[str, Any], k: int, shape: float | None
) -> Iterator[str]:
    """Why the log-likelihood cannot be trusted, or what it is of."""
    each = every.get("score", every["distortion"])
    if len(far := each.isinf().nonzero()):
        yield (
            f"{len(far)} of {len(each)} rows, the first of them row {int(far[0])}, are so far from the "
            "training data that their density is 0 in float32, and the means are infinite. Correct them or "
            "leave them out"
        )
    if "score" not in every:
        yield "a Point posterior has no density: rate, ELBO and log-likelihood are not defined"
    elif words := reliability_warning(k, means["size"], shape, means["skew"]):
        yield words
    if getattr(model.likelihood.family, "grey", None) == "expected":
        yield (
            "log_likelihood is of pixels binarised at random with their grey value as probability, at a "
            "fixed seed; rate, distortion and ELBO are of the grey pixels, their expectation"
        )


def of_codes(model: Model, code: Tensor, means: dict[str, Any], speaking: int) -> Iterator[str]:
    """Whether the latent is used: layers and dimensions that collapsed, codes that died."""
    if len(code) < 2 or ("score" not in means and code.shape[1]):
        return
    atoms = model.config.posterior.atoms
    yield from diagnostics.of_latent(means.get("layers", ()), speaking, 0 if atoms else code.shape[1])
    if atoms is not None:
        choices = code.reshape(-1, atoms[1])
        yield from diagnostics.of_codes(len(torch.unique(choices, dim=0)), atoms[0], len(choices))
