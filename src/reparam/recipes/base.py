"""A recipe, its source, and the plain VAE from which variants differ.

A variant takes only the objective, posterior, prior or likelihood of its paper: on images the networks are
those of Burda et al. (2016), two layers of 200 tanh units, and grey pixels are binarised again in each
batch, so that bounds can be compared.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..errors import SpecError
from ..estimator.vae import VAE
from ..families import Bernoulli, Family, Gaussian, Local, Shared, Sigmoid, Softplus
from ..nn.networks import MLP
from ..objectives import ELBO
from ..training.config import Training


@cache
def references() -> dict[str, str]:
    """The BibTeX entries of `references.bib` by key."""
    text = (files(__package__) / "references.bib").read_text(encoding="utf-8")
    return {key: entry for entry, key in re.findall(r"^(@\w+\{(.+?),$.*?^\})", text, re.M | re.S)}


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
NET = MLP((200, 200), "tanh")
PIXELS = Bernoulli(grey="sample")
ABOVE = Local(Softplus(floor=1e-4))
LEARNED = Gaussian(loc=Local(Sigmoid()), scale=Shared())


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
