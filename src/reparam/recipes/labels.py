"""Models with labels of all rows or of some."""

from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from ..estimator.vae import VAE
from ..families import Gaussian
from ..model.labels import Enumerated, Given
from ..nn.networks import MLP
from ..objectives import ELBO, CrossEntropy
from .base import PIXELS, PLAIN, Recipe, variant

LABELS: dict[str, Recipe] = {
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
}
