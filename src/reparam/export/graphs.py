"""The parts of a model as modules of tensors alone, which can be traced.

Rows x are as the model reads them, (n, *E) float32 (`codec.encode`); y is class numbers (n,), or covariates
(n, width) as the label head reads them.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal
from torch.overrides import TorchFunctionMode

from ..distributions import base_of, elementwise_log_prob, mean_of
from ..evaluation.conditionals import Values, probabilities
from ..evaluation.likelihood import LogWeights, common_noise
from ..evaluation.metrics import weighed
from ..evaluation.posterior import log_prior, spread_of
from ..model.hierarchy import averaging
from ..model.model import Model
from ..model.trace import Trace
from ..tensors import nan_to_neginf, random_from, weighted_sum

Outputs = dict[str, Tensor]
DRAWS = 100
"""Draws of z in `Score`, as in `VAE.score_samples`."""
RANDOM = {torch.randn, torch.rand, torch.rand_like, torch.randn_like, torch.normal, torch.Tensor.normal_}


class Graph(nn.Module):
    """Tensors -> named tensors. `takes`: the inputs, of "x", "z" and "y"."""

    takes: tuple[str, ...]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        raise NotImplementedError

    def taken(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inputs that this graph takes."""
        return {name: given[name] for name in self.takes}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.outputs(dict(zip(self.takes, inputs, strict=True))).values())


class Encoder(Graph):
    """x -> the codes' mean and standard deviation (n, L), and class probabilities (n, K)."""

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        own = self.model.conditioning(given["x"], given.get("y"))
        _, layers = self.model.latents(own.features, averaging, self.model.pseudo_features())
        found = {"mean": torch.cat([layer.z[0] for layer in layers], -1)}
        spread = [spread_of(layer.q) for layer in layers]
        if all(each is not None for each in spread):
            found["sd"] = torch.cat(
                [each.reshape(given["x"].shape[0], -1) for each in spread if each is not None], -1
            )
        return found | ({} if own.logits is None else {"probabilities": own.logits.softmax(-1)})


class Decoder(Graph):
    """z (n, L) -> the mean of p(x|z), (n, *E), the most probable class of a category, and its standard
    deviation where the likelihood has a scale."""

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        model, z, y = self.model, given.get("z"), given.get("y")
        code = None if y is None else model.config.labels.code(y)[None]
        px = model.decode(None if z is None else model.state(z), code)
        n = (y if z is None else z).shape[0]  # type: ignore[union-attr]
        scaled = "scale" in model.likelihood.family.roles.values()
        spread = spread_of(px) if scaled else None
        found = {"x": mean_of(px).reshape(n, *model.event)}
        return found | ({} if spread is None else {"sd": spread.reshape(n, *model.event)})


class Look(Graph):
    """x -> mean, standard deviation, reconstruction, log p(x|z) at the mean, and KL in nats, (n,).

    The KL is summed over the layers, in closed form where one is known and else log q(z) - log p(z), at the
    means. A Point posterior has none, nor has one whose density is known at its own samples alone.
    """

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        model, x = self.model, given["x"]
        found = Encoder(model).outputs(given) if model.encoder is not None else {}
        trace = model(x, given.get("y"), draw=averaging)
        if model.config.labels.enumerated:
            px = model.rebuild(x)
            log_px = trace.log_px(px)[0]
        else:
            px, log_px = trace.px, trace.log_likelihood[0]
        found |= {"reconstruction": mean_of(px).reshape(x.shape[0], *model.event), "log_px_given_z": log_px}
        if model.config.has_density and model.config.posterior.tractable and trace.layers:
            found["kl"] = trace.rate
        return found


class Reconstruction(Graph):
    """x -> the mean of p(x|z) at the codes' means, (n, *E): the numbers of `VAE.reconstruct`."""

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        x = given["x"]
        px = self.model.rebuild(x, given.get("y"))
        return {"reconstruction": mean_of(px).reshape(x.shape[0], *self.model.event)}


class Completion(Graph):
    """x with missing cells -> codes z (S, n, L) of q(z | observed cells) and their log-weights (S, n), from
    which `evaluation.imputation` fills those cells; noise and draws as in `Score`. Where log p(x|z) is a sum
    over classes, S = k K: k draws of the first class, then of the next.
    """

    def __init__(self, score: "Score") -> None:
        super().__init__(score.model)
        self.score, self.takes = score, score.takes

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        trace = self.score.trace(given)
        z = torch.cat([layer.z for layer in trace.layers], -1)
        _, log_w = weighed(trace)
        return {"z": z.repeat(log_w.shape[0] // z.shape[0], 1, 1), "log_w": log_w}


class Conditional(Graph):
    """A row of a table with missing cells -> the distribution of these given the others, as probabilities
    p (n, G, C) of `values`; noise and draws as in `Score`. What stands in observed cells means nothing."""

    def __init__(self, score: "Score", values: Values) -> None:
        super().__init__(score.model)
        self.score, self.values, self.takes = score, values, score.takes

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        trace = self.score.trace(given)
        return {"p": probabilities(*weighed(trace), self.values)}


class PriorDensity(Graph):
    """z (n, L) -> log p(z) in nats, (n,), over all layers."""

    takes = ("z",)

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        return {"log_p": log_prior(self.model, given["z"])}


class Score(Graph):
    """x -> log p(x) in nats, (n,): the numbers of `VAE.score_samples`, with its noise held as constants.

    `cells`: also E[log p(x_j|z) | x] of each cell in nats, (n, *E), NaN where missing, with the same noise.
    """

    def __init__(self, model: Model, takes: tuple[str, ...], seed: int, *, cells: bool = False) -> None:
        super().__init__(model)
        self.takes, self.seed = takes, seed
        self.draws = 1 if model.config.deterministic else DRAWS
        self.seen_noise, self.noise = list[Tensor](), list[Tensor]()
        with torch.no_grad():
            self.whole = self.keep_noise()
        self.cells = cells and self.whole

    def keep_noise(self) -> bool:
        """Draw what the graph holds, piece by piece as the method does. Whether the pieces are joined, so
        that the graph decodes all draws at once."""
        model = self.model
        x, y = torch.zeros(1, *model.event), model.config.labels.examples(1) if "y" in self.takes else None
        with random_from(self.seed):
            seen = self.observed(x)
        if not model.config.has_density:
            return False
        with random_from(self.seed), Replayed(self.noise):
            pieces = len(list(LogWeights(model, self.draws, alike=True)(seen, y)))
        if pieces > 1 and not model.config.labels.enumerated:
            each = len(self.noise) // pieces
            self.noise = [torch.cat(self.noise[i::each]) for i in range(each)]
            pieces = 1
        return pieces == 1

    def observed(self, x: Tensor) -> Tensor:
        with Replayed(self.seen_noise):
            return self.model.observe(x, for_likelihood=self.model.config.has_density, alike=True)

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        model, y = self.model, given.get("y")
        if not model.config.has_density:
            return {"log_px": nan_to_neginf(model(self.observed(given["x"]), y).log_likelihood[0])}
        if not self.whole:
            with Replayed(self.noise):
                pieces = LogWeights(model, self.draws, alike=True)(self.observed(given["x"]), y)
                log_w = torch.cat(list(pieces))
            return {"log_px": log_w.logsumexp(0) - math.log(len(log_w))}
        trace = self.trace(given)
        log_w = nan_to_neginf(trace.log_w())
        found = {"log_px": log_w.logsumexp(0) - math.log(len(log_w))}
        return found | ({"cells": by_cell(trace, given["x"])} if self.cells else {})

    def trace(self, given: Mapping[str, Tensor]) -> Trace:
        """All draws at once, with the noise held; only where `whole`."""
        model, seen = self.model, self.observed(given["x"])
        draw = common_noise(self.draws, seen.dtype)
        with Replayed(self.noise):
            trace: Trace = model(seen, given.get("y"), samples=self.draws, draw=draw)
        return trace


class WindowScore(Graph):
    """Complete windows x -> `cells`, E_q log p(x_j | z) of each number in nats, (n, *E), of which the last is
    the score of the last time step (`evaluation.anomaly`); noise and draws as in `Score`."""

    def __init__(self, score: Score) -> None:
        super().__init__(score.model)
        self.score, self.takes = score, score.takes

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        trace = self.score.trace(given)
        return {"cells": trace.average(elementwise_log_prob(trace.px, trace.x)).reshape(given["x"].shape)}


def by_cell(trace: Trace, x: Tensor) -> Tensor:
    """E[log p(x_j|z) | x] by the weights of the draws, (n, *E); NaN where x has it."""
    px, log_w = weighed(trace)
    log_p = elementwise_log_prob(px, trace.x).reshape(-1, *x.shape)
    return torch.where(x.isnan(), torch.nan, weighted_sum(log_w.softmax(0), log_p))


class Replayed(TorchFunctionMode):
    """Random numbers are kept the first time, and given again afterwards, so that a graph holds them."""

    def __init__(self, kept: list[Tensor]) -> None:
        super().__init__()
        self.kept, self.replays, self.at = kept, bool(kept), 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func not in RANDOM:
            return func(*args, **(kwargs or {}))
        if not self.replays:
            self.kept.append(func(*args, **(kwargs or {})).clone())
            return self.kept[-1]
        self.at += 1
        return self.kept[self.at - 1]


@contextmanager
def traceable(model: Model, *, missing: bool) -> Iterator[Model]:
    """A copy of the model that looks at no number in Python; `missing`: whether NaN is a missing cell."""
    found = copy.deepcopy(model).eval()
    found.looks_for_missing = lambda x: missing  # type: ignore[method-assign]
    checked = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield found
    finally:
        Distribution.set_default_validate_args(checked)


@torch.no_grad()
def graphs_of(model: Model, seed: int, *, score: bool = False) -> dict[str, Graph]:
    """The graphs that this model has, by name; `score` has drawn its noise."""
    labels = ("y",) if model.config.labels.to_decoder else ()
    condition = ("y",) if model.config.labels.observed else ()
    has_latent = model.encoder is not None
    found: dict[str, Graph] = {"encoder": Encoder(model)} if has_latent else {}
    found |= {"decoder": Decoder(model), "look": Look(model)}
    found |= {"score": Score(model, ("x", *condition), seed)} if score else {}
    for name, graph in found.items():
        if name != "score":
            graph.takes = ("x", *condition)
        if name == "decoder":
            graph.takes = (*(("z",) if has_latent else ()), *labels)
    return found


def completion(model: Model, seed: int, values: Values | None) -> dict[str, Graph]:
    """The graph for missing cells, of a table with `values` that of their distributions; none where the page
    could not draw from p(x|z), or z is not all that the decoder reads."""
    config = model.config
    if model.encoder is None or not config.has_density or config.labels.enumerated:
        return {}
    if values is None and noise_of(model) is None:
        return {}
    score = Score(model, ("x", "y") if config.labels.observed else ("x",), seed)
    if not score.whole:
        return {}
    return {"impute": Completion(score)} if values is None else {"conditional": Conditional(score, values)}


def noise_of(model: Model) -> str | None:
    """How a number of x is drawn given z: "normal" about its mean, "binary" with it; None for other laws."""
    labels = model.config.labels
    code = labels.code(torch.zeros(1, dtype=torch.long))[None] if labels.to_decoder else None
    cell = base_of(model.decode(model.prior_state(1), code))
    laws = {"normal": Normal, "binary": Bernoulli}
    return next((name for name, law in laws.items() if isinstance(cell, law)), None)


def graphs_of_page(model: Model, seed: int, *, series: bool = False) -> dict[str, Graph]:
    """What a page asks of a model without a server, by name: the reconstruction, log p(x), with that of each
    cell where the likelihood factorises, and log p(z) where it is a density. Of a `series` the score is that
    of windows, whose missing steps the page must be able to draw."""
    config = model.config
    found = graphs_of(model, seed)
    takes = found.pop("look").takes
    found["reconstruct"] = Reconstruction(model)
    found["reconstruct"].takes = takes
    score = Score(model, takes, seed, cells=config.likelihood.factorises)
    if not series:
        found["score"] = score
    elif score.whole and noise_of(model) == "normal":
        found["score"] = WindowScore(score)
    if model.encoder is not None and config.posterior.support == "real" and config.has_density:
        found["prior"] = PriorDensity(model)
    return found
