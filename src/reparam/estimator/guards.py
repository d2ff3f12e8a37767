"""What a method of `VAE` needs, and what is left of a fit that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator


def has_classifier(vae: Any) -> bool:
    labels = getattr(vae, "labels_", vae.labels)
    if labels is not None and labels.has_classifier:
        return True
    raise AttributeError("predict needs a classifier: fit with labels=Auxiliary(classes) or Enumerated")


@contextmanager
def restored_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """If the body raises, the estimator is left as it was."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
