"""The parts of a model as modules of tensors alone, which can be traced.

Rows x are as the model reads them, (n, *E) float32 (`codec.encode`), y (n,) are class numbers.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.overrides import TorchFunctionMode

from ..distributions import mean_of
from ..evaluation.likelihood import log_weights
from ..evaluation.posterior import spread_of
from ..model.hierarchy import averaging
from ..model.model import Model
from ..tensors import nan_to_neginf, random_from

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
    means. A Point posterior has none.
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
        if model.config.has_density and trace.layers:
            found["kl"] = trace.rate
        return found


class Score(Graph):
    """x -> log p(x) in nats, (n,): the numbers of `VAE.score_samples`, with its noise held as constants."""

    def __init__(self, model: Model, seed: int) -> None:
        super().__init__(model)
        self.seed, self.noise = seed, list[Tensor]()

    def outputs(self, given: Mapping[str, Tensor]) -> Outputs:
        model, y = self.model, given.get("y")
        with Replayed(self.noise):
            seen = model.observe(given["x"], for_likelihood=model.config.has_density, alike=True)
            if not model.config.has_density:
                return {"log_px": nan_to_neginf(model(seen, y).log_likelihood[0])}
            draws = 1 if model.config.deterministic else DRAWS
            log_w = torch.cat(list(log_weights(model, seen, y, draws, self.seed)))
        return {"log_px": torch.logsumexp(log_w, 0) - math.log(len(log_w))}


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
    found |= {"score": Score(model, seed)} if score else {}
    for name, graph in found.items():
        graph.takes = ("x", *condition)
        if name == "decoder":
            graph.takes = (*(("z",) if has_latent else ()), *labels)
    if score:
        one = {"x": torch.zeros(1, *model.event), "y": torch.zeros(1, dtype=torch.long)}
        with random_from(seed):
            found["score"].outputs(found["score"].taken(one))
    return found
