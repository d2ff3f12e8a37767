"""Models of articles and books that teach, whole: networks, likelihood and training are theirs.

Where the text of an article and its equations differ, the equations are used, and the recipe says so.
"""

from dataclasses import replace
from typing import Any

from ..estimator.vae import VAE
from ..families import Bernoulli, Fixed, Gaussian, Local, LogVariance, Point, Sigmoid
from ..model.labels import Auxiliary, Given
from ..nn.networks import MLP, Conv
from ..objectives import ELBO, CrossEntropy
from ..training.config import Adam, RMSprop
from .base import PLAIN, Recipe

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
