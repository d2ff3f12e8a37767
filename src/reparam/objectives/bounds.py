"""Bounds on log p(x), in nats per datum, negated so that they are minimised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torch import Tensor
from torch.func import functional_call

from ..errors import SpecError
from ..model.config import ModelConfig
from ..model.trace import Trace
from ..specs.schedules import Now, Schedule, at
from ..specs.spec import AtLeast, Count
from ..tensors import log_mean_exp
from .base import Bound, Term, needs_density, needs_dimensions, needs_replay, with_value


@dataclass(frozen=True, repr=False)
class ELBO(Bound):
    """mean_B [ -E_q log p(x|z) + beta KL(q || p) ], the negative evidence lower bound.

    Source: Kingma and Welling (2014), equation 3. Variants:

    - `beta` other than 1 is the beta-VAE (Higgins et al. 2017), a schedule is KL annealing, 0 with a
      Point posterior is an autoencoder;
    - `capacity` C: beta |KL - C| (Burgess et al. 2018, equation 8);
    - `free_bits` f: max(f, KL) for the batch's mean KL of each latent dimension or each layer, in nats
      (Kingma et al. 2016, equation 15);
    - `gradient="path"`: the sampled KL without the score of q (Roeder et al. 2017, "sticking the landing").
    """

    beta: Schedule = 1.0
    samples: Count = 1
    capacity: Schedule | None = None
    free_bits: Annotated[float, AtLeast(0)] = 0.0
    free_per: Literal["dimension", "layer", "rung"] = "dimension"
    gradient: Literal["total", "path"] = "total"
    one_code: ClassVar[bool] = False
    label: ClassVar[str] = "negative ELBO"

    @property
    def draws(self) -> int:
        return self.samples

    @property
    def monitor_draws(self) -> int:
        return 1

    def monitor(self, trace: Trace) -> Tensor:
        """At beta = 1; for an autoencoder, which has no rate, E log p(x|z)."""
        if not trace.config.has_density:
            return -trace.average(trace.distortion).sum()
        return trace.bound.sum()

    def reported(self, distortion: float, rate: float, loss: float) -> float:
        return -distortion - rate

    def check(self) -> None:
        if self.free_per == "rung":
            object.__setattr__(self, "free_per", "layer")
        if isinstance(self.beta, float) and self.beta < 0:
            raise SpecError(f"ELBO.beta must be 0 or more, not {self.beta}")
        if self.free_bits and (self.capacity is not None or self.gradient == "path"):
            raise SpecError("ELBO.free_bits does not combine with capacity or gradient='path': leave one out")

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        if not config.posterior.has_density and self.beta != 0:
            raise SpecError(
                "ELBO(beta != 0) with posterior=Point(): a point has no KL to the prior. "
                "Use ELBO(beta=0) for an autoencoder, or posterior=Gaussian()"
            )
        if self.gradient == "path":
            needs_density(self, config)
            needs_replay(self, config)
        if self.free_bits and self.free_per == "dimension":
            needs_dimensions(self, config, "Use free_per='layer'")

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        loss = trace.mean_distortion
        if self.beta == 0:
            return loss
        if self.gradient == "path":
            held = zip(trace.layers, trace.frozen, strict=True)
            rates = (log_q - layer.p.log_prob(layer.z) for layer, (log_q, _) in held)
            rate = sum((trace.average(r).mean() for r in rates), start=trace.label_rate.mean())
        elif self.free_bits:
            each = (self.apply_free_bits(trace, i) for i in range(len(trace.layers)))
            rate = sum(each, start=trace.label_rate.mean())
        else:
            rate = trace.mean_rate
        if self.capacity is not None:
            rate = (rate - at(self.capacity, step)).abs()
        return loss + at(self.beta, step) * rate

    def apply_free_bits(self, trace: Trace, i: int) -> Tensor:
        """The batch's mean KL of layer i, with each dimension (or the layer) at least free_bits."""
        if self.free_per == "layer":
            return trace.average(trace.rates[i]).mean().clamp_min(self.free_bits)
        by_dimension = trace.average(trace.layers[i].rates()).mean(0)
        return by_dimension.clamp_min(self.free_bits).sum()


@dataclass(frozen=True, repr=False)
class IWAE(Bound):
    """-mean_B log 1/k sum_s w_s, w = p(x, z) / q(z|x) (Burda et al. 2016, equation 8).

    `gradient="dreg"` is the doubly reparametrised estimator (Tucker et al. 2019, equation 8): unbiased,
    with a signal-to-noise ratio that does not decrease with k.
    """

    k: Count = 50
    gradient: Literal["total", "dreg", "path"] = "total"
    one_code: ClassVar[bool] = False
    label: ClassVar[str] = "negative IWAE bound"

    @property
    def draws(self) -> int:
        return self.k

    def monitor(self, trace: Trace) -> Tensor:
        return log_mean_exp(trace.log_w()).mean() * len(trace.x)

    def check(self) -> None:
        if self.gradient == "path":
            raise SpecError(
                "IWAE(gradient='path') is biased: q's score does not vanish under importance weights "
                "(Tucker et al. 2019). Use gradient='dreg', or ELBO(gradient='path')"
            )

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        super().check_compatible(config, others)
        if self.gradient != "dreg":
            return
        needs_replay(self, config)
        if len(config.latent_dim) > 1 or config.labels.enumerated:
            what = (
                f"latent_dim={config.latent_dim}" if len(config.latent_dim) > 1 else f"labels={config.labels}"
            )
            raise SpecError(f"{self} with {what}: DReG is biased there. Use gradient='total'")
        if any(term.reads_z for term in others):
            raise SpecError(f"{self} weights the gradient of z, and so that of {others}. Leave them out")

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        if self.gradient == "total":
            return -log_mean_exp(trace.log_w()).mean()
        log_w = trace.log_w(frozen_q=True)
        share = log_w.detach().softmax(0)
        for layer in trace.layers:
            if layer.z.requires_grad:
                layer.z.register_hook(lambda gradient: share[..., None] * gradient)  # type: ignore[no-untyped-call]
        return with_value(-(share * log_w).sum(0).mean(), -log_mean_exp(log_w).mean())


@dataclass(frozen=True, repr=False)
class MIWAE(Bound):
    """-mean_B 1/m sum_m log 1/k sum_k w: the mean of m bounds (Rainforth et al. 2018, equation 9)."""

    m: Count = 8
    k: Count = 8

    @property
    def draws(self) -> int:
        return self.m * self.k

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        return -log_mean_exp(trace.log_w().reshape(self.m, self.k, -1), 1).mean()


@dataclass(frozen=True, repr=False)
class CIWAE(Bound):
    """beta ELBO + (1 - beta) IWAE, both over the same k samples (Rainforth et al. 2018, equation 10)."""

    k: Count = 64
    beta: float = 0.5

    @property
    def draws(self) -> int:
        return self.k

    def check(self) -> None:
        if not 0 <= self.beta <= 1:
            raise SpecError(f"CIWAE.beta must be in [0, 1], the weight of the ELBO, not {self.beta}")

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        log_w = trace.log_w()
        return -(self.beta * log_w.mean(0) + (1 - self.beta) * log_mean_exp(log_w)).mean()


@dataclass(frozen=True, repr=False)
class PIWAE(Bound):
    """Decoder and prior use IWAE(m k), the encoder MIWAE(m, k) (Rainforth et al. 2018, section 4)."""

    m: Count = 8
    k: Count = 8

    @property
    def draws(self) -> int:
        return self.m * self.k

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        super().check_compatible(config, others)
        if len(config.latent_dim) != 1 or config.labels.has_classifier:
            raise SpecError(
                f"{self} needs an encoder separate from the decoder; latent_dim={config.latent_dim} with "
                f"labels={config.labels} shares parameters. Use MIWAE or IWAE"
            )

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        model, (layer,), ((_, held_p),) = trace.model, trace.layers, trace.frozen
        assert layer.q is not None
        fixed, log_q = layer.z.detach(), layer.q.log_prob(layer.z)
        px = model.decode(fixed, trace.code, trace.seen)
        ours = trace.log_px(px) + layer.p.log_prob(fixed) - log_q.detach()
        frozen = {name: p.detach() for name, p in model.likelihood.named_parameters()}
        px = functional_call(model.likelihood, frozen, model.head_inputs(trace.seen, layer.z, trace.code))
        theirs = trace.log_px(px) + held_p - log_q
        value = -log_mean_exp(ours).mean()
        return with_value(value - log_mean_exp(theirs.reshape(self.m, self.k, -1), 1).mean(), value)


@dataclass(frozen=True, repr=False)
class Renyi(Bound):
    """-mean_B 1/(1 - alpha) log 1/k sum_s w_s^(1 - alpha) (Li and Turner 2016, equation 14).

    alpha = 0 is IWAE, alpha -> 1 the ELBO; with negative alpha it is not a lower bound.
    """

    alpha: float = 0.5
    k: Count = 50

    @property
    def draws(self) -> int:
        return self.k

    def check(self) -> None:
        if not 0 <= self.alpha < 1:
            raise SpecError(f"Renyi.alpha must be in [0, 1), not {self.alpha}; for alpha = 1 use ELBO()")

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        share = 1 - self.alpha
        return -log_mean_exp(share * trace.log_w()).mean() / share
