"""The objective is a sum of terms over a trace; every term is in nats per datum and is minimised.

Exactly one term is a bound on log p(x); the others are penalties (`penalties.py`). Sums run over the
event, means over the batch, once: a mean over pixels or latents would set beta in silence. An estimator
of the gradient returns `with_value(surrogate, loss)`, so that the logged number is the bound.
"""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torch import Tensor
from torch.func import functional_call

from .errors import SpecError
from .families import Point
from .labels import Auxiliary, Enumerated
from .model import Parts, Trace
from .schedule import Schedule, at
from .spec import AtLeast, Count, Spec
from .tensors import log_mean_exp


@dataclass(frozen=True, repr=False)
class Term(Spec, abc.ABC):
    """A scalar of the trace. `is_bound` marks the one that bounds log p(x), `reads_z` what moves codes,
    `one_code` what reads a single code of each datum, and so no enumerated classes."""

    is_bound: ClassVar[bool] = False
    reads_z: ClassVar[bool] = True
    one_code: ClassVar[bool] = False

    @property
    def draws(self) -> int:
        """How many z a datum this term wants."""
        return 1

    @abc.abstractmethod
    def __call__(self, trace: Trace, step: int) -> Tensor: ...

    def fits(self, parts: Parts, others: Sequence["Term"]) -> None:
        """Refuse a model or other terms that this one makes no sense with: SpecError, both parts named."""
        labels = parts.labels
        if self.one_code and isinstance(labels, Enumerated):
            cure = "ELBO() or IWAE()" if self.is_bound else f"labels=Auxiliary({labels.classes})"
            raise SpecError(f"{self} with labels={labels}: each datum has a code for every class. Use {cure}")


def with_value(surrogate: Tensor, value: Tensor) -> Tensor:
    """The gradient of one number, the value of the other."""
    return surrogate + (value - surrogate).detach()


@dataclass(frozen=True, repr=False)
class Bound(Term):
    """A lower bound on log p(x), negated."""

    is_bound: ClassVar[bool] = True
    one_code: ClassVar[bool] = True

    @property
    def draws(self) -> int:
        return math.prod(getattr(self, name, 1) for name in ("samples", "m", "k"))

    def fits(self, parts: Parts, others: Sequence[Term]) -> None:
        if isinstance(parts.posterior, Point):
            raise SpecError(
                f"{type(self).__name__} with posterior=Point(): a point has no density to weigh by. "
                "Use ELBO(beta=0) for an autoencoder, or posterior=Gaussian()"
            )
        needs_density(self, parts)
        super().fits(parts, others)


@dataclass(frozen=True, repr=False)
class ELBO(Bound):
    """mean_B [ -E_q log p(x|z) + beta KL(q || p) ], the evidence lower bound negated.

    Source: Kingma and Welling (2014), equation 3. Around it:

    - `beta` other than 1 is the beta-VAE (Higgins et al. 2017), a schedule is KL annealing, 0 with a
      Point posterior an autoencoder;
    - `capacity` C: beta |KL - C| (Burgess et al. 2018, equation 8);
    - `free_bits` f: max(f, KL) for the batch's mean KL of each latent dimension or each rung, in nats
      (Kingma et al. 2016, equation 15);
    - `gradient="path"`: the sampled KL without q's own score (Roeder et al. 2017, "sticking the landing").
    """

    beta: Schedule = 1.0
    samples: Count = 1
    capacity: Schedule | None = None
    free_bits: Annotated[float, AtLeast(0)] = 0.0
    free_per: Literal["dimension", "rung"] = "dimension"
    gradient: Literal["total", "path"] = "total"
    one_code: ClassVar[bool] = False

    def check(self) -> None:
        if isinstance(self.beta, float) and self.beta < 0:
            raise SpecError(f"ELBO.beta must be 0 or more, not {self.beta}")
        if self.free_bits and (self.capacity is not None or self.gradient == "path"):
            raise SpecError("ELBO.free_bits goes with neither capacity nor gradient='path': leave one out")

    def fits(self, parts: Parts, others: Sequence[Term]) -> None:
        if isinstance(parts.posterior, Point) and self.beta != 0:
            raise SpecError(
                "ELBO(beta != 0) with posterior=Point(): a point has no KL to the prior. "
                "Use ELBO(beta=0) for an autoencoder, or posterior=Gaussian()"
            )
        if self.gradient == "path":
            needs_density(self, parts)
            needs_replay(self, parts)
        if self.free_bits and self.free_per == "dimension":
            needs_dimensions(self, parts, "Use free_per='rung'")

    def __call__(self, trace: Trace, step: int) -> Tensor:
        loss = trace.mean_distortion
        beta = at(self.beta, step)
        if beta == 0:
            return loss
        if self.gradient == "path":
            held = zip(trace.sites, trace.frozen, strict=True)
            rates = (log_q - site.p.log_prob(site.z) for site, (log_q, _) in held)
            rate = sum((trace.average(r).mean() for r in rates), start=trace.label_rate.mean())
        elif self.free_bits:
            each = (self.freed(trace, i) for i in range(len(trace.sites)))
            rate = sum(each, start=trace.label_rate.mean())
        else:
            rate = trace.mean_rate
        if self.capacity is not None:
            rate = (rate - at(self.capacity, step)).abs()
        return loss.add(rate, alpha=beta)

    def freed(self, trace: Trace, i: int) -> Tensor:
        """The batch's mean KL of rung i, none of its dimensions (or not itself) below free_bits."""
        if self.free_per == "rung":
            return trace.average(trace.rates[i]).mean().clamp_min(self.free_bits)
        by_dimension = trace.average(trace.sites[i].rates()).mean(0)
        return by_dimension.clamp_min(self.free_bits).sum()


def needs_density(term: Term, parts: Parts) -> None:
    """Refuse codes: no density moves with their draws."""
    q = parts.posterior
    if q.atoms is not None:
        raise SpecError(f"{term} with posterior={q}: codes have no density. Use ELBO(), or Gaussian()")


def needs_dimensions(term: Term, parts: Parts, cure: str) -> None:
    """Refuse a posterior or a prior whose KL is no sum over latent dimensions."""
    for role, part in (("posterior", parts.posterior), ("prior", parts.prior)):
        if not part.factorises or isinstance(part, Point):
            raise SpecError(
                f"{term} with {role}={part}: it does not factorise over latent dimensions. "
                f"{cure}, or {role}=Gaussian()"
            )


def needs_replay(term: Term, parts: Parts) -> None:
    """Refuse a posterior that cannot score a draw anew, its own parameters held."""
    if not parts.posterior.tractable:
        raise SpecError(
            f"{term} with posterior={parts.posterior}: it knows the density of its own draws alone. "
            "Use gradient='total', or Flow(steps=(IAF(), IAF()))"
        )


@dataclass(frozen=True, repr=False)
class IWAE(Bound):
    """-mean_B log 1/k sum_s w_s, w = p(x, z) / q(z|x) (Burda et al. 2016, equation 8).

    `gradient="dreg"` is the doubly reparametrised estimator (Tucker et al. 2019, equation 8): unbiased,
    and its signal does not drown as k grows.
    """

    k: Count = 50
    gradient: Literal["total", "dreg", "path"] = "total"
    one_code: ClassVar[bool] = False

    def check(self) -> None:
        if self.gradient == "path":
            raise SpecError(
                "IWAE(gradient='path') is biased: q's score does not vanish under importance weights "
                "(Tucker et al. 2019). Use gradient='dreg', or ELBO(gradient='path')"
            )

    def fits(self, parts: Parts, others: Sequence[Term]) -> None:
        super().fits(parts, others)
        if self.gradient != "dreg":
            return
        needs_replay(self, parts)
        if len(parts.latent_dim) > 1 or isinstance(parts.labels, Enumerated):
            what = f"latent_dim={parts.latent_dim}" if len(parts.latent_dim) > 1 else f"labels={parts.labels}"
            raise SpecError(f"{self} with {what}: DReG is biased there. Use gradient='total'")
        if any(term.reads_z for term in others):
            raise SpecError(f"{self} weighs the gradient of z, so that of {others} too. Leave them out")

    def __call__(self, trace: Trace, step: int) -> Tensor:
        if self.gradient == "total":
            return -log_mean_exp(trace.log_w()).mean()
        log_w = trace.log_w(frozen_q=True)
        share = log_w.detach().softmax(0)
        for site in trace.sites:
            if site.z.requires_grad:
                site.z.register_hook(lambda gradient: share[..., None] * gradient)  # type: ignore[no-untyped-call]
        return with_value(-(share * log_w).sum(0).mean(), -log_mean_exp(log_w).mean())


@dataclass(frozen=True, repr=False)
class MIWAE(Bound):
    """-mean_B 1/m sum_m log 1/k sum_k w: the mean of m bounds (Rainforth et al. 2018, equation 9)."""

    m: Count = 8
    k: Count = 8

    def __call__(self, trace: Trace, step: int) -> Tensor:
        return -log_mean_exp(trace.log_w().reshape(self.m, self.k, -1), 1).mean()


@dataclass(frozen=True, repr=False)
class CIWAE(Bound):
    """beta ELBO + (1 - beta) IWAE, both over the same k samples (Rainforth et al. 2018, equation 10)."""

    k: Count = 64
    beta: float = 0.5

    def check(self) -> None:
        if not 0 <= self.beta <= 1:
            raise SpecError(f"CIWAE.beta is in [0, 1], not {self.beta}: it weighs ELBO against IWAE")

    def __call__(self, trace: Trace, step: int) -> Tensor:
        log_w = trace.log_w()
        return -(self.beta * log_w.mean(0) + (1 - self.beta) * log_mean_exp(log_w)).mean()


@dataclass(frozen=True, repr=False)
class PIWAE(Bound):
    """Decoder and prior follow IWAE(m k), the encoder MIWAE(m, k) (Rainforth et al. 2018, section 4)."""

    m: Count = 8
    k: Count = 8

    def fits(self, parts: Parts, others: Sequence[Term]) -> None:
        super().fits(parts, others)
        if len(parts.latent_dim) != 1 or isinstance(parts.labels, Auxiliary | Enumerated):
            raise SpecError(
                f"{self} parts the encoder from the rest; latent_dim={parts.latent_dim} with "
                f"labels={parts.labels} shares them. Use MIWAE or IWAE"
            )

    def __call__(self, trace: Trace, step: int) -> Tensor:
        model, (site,), ((_, held_p),) = trace.model, trace.sites, trace.frozen
        assert site.q is not None
        fixed, log_q = site.z.detach(), site.q.log_prob(site.z)
        px = model.decode(fixed, trace.code, trace.seen)
        ours = trace.log_px(px) + site.p.log_prob(fixed) - log_q.detach()
        frozen = {name: p.detach() for name, p in model.likelihood.named_parameters()}
        px = functional_call(model.likelihood, frozen, model.told(trace.seen, site.z, trace.code))
        theirs = trace.log_px(px) + held_p - log_q
        value = -log_mean_exp(ours).mean()
        return with_value(value - log_mean_exp(theirs.reshape(self.m, self.k, -1), 1).mean(), value)


@dataclass(frozen=True, repr=False)
class Renyi(Bound):
    """-mean_B 1/(1 - alpha) log 1/k sum_s w_s^(1 - alpha) (Li and Turner 2016, equation 14).

    alpha = 0 is IWAE, alpha -> 1 the ELBO; a negative alpha no longer bounds from below.
    """

    alpha: float = 0.5
    k: Count = 50

    def check(self) -> None:
        if not 0 <= self.alpha < 1:
            raise SpecError(f"Renyi.alpha is in [0, 1), not {self.alpha}; alpha = 1 is ELBO()")

    def __call__(self, trace: Trace, step: int) -> Tensor:
        share = 1 - self.alpha
        return -log_mean_exp(share * trace.log_w()).mean() / share


def terms_of(objective: Term | tuple[Term, ...], parts: Parts) -> tuple[Term, ...]:
    """The terms, each fitting the parts and one another, exactly one a bound; else SpecError."""
    terms = objective if isinstance(objective, tuple) else (objective,)
    bounds = [term for term in terms if term.is_bound]
    if len(bounds) != 1:
        found = " and ".join(map(repr, bounds)) or "none"
        raise SpecError(f"an objective needs exactly one bound, not {found}: keep one of them, or add ELBO()")
    for term in terms:
        term.fits(parts, [other for other in terms if other is not term])
    return terms
