"""The plain VAE with another prior or posterior: mixtures, flows, several layers, codes."""

from dataclasses import replace
from typing import Any

from ..families import (
    FSQ,
    IAF,
    MAF,
    VQ,
    AutoregressiveCodes,
    Flow,
    FullGaussian,
    Gaussian,
    GumbelSoftmax,
    LowRankGaussian,
    Mixture,
    Planar,
    PowerSpherical,
    Spline,
)
from ..model.priors import VampPrior
from ..nn.networks import MLP
from ..objectives import ELBO, Commitment
from .base import LEARNED, PLAIN, Recipe, low, variant


def hierarchical(key: str, expect: str, **parts: Any) -> Recipe:
    """Three stochastic layers with free bits against collapse; steps with large gradients are skipped."""
    steady = replace(PLAIN, clip=10.0, skip=1000.0, ema=0.999)
    free = ELBO(free_bits=1, free_per="layer")
    net = MLP((512, 256), "elu")
    return variant(key, expect, latent_dim=(8, 16, 32), encoder=net, objective=free, training=steady, **parts)


PRIORS_AND_POSTERIORS: dict[str, Recipe] = {
    "vampprior": variant(
        "tomczak2018vae", "a better likelihood than vae", encoder=MLP((200, 200)), prior=VampPrior(500)
    ),
    "mixture-prior": low("jiang2017variational", "clusters", prior=Mixture(Gaussian(), 10)),
    "flow-prior": variant(
        "chen2017variational", "a better likelihood than vae", prior=Flow(steps=(MAF((200,)), MAF((200,))))
    ),
    "iaf": variant("kingma2016improved", "a tighter bound", posterior=Flow(steps=(IAF((320,)), IAF((320,))))),
    "planar": variant("rezende2015variational", "a tighter bound", posterior=Flow(steps=(Planar(),) * 10)),
    "nsf": low("durkan2019neural", "a tighter bound", posterior=Flow(steps=(Spline((200,)), Spline((200,))))),
    "full-covariance": low("kingma2019introduction", "a tighter bound", posterior=FullGaussian()),
    "low-rank": variant("rezende2014stochastic", "a tighter bound", posterior=LowRankGaussian(2)),
    "hyperspherical": low("davidson2018hyperspherical", "good in few dimensions", posterior=PowerSpherical()),
}
LAYERS_AND_CODES: dict[str, Recipe] = {
    "ladder": hierarchical("sonderby2016ladder", "a better likelihood than vae"),
    "ladder-vamp": hierarchical("tomczak2018vae", "a better likelihood than ladder", prior=VampPrior(500)),
    "vq-vae": variant(
        "oord2017neural",
        "a rate in nats of codes",
        latent_dim=32,
        posterior=VQ(codes=64, size=4),
        objective=(ELBO(), Commitment()),
        then=AutoregressiveCodes((256,)),
    ),
    "fsq-vae": variant(
        "mentzer2024finite",
        "as vq-vae, no unused codes",
        latent_dim=16,
        posterior=FSQ((8, 8)),
        then=AutoregressiveCodes((256,)),
    ),
    "gumbel": variant("jang2017categorical", "choices", latent_dim=100, posterior=GumbelSoftmax(10)),
    # Stage two is here a flow, with a known density, instead of a second VAE.
    "two-stage": variant(
        "dai2019diagnosing",
        "better samples than vae's",
        latent_dim=32,
        likelihood=LEARNED,
        then=Flow(steps=(MAF((200,)), MAF((200,)), MAF((200,)))),
    ),
}
