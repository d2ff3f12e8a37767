"""Penalty terms beside the bound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..distributions import Atom, base_of, mean_of
from ..errors import SpecError
from ..model.config import ModelConfig
from ..model.trace import Trace
from ..specs.schedules import Now, Schedule, at
from .base import Term, needs_dimensions


@dataclass(frozen=True, repr=False)
class CrossEntropy(Term):
    """weight * mean_B -log softmax(logits)[y]: trains the classifier. Unlabelled rows contribute 0."""

    weight: Schedule = 1.0
    reads_z: ClassVar[bool] = False
    label: ClassVar[str] = "cross-entropy (weighted)"

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        if not config.labels.has_classifier:
            raise SpecError(
                f"CrossEntropy with labels={config.labels}: there is no classifier to train. "
                "Use labels=Auxiliary(classes), or leave CrossEntropy out"
            )

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        assert trace.logits is not None and trace.y is not None
        total = cross_entropy(trace.logits, trace.y, ignore_index=-1, reduction="sum")
        return total * (at(self.weight, step) / len(trace.y))


@dataclass(frozen=True, repr=False)
class PriorShare(Term):
    """mean_B (1 - beta) E_q log p(z), beta the fraction of observed cells of a row.

    `(ELBO(), PriorShare())` is the modified ELBO, E_q [sum_known log p(x_j|z) + beta log p(z) - log q(z|x)]
    negated (Xu et al. 2018, section 3.2): a window with missing cells is regularised less.
    """

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        if trace.mask is None:
            return trace.x.new_zeros(())
        missing = (~trace.mask).flatten(1).to(trace.x.dtype).mean(1)
        log_p = torch.stack([layer.p.log_prob(layer.z) for layer in trace.layers]).sum(0)
        return (missing * trace.average(log_p)).mean()


@dataclass(frozen=True, repr=False)
class L2(Term):
    """weight * sum theta^2 over the networks' weight matrices, biases left out."""

    weight: float = 1e-3
    reads_z: ClassVar[bool] = False

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        named = trace.model.named_parameters()
        squares = [p.square().sum() for name, p in named if name.endswith("weight") and p.dim() > 1]
        return self.weight * torch.stack(squares).sum()


def decomposition(trace: Trace, n_data: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """(mutual information, total correlation, dimension-wise KL), (B,) each; their sum is the rate.

    log q(z) by stratified sampling over the batch: of N rows of data, z_i's own has weight 1/N and each
    other of the batch (N - 1) / (N (B - 1)), so that q(z) is estimated without bias, and exactly where
    the batch is the data (Chen et al. 2018, appendix C.2, averaged over its choice of row). The top layer.
    N is `n_data`, by default the training set's.
    """
    z, q, p = trace.layers[0]
    assert q is not None
    z = z[0]
    n, batch = max(trace.n_data if n_data is None else n_data, len(z)), len(z)
    others = math.log((n - 1) / n) - math.log(max(batch - 1, 1)) if n > 1 else 0.0
    log_share = torch.full((batch, batch), others, dtype=z.dtype, device=z.device)
    log_share.fill_diagonal_(-math.log(n))
    cells = base_of(q).log_prob(z[:, None])  # (B, B, L): z_i under q(.|x_j)
    log_q, log_qz = q.log_prob(z), torch.logsumexp(cells.sum(-1) + log_share, 1)
    log_product = torch.logsumexp(cells + log_share[..., None], 1).sum(-1)
    return log_q - log_qz, log_qz - log_product, log_product - p.log_prob(z)


@dataclass(frozen=True, repr=False)
class TotalCorrelation(Term):
    """weight * KL(q(z) || prod_j q(z_j)), by stratified sampling over the batch.

    `(ELBO(), TotalCorrelation(beta - 1))` is the beta-TC-VAE (Chen et al. 2018, equation 4).
    """

    weight: Schedule = 5.0
    one_code: ClassVar[bool] = True
    label: ClassVar[str] = "total correlation (weighted)"

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        super().check_compatible(config, others)
        needs_dimensions(self, config, "Use FactorTC, whose critic needs no density")

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        return at(self.weight, step) * decomposition(trace)[1].mean()


@dataclass(frozen=True, repr=False)
class Decorrelation(Term):
    """weight * (off * sum_{i != j} C_ij^2 + diagonal * sum_i (C_ii - 1)^2), C the codes' covariance.

    `of="means"` is DIP-VAE-I, `of="samples"` adds q's mean covariance: DIP-VAE-II (Kumar et al. 2018).
    """

    off: float = 10.0
    diagonal: float = 100.0
    of: Literal["means", "samples"] = "means"
    one_code: ClassVar[bool] = True

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        q = trace.layers[0].q
        assert q is not None
        mu = mean_of(q)
        centred = mu - mu.mean(0)
        covariance = centred.T @ centred / len(mu)
        if self.of == "samples":
            covariance = covariance + torch.diag(q.variance.mean(0))
        diagonal = covariance.diagonal()
        off = covariance.square().sum() - diagonal.square().sum()
        return self.off * off + self.diagonal * (diagonal - 1).square().sum()

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        super().check_compatible(config, others)
        if self.of == "samples":
            needs_dimensions(self, config, "Use of='means'")


@dataclass(frozen=True, repr=False)
class MMD(Term):
    """weight * the unbiased squared maximum mean discrepancy between codes and draws of the prior.

    `kernel="imq"`: sum_s 2 L s / (2 L s + |a - b|^2), s = 0.1 ... 10 (WAE, Tolstikhin et al. 2018);
    `"rbf"`: exp(-|a - b|^2 / L) (InfoVAE, Zhao et al. 2019).
    """

    weight: float = 10.0
    kernel: Literal["imq", "rbf"] = "imq"
    one_code: ClassVar[bool] = True
    label: ClassVar[str] = "maximum mean discrepancy (weighted)"
    unit: ClassVar[str] = "no unit"

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """k(a_i, b_j) of codes a (n, L) and b (m, L), (n, m)."""
        distance = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
        L = a.shape[-1]
        if self.kernel == "rbf":
            return (-distance / L).exp()
        widths = [2 * L * s for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]
        return torch.stack([c / (c + distance) for c in widths]).sum(0)

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        layer = trace.layers[0]
        z, n = layer.z[0], len(layer.z[0])
        if n < 2:
            return self.weight * z.sum() * 0
        drawn = layer.p.sample(torch.Size((n,)))
        within = [self.similarity(t, t) for t in (z, drawn)]
        pairs = n * (n - 1)
        own = sum((k.sum() - k.diagonal().sum() for k in within), start=z.new_zeros(())) / pairs
        return self.weight * (own - 2 * self.similarity(z, drawn).mean())


@dataclass(frozen=True, repr=False)
class LatentNorm(Term):
    """weight * mean_B |z|^2 / 2 (RAE, Ghosh et al. 2020, equation 9)."""

    weight: float = 1.0

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        return self.weight * sum(
            (trace.average(layer.z.square().sum(-1)).mean() / 2 for layer in trace.layers),
            start=trace.x.new_zeros(()),
        )


@dataclass(frozen=True, repr=False)
class Commitment(Term):
    """weight * mean_B |h - sg(e)|^2: keeps the encoder's h near its codebook rows e, which get no gradient
    (van den Oord et al. 2017, the last term of equation 3)."""

    weight: Schedule = 0.25

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        if not config.posterior.learns_codebook:
            raise SpecError(
                f"{self} with posterior={config.posterior}: there is no codebook. "
                "Use posterior=VQ(), or leave Commitment out"
            )

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        z, q, _ = trace.layers[0]
        atom = cast(Atom, q)
        distance = (atom.before - atom.after).square().sum(-1).expand(z.shape[:2])
        return at(self.weight, step) * trace.average(distance).mean()


@dataclass(frozen=True, repr=False)
class GradientPenalty(Term):
    """weight * mean_B |d mean(x|z) / dz|_F^2, by one random +-1 vector per row (RAE-GP, Ghosh et al. 2020).

    Hutchinson's estimator: E |v' J|^2 = |J|_F^2.
    """

    weight: float = 1e-3

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        mean = mean_of(trace.px)
        if not mean.requires_grad:
            family = trace.model.config.likelihood
            raise SpecError(
                f"{self} with likelihood={family}: its point prediction has no gradient in z. Use LatentNorm"
            )
        v = torch.randint(0, 2, mean.shape, device=mean.device).to(mean.dtype) * 2 - 1
        zs = [layer.z for layer in trace.layers]
        gradients = torch.autograd.grad((v * mean).sum(), zs, create_graph=True)
        each = torch.stack([trace.average(g.square().sum(-1)).mean() for g in gradients])
        return self.weight * each.sum()
