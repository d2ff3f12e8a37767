"""Published VAEs, one expression each. The tests run the same table.

Where the text of an article and its equations differ, the equations are used, and the recipe says so. A
variant takes only the objective, posterior, prior or likelihood of its paper: on images the networks are
those of Burda et al. (2016), two layers of 200 tanh units, and grey pixels are binarised again in each
batch, so that bounds can be compared.
"""

import difflib
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from sklearn.base import clone
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from ..errors import SpecError
from ..estimator.vae import VAE
from ..families import (
    FSQ,
    IAF,
    MAF,
    VQ,
    AutoregressiveCodes,
    Bernoulli,
    DiscretizedLogistic,
    Family,
    Fixed,
    Flow,
    FullGaussian,
    Gaussian,
    GumbelSoftmax,
    Local,
    LogVariance,
    LowRankGaussian,
    Mixture,
    NegativeBinomial,
    Planar,
    Point,
    PowerSpherical,
    Share,
    Shared,
    Sigmoid,
    Softplus,
    Spline,
    StudentT,
    ZeroInflated,
)
from ..model.covariates import Category
from ..model.labels import Auxiliary, Covariates, Enumerated, Given
from ..model.priors import VampPrior
from ..nn.networks import MLP, Conv
from ..objectives import (
    CIWAE,
    ELBO,
    IWAE,
    L2,
    MIWAE,
    MMD,
    PIWAE,
    Commitment,
    CrossEntropy,
    Decorrelation,
    FactorTC,
    GradientPenalty,
    LatentCritic,
    LatentNorm,
    PriorShare,
    Renyi,
    TotalCorrelation,
)
from ..specs.schedules import Linear
from ..training.config import Adam, Decay, RMSprop, Training


@cache
def references() -> dict[str, str]:
    """The BibTeX entries of `references.bib` by key."""
    text = (files(__package__) / "references.bib").read_text(encoding="utf-8")
    return {key: entry for entry, key in re.findall(r"^(@\w+\{(.+?),$.*?^\})", text, re.M | re.S)}


def citation(name: str | None) -> str:
    """The BibTeX entries for a recipe, or for a model of none: its article and that of the VAE."""
    keys = [RECIPES[name].key] if name in RECIPES else []
    return "\n\n".join(references()[key] for key in dict.fromkeys([*keys, "kingma2014auto"]))


@dataclass(frozen=True)
class Recipe:
    """A model with its source, `key` in references.bib.

    `rows`: train on that many first rows, each its own class; `then`: the prior fitted to the codes
    afterwards. A recipe with two steps is a Pipeline.
    """

    model: VAE | Pipeline
    about: str
    key: str
    expect: str
    data: str = "mnist"
    rows: int | None = None
    then: Family | None = None

    @property
    def bibtex(self) -> str:
        """The entry of its source."""
        return references()[self.key]

    @property
    def source(self) -> str:
        """Authors, title and year."""
        field = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", self.bibtex, re.M))
        names = [name.split(",")[0] for name in field["author"].split(" and ")]
        who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        return f"{who} ({field['year']}), {re.sub('[{}]', '', field['title'])}"

    def arguments(self) -> dict[str, Any]:
        """The arguments of the model; SpecError for a recipe with two steps."""
        if isinstance(self.model, Pipeline):
            raise SpecError(f"{self.about}: two steps, only in Python: recipe(...).fit(X, y)")
        return dict(self.model.get_params(deep=False))

    def fit(self, X: Any, y: Any = None) -> Any:
        """A new model, fitted to X; labels y where the model uses them."""
        model = clone(self.model).fit(X, y)
        return model if self.then is None else model.refit_prior(X, self.then, y)


PLAIN = Training(learning_rate=1e-3, clip=None, ema=None, missing=0.0)
"""A constant rate, neither gradients clipped nor weights averaged, as most articles train."""
_FRANS: dict[str, Any] = {
    "encoder": Conv((16, 32), kernel=5, hidden=()),
    "likelihood": Gaussian(loc=Local(Sigmoid()), scale=Fixed(0.5**0.5)),
}
"""The article's network, and the sum of squares: sigma^2 = 1/2."""
ARTICLES: dict[str, Recipe] = {
    "zeldes": Recipe(
        VAE(
            latent_dim=10,
            encoder=MLP((128,), "sigmoid"),
            posterior=Gaussian(scale=Local(LogVariance(floor=1e-5))),
            likelihood=Gaussian(loc=Local(Sigmoid()), scale=Fixed(0.5)),
            labels=Auxiliary(10, network=MLP((128,), "sigmoid")),
            objective=(ELBO(), CrossEntropy(10)),
            training=replace(PLAIN, epochs=20, batch_size=100, optimiser=Adam()),
        ),
        about="label-aware: a classifier's softmax joins z, so the digit to sample can be chosen",
        expect="test accuracy about 96 %; ten recognisable digits from any z",
        key="zeldes2018vae",
    ),
    "geron": Recipe(
        VAE(
            latent_dim=20,
            encoder=MLP((500, 500), "elu", "he"),
            posterior=Gaussian(scale=Local(LogVariance())),
            likelihood=Bernoulli(grey="expected"),
            objective=ELBO(),
            training=replace(PLAIN, epochs=50, batch_size=150, optimiser=Adam()),
        ),
        about="500-500-20 with sigmoid cross-entropy on grey pixels; gamma = log sigma^2",
        expect="60 new digits, most of them realistic",
        key="geron2017handson",
    ),
    # The article takes cross-entropy of pixels scaled to [-1, 1], samples with exp(log sigma) where its
    # KL reads a log-variance, averages the KL over dimensions (beta = 1/2) and plots with an undefined n.
    "guo": Recipe(
        VAE(
            latent_dim=2,
            encoder=MLP((256,), "relu"),
            likelihood=Bernoulli(grey="expected"),
            objective=ELBO(),
            training=replace(PLAIN, epochs=200, batch_size=100, optimiser=RMSprop(alpha=0.9, eps=1e-7)),
        ),
        about="two latent dimensions: the plane of digits and its 15 x 15 manifold. Corrected against the "
        "article: pixels in [0, 1] not [-1, 1], one meaning for log sigma, KL summed not averaged, n = 15",
        expect="classes separated in the plane; 10-nearest-neighbour accuracy above 0.65",
        key="guo2020vae",
    ),
    "frans-memory": Recipe(
        VAE(latent_dim=0, labels=Given(1), objective=ELBO(), training=replace(PLAIN, epochs=400), **_FRANS),
        about="step 1: one image memorised from a constant input by the transposed convolutions",
        expect="the image",
        key="frans2016vae",
        rows=1,
    ),
    "frans-codes": Recipe(
        VAE(latent_dim=0, labels=Given(4), objective=ELBO(), training=replace(PLAIN, epochs=600), **_FRANS),
        about="step 2: four images from one-hot codes; Given(4, codes=...) takes given real numbers",
        expect="the four images",
        key="frans2016vae",
        rows=4,
    ),
    "frans-autoencoder": Recipe(
        VAE(
            latent_dim=20,
            posterior=Point(),
            objective=ELBO(beta=0),
            training=replace(PLAIN, epochs=10, batch_size=100),
            **_FRANS,
        ),
        about="step 3: an autoencoder; it reconstructs the images, random codes give no digits",
        expect="sharp reconstructions, poor samples",
        key="frans2016vae",
    ),
    "frans": Recipe(
        VAE(
            latent_dim=20,
            objective=ELBO(),
            training=replace(PLAIN, epochs=10, batch_size=100),
            **_FRANS,
        ),
        about="step 4: the convolutional VAE, squared error summed over pixels (the article's mean is "
        "sigma^2 = 392 and nearly collapses)",
        expect="samples that look like digits",
        key="frans2016vae",
    ),
}
NET = MLP((200, 200), "tanh")
PIXELS = Bernoulli(grey="sample")
ABOVE = Local(Softplus(floor=1e-4))
LEARNED = Gaussian(loc=Local(Sigmoid()), scale=Shared())


SINGLE_CELLS: dict[str, Any] = {
    "encoder": MLP((128,)),
    "likelihood": ZeroInflated(NegativeBinomial(mean=Local(Share()))),
    "training": replace(PLAIN, epochs=400, batch_size=128),
}
TABLE: dict[str, Any] = {"encoder": MLP((128, 128)), "likelihood": None, "objective": IWAE(5)}


def variant(
    key: str, expect: str, *, about: str = "", data: str = "mnist", then: Family | None = None, **parts: Any
) -> Recipe:
    """The plain VAE except for `parts`."""
    usual: dict[str, Any] = {
        "latent_dim": 50,
        "encoder": NET,
        "likelihood": PIXELS,
        "objective": ELBO(),
        "training": PLAIN,
    }
    return Recipe(VAE(**(usual | parts)), about, key, expect, data, then=then)


def low(key: str, expect: str, **parts: Any) -> Recipe:
    """The same with ten latent dimensions."""
    return variant(key, expect, **({"latent_dim": 10} | parts))


def hierarchical(key: str, expect: str, **parts: Any) -> Recipe:
    """Three stochastic layers with free bits against collapse; steps with large gradients are skipped."""
    steady = replace(PLAIN, clip=10.0, skip=1000.0, ema=0.999)
    free = ELBO(free_bits=1, free_per="layer")
    net = MLP((512, 256), "elu")
    return variant(key, expect, latent_dim=(8, 16, 32), encoder=net, objective=free, training=steady, **parts)


VARIANTS: dict[str, Recipe] = {
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
    "cvae": variant("sohn2015learning", "samples of a given digit", labels=Given(10)),
    "m1": Recipe(
        make_pipeline(
            VAE(50, encoder=MLP((500, 500)), likelihood=PIXELS, objective=ELBO(), training=PLAIN),
            SelfTrainingClassifier(LogisticRegression(max_iter=1000), max_iter=0),
        ),
        "a classifier on the codes of a VAE trained without labels; -1 where there is none",
        "kingma2014semi",
        "good accuracy with few labels",
    ),
    "m2": variant(
        "kingma2014semi",
        "labels where known, -1 elsewhere: far fewer errors than the classifier alone",
        labels=Enumerated(10, MLP((500,))),
        objective=(ELBO(), CrossEntropy(10)),
    ),
    "m1m2": Recipe(
        make_pipeline(
            VAE(50, encoder=MLP((500, 500)), likelihood=PIXELS, objective=ELBO(), training=PLAIN),
            VarianceThreshold(0.01),
            VAE(
                10,
                likelihood=Gaussian(),
                labels=Enumerated(10),
                objective=(ELBO(), CrossEntropy(10)),
                training=PLAIN,
            ),
        ),
        "m2 on the active codes of a VAE trained without labels",
        "kingma2014semi",
        "fewer errors than m2",
    ),
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
    "pixel-vae": variant(
        "salimans2017pixelcnn",
        "bits per dimension that can be compared",
        data="images of whole numbers 0 to 255",
        latent_dim=64,
        encoder=Conv(),
        likelihood=DiscretizedLogistic(components=3),
    ),
    "missing-iwae": low(
        "mattei2019miwae",
        "better imputations than regression's",
        data="a table of real numbers with missing cells",
        encoder=MLP((128, 128), "tanh"),
        likelihood=StudentT(scale=Local()),
        objective=IWAE(20),
    ),
    # The article uses L2 on hidden layers only and gives the encoder no mask of missing points; here L2 is
    # on all matrices, and the encoder reads a mask.
    "donut": variant(
        "xu2018donut",
        "anomalies of a seasonal time series: best F1 with segments adjusted 0.69 to 0.98",
        data="a .csv with the columns timestamp and value",
        latent_dim=3,
        window=120,
        encoder=MLP((100, 100)),
        posterior=Gaussian(scale=ABOVE),
        likelihood=Gaussian(scale=ABOVE),
        objective=(ELBO(), PriorShare(), L2(1e-3)),
        training=replace(PLAIN, epochs=250, batch_size=256, decay=Decay(0.75, 10), clip=10.0, missing=0.01),
    ),
    # The article also models the total; here, as in later versions of its software, it is the observed one.
    "scvi": low(
        "lopez2018deep",
        "cell types separated in the latent space",
        about="counts of genes: zero-inflated negative binomial, given the cell's total",
        data="a sparse matrix of counts, .npz or .h5ad",
        **SINGLE_CELLS,
    ),
    "scvi-batch": low(
        "lopez2018deep",
        "cell types separated in the latent space, batches mixed",
        about="scvi with batch correction: encoder and decoder see a cell's batch, the code need not hold it",
        data="counts and the batch of each cell: an .h5ad with obs['batch'], or y in Python",
        labels=Covariates((Category("batch"),)),
        **SINGLE_CELLS,
    ),
    "mixed-table": low(
        "nazabal2020handling",
        "samples, scores and imputations",
        about="a likelihood for each column, missing cells left out",
        data="a table",
        **TABLE,
    ),
    # The article's prior p(z | y) is a network; here p(z) does not depend on y.
    "conditional-table": low(
        "sohn2015learning",
        "samples, scores and imputations of rows with given covariates",
        about="mixed-table given some of its columns: p(x | age, sex)",
        data="a table; --given-columns names the covariates",
        labels=Covariates(),
        **TABLE,
    ),
}
RECIPES = ARTICLES | VARIANTS
"""Every recipe by its name."""


def recipe(name: str) -> Recipe:
    """The recipe of that name, with a new model; SpecError with the nearest name if there is none."""
    if name in RECIPES:
        return replace(RECIPES[name], model=clone(RECIPES[name].model))
    near = difflib.get_close_matches(name, RECIPES, 1)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(RECIPES)}"
    raise SpecError(f"unknown recipe {name!r}; {hint}")
