"""Published VAEs, one expression each. The table is also what the tests run.

Where an article's text and its mathematics differ the mathematics wins, and the recipe says so.
"""

import difflib
from dataclasses import dataclass
from typing import Any

from .errors import SpecError
from .estimator import VAE
from .families import (
    Bernoulli,
    Fixed,
    Gaussian,
    Local,
    LogVariance,
    NegativeBinomial,
    Point,
    Share,
    Sigmoid,
    Softplus,
    ZeroInflated,
)
from .labels import Auxiliary, Given
from .networks import MLP, Conv
from .objective import ELBO
from .penalties import L2, CrossEntropy, PriorShare
from .train import Adam, Decay, RMSprop, Training


@dataclass(frozen=True)
class Recipe:
    """A model with its source. `rows`: train on so many first rows, each a class of its own."""

    vae: VAE
    about: str
    source: str
    data: str
    expect: str
    bibtex: str
    rows: int | None = None

    def arguments(self) -> dict[str, Any]:
        return dict(self.vae.get_params(deep=False))


def _misc(key: str, author: str, title: str, year: int, note: str) -> str:
    fields = {"author": author, "title": title, "year": year, "note": note}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}"


_ZELDES = _misc(
    "zeldes2018vae", "Zeldes, Yoel", "Variational Autoencoders Explained in Detail", 2018, "Another Datum"
)
_GERON = """@book{geron2017handson,
  author = {Géron, Aurélien},
  title = {Hands-On Machine Learning with Scikit-Learn and TensorFlow},
  publisher = {O'Reilly},
  year = {2017},
  note = {Chapter 15, figure 15-11}
}"""
_GUO = _misc(
    "guo2020vae",
    "Guo, Kevin Y.",
    "Variational Autoencoders: An Intuitive Explanation & Some Keras Code",
    2020,
    "Medium",
)
_FRANS = _misc("frans2016vae", "Frans, Kevin", "Variational Autoencoders Explained", 2016, "kvfrans.com")
_XU = """@inproceedings{xu2018donut,
  author = {Xu, Haowen and Chen, Wenxiao and Zhao, Nengwen and Li, Zeyan and Bu, Jiahao and Li, Zhihan
            and Liu, Ying and Zhao, Youjian and Pei, Dan and Feng, Yang and Chen, Jie and Wang, Zhaogang
            and Qiao, Honglin},
  title = {Unsupervised Anomaly Detection via Variational Auto-Encoder for Seasonal KPIs in Web Applications},
  booktitle = {Proceedings of the 2018 World Wide Web Conference},
  year = {2018},
  doi = {10.1145/3178876.3185996}
}"""
_LOPEZ = """@article{lopez2018deep,
  author = {Lopez, Romain and Regier, Jeffrey and Cole, Michael B. and Jordan, Michael I. and Yosef, Nir},
  title = {Deep generative modeling for single-cell transcriptomics},
  journal = {Nature Methods},
  volume = {15},
  number = {12},
  pages = {1053--1058},
  year = {2018},
  doi = {10.1038/s41592-018-0229-2}
}"""
_ABOVE = Local(Softplus(floor=1e-4))
_SUM_OF_SQUARES = Gaussian(loc=Local(Sigmoid()), scale=Fixed(0.5**0.5))
_FRANS_NET = Conv((16, 32), kernel=5, hidden=())

RECIPES: dict[str, Recipe] = {
    "zeldes": Recipe(
        VAE(
            latent_dim=10,
            encoder=MLP((128,), "sigmoid"),
            posterior=Gaussian(scale=Local(LogVariance(floor=1e-5))),
            likelihood=Gaussian(loc=Local(Sigmoid()), scale=Fixed(0.5)),
            labels=Auxiliary(10, network=MLP((128,), "sigmoid")),
            objective=(ELBO(), CrossEntropy(10)),
            training=Training(epochs=20, batch_size=100, learning_rate=1e-3, optimiser=Adam()),
        ),
        about="label-aware: a classifier's softmax joins z, so the digit to draw can be chosen",
        source="Y. Zeldes, Variational Autoencoders Explained in Detail (2018)",
        data="mnist",
        expect="test accuracy about 96 %; ten recognisable digits from any z",
        bibtex=_ZELDES,
    ),
    "geron": Recipe(
        VAE(
            latent_dim=20,
            encoder=MLP((500, 500), "elu", "he"),
            posterior=Gaussian(scale=Local(LogVariance())),
            likelihood=Bernoulli(grey="expected"),
            training=Training(epochs=50, batch_size=150, learning_rate=1e-3, optimiser=Adam()),
        ),
        about="500-500-20 with sigmoid cross-entropy on grey pixels; gamma = log sigma^2",
        source="A. Géron, Hands-On Machine Learning with Scikit-Learn and TensorFlow (2017), chapter 15",
        data="mnist",
        expect="60 new digits, most of them convincing",
        bibtex=_GERON,
    ),
    # The article takes cross-entropy of pixels scaled to [-1, 1], samples with exp(log sigma) where its
    # KL reads a log-variance, averages the KL over dimensions (beta = 1/2) and plots with an undefined n.
    # Here: pixels in [0, 1], one log-variance, the KL summed, n = 15.
    "guo": Recipe(
        VAE(
            latent_dim=2,
            encoder=MLP((256,), "relu"),
            likelihood=Bernoulli(grey="expected"),
            training=Training(epochs=200, batch_size=100, optimiser=RMSprop(alpha=0.9, eps=1e-7)),
        ),
        about="two latent dimensions: the plane of digits and its 15 x 15 manifold. Corrected against the "
        "article: pixels in [0, 1] not [-1, 1], one meaning for log sigma, KL summed not averaged, n = 15",
        source="K. Y. Guo, Variational Autoencoders: An Intuitive Explanation & Some Keras Code (2020)",
        data="mnist",
        expect="classes apart in the plane; 10-nearest-neighbour accuracy above 0.65",
        bibtex=_GUO,
    ),
    "frans-memory": Recipe(
        VAE(
            latent_dim=0,
            encoder=_FRANS_NET,
            likelihood=_SUM_OF_SQUARES,
            labels=Given(1),
            training=Training(epochs=400),
        ),
        about="step 1: one image memorised from a constant input through the deconvolutions",
        source="K. Frans, Variational Autoencoders Explained (2016)",
        data="mnist",
        expect="the image",
        bibtex=_FRANS,
        rows=1,
    ),
    "frans-codes": Recipe(
        VAE(
            latent_dim=0,
            encoder=_FRANS_NET,
            likelihood=_SUM_OF_SQUARES,
            labels=Given(4),
            training=Training(epochs=600),
        ),
        about="step 2: four images from one-hot codes; Given(4, codes=...) takes real numbers chosen by hand",
        source="K. Frans, Variational Autoencoders Explained (2016)",
        data="mnist",
        expect="the four images",
        bibtex=_FRANS,
        rows=4,
    ),
    "frans-autoencoder": Recipe(
        VAE(
            latent_dim=20,
            encoder=_FRANS_NET,
            posterior=Point(),
            likelihood=_SUM_OF_SQUARES,
            objective=ELBO(beta=0),
            training=Training(epochs=10, batch_size=100),
        ),
        about="step 3: the encoder chooses the codes; they rebuild the images, drawn codes give no digits",
        source="K. Frans, Variational Autoencoders Explained (2016)",
        data="mnist",
        expect="sharp reconstructions, poor samples",
        bibtex=_FRANS,
    ),
    # The article's mean over 784 pixels beside a summed KL is a Gaussian with sigma^2 = 392: the KL all
    # but wins and the latent collapses. The sum of squares is sigma^2 = 1/2.
    "frans": Recipe(
        VAE(
            latent_dim=20,
            encoder=_FRANS_NET,
            likelihood=_SUM_OF_SQUARES,
            training=Training(epochs=10, batch_size=100),
        ),
        about="step 4: the convolutional VAE, squared error summed over pixels (the article's mean is "
        "sigma^2 = 392 and all but collapses)",
        source="K. Frans, Variational Autoencoders Explained (2016)",
        data="mnist",
        expect="samples that look like digits",
        bibtex=_FRANS,
    ),
    # The article weighs the hidden layers alone in its L2 and does not tell the encoder which points are
    # missing; here all matrices count, and a mask stands beside the window.
    "donut": Recipe(
        VAE(
            latent_dim=3,
            window=120,
            encoder=MLP((100, 100)),
            posterior=Gaussian(scale=_ABOVE),
            likelihood=Gaussian(scale=_ABOVE),
            objective=(ELBO(), PriorShare(), L2(1e-3)),
            training=Training(epochs=250, batch_size=256, decay=Decay(0.75, 10), clip=10.0, missing=0.01),
        ),
        about="anomalies of a seasonal time series: windows of 120, the modified ELBO over the known",
        source="H. Xu et al., Unsupervised Anomaly Detection via Variational Auto-Encoder for Seasonal KPIs "
        "in Web Applications (2018)",
        data="a .csv with the columns timestamp and value",
        expect="best F1 with segments adjusted 0.75 to 0.9",
        bibtex=_XU,
    ),
    # The article also draws the total and tells the decoder the batch of a cell; as in later versions of
    # its software the total is the observed one, and labels=Given(batches) tells the batch.
    "scvi": Recipe(
        VAE(
            latent_dim=10,
            encoder=MLP((128,)),
            likelihood=ZeroInflated(NegativeBinomial(mean=Local(Share()))),
            training=Training(epochs=400, batch_size=128),
        ),
        about="counts of genes in single cells: zero-inflated, negative binomial, given a cell's total",
        source="R. Lopez et al., Deep generative modeling for single-cell transcriptomics (2018)",
        data="a sparse matrix of counts, .npz or .h5ad",
        expect="cell types apart in the latent space",
        bibtex=_LOPEZ,
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of that name, or a SpecError with the nearest one."""
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name, RECIPES, 1)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(RECIPES)}"
    raise SpecError(f"no recipe is called {name!r}; {hint}")
