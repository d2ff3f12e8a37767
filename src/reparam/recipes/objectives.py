"""The plain VAE with another objective: bounds, penalties, critics."""

from ..families import FullGaussian, Mixture, Point
from ..objectives import (
    CIWAE,
    ELBO,
    IWAE,
    MIWAE,
    MMD,
    PIWAE,
    Decorrelation,
    FactorTC,
    GradientPenalty,
    LatentCritic,
    LatentNorm,
    Renyi,
    TotalCorrelation,
)
from ..specs.schedules import Linear
from .base import LEARNED, Recipe, low, variant

OBJECTIVES: dict[str, Recipe] = {
    "vae": variant("kingma2014auto", "the baseline"),
    "ae": variant("hinton2006reducing", "sharp, poor samples", posterior=Point(), objective=ELBO(beta=0)),
    "beta-vae": low("higgins2017beta", "a lower rate, fewer active units", objective=ELBO(beta=4)),
    "annealed": variant("bowman2016generating", "more units", objective=ELBO(beta=Linear(0, 1, 5_000))),
    "capacity": low(
        "burgess2018understanding", "a rate of 25", objective=ELBO(beta=100, capacity=Linear(0, 25, 10_000))
    ),
    "free-bits": variant("kingma2016improved", "all units active", objective=ELBO(free_bits=0.1)),
    "stl": variant("roeder2017sticking", "as vae, steadier gradients", objective=ELBO(gradient="path")),
    "sigma-vae": variant("rybkin2021simple", "no beta to tune", likelihood=LEARNED),
    "iwae": variant("burda2016importance", "a better likelihood than vae", objective=IWAE(50)),
    "dreg": variant("tucker2019doubly", "as iwae or better", objective=IWAE(50, gradient="dreg")),
    "multiply-iwae": variant("rainforth2018tighter", "between vae and iwae", objective=MIWAE(m=8, k=8)),
    "ciwae": variant("rainforth2018tighter", "between vae and iwae", objective=CIWAE(k=64, beta=0.5)),
    "piwae": variant("rainforth2018tighter", "as iwae, a better encoder", objective=PIWAE(m=8, k=8)),
    "renyi": variant("li2016renyi", "between vae and iwae", objective=Renyi(alpha=0.5, k=50)),
    "beta-tc": low("chen2018isolating", "latents less dependent", objective=(ELBO(), TotalCorrelation(5))),
    "factor": low("kim2018disentangling", "latents less dependent", objective=(ELBO(), FactorTC(10))),
    "dip": low("kumar2018variational", "uncorrelated latents", objective=(ELBO(), Decorrelation())),
    "infovae": low("zhao2019infovae", "more information", objective=(ELBO(beta=0), MMD(100, kernel="rbf"))),
    "wae": low("tolstikhin2018wasserstein", "sharper", posterior=Point(), objective=(ELBO(beta=0), MMD(100))),
    "aae": low(
        "makhzani2015adversarial", "sharper", posterior=Point(), objective=(ELBO(beta=0), LatentCritic(10))
    ),
    "rae": low(
        "ghosh2020from",
        "samples as good as vae's",
        posterior=Point(),
        objective=(ELBO(beta=0), LatentNorm(0.1), GradientPenalty(1e-3)),
        then=Mixture(FullGaussian(), 10),
    ),
}
