"""An evaluation in two sentences.

>>> from reparam.evaluation.evaluate import Estimate
>>> result = Evaluation(
...     n=360, k=100, log_likelihood=Estimate(2.9, 0.1), bits_per_dim=None, elbo=2.8, rate=1.0,
...     distortion=-3.8, active_units=2, ess=90.0, accuracy=None, warnings=(), rate_by_dimension=(0.6, 0.4),
...     active_by_kl=2)
>>> for sentence in summary(result, latent_dim=2):
...     print(sentence)
On 360 rows the mean log-likelihood is 2.90 ± 0.10 nats per datum, the importance-weighted bound of 100
samples and its standard error.
All 2 latent dimensions are active, with a KL of 1.00 nats per datum; no warning applies.
"""

import re

from ..evaluation.evaluate import Evaluation
from .style import with_minus

LONGEST = 90  # the most letters of a warning that a summary repeats


def summary(result: Evaluation, latent_dim: int) -> tuple[str, str]:
    """How well the model fits, and how it uses its latent or what is wrong."""
    return _fit(result), f"{_latent(result, latent_dim)}{_wrong(result)}."


def _fit(result: Evaluation) -> str:
    rows = f"{result.n:,} row{'s' * (result.n != 1)}"
    if result.log_likelihood is None:
        distortion = with_minus(f"{result.distortion:.2f}")
        return (
            f"On {rows} the mean reconstruction term is {distortion} nats per datum; the posterior is a "
            "point, so there is no log-likelihood."
        )
    value, samples = with_minus(str(result.log_likelihood)), f"{result.k} sample{'s' * (result.k != 1)}"
    error = " and its standard error" if result.log_likelihood.se is not None else ""
    return (
        f"On {rows} the mean log-likelihood is {value} nats per datum, the importance-weighted bound of "
        f"{samples}{error}."
    )


def _latent(result: Evaluation, latent_dim: int) -> str:
    if not latent_dim:
        return "The model has no latent"
    if result.rate is not None and result.rate_by_dimension is None:
        return f"The KL of the latent is {result.rate:.2f} nats per datum"
    active = result.active_units if result.active_by_kl is None else result.active_by_kl
    size = len(result.rate_by_dimension or ()) or latent_dim
    who = f"{'All' if active == size else f'{active} of'} {size}" if active else f"None of the {size}"
    words = f"{who} latent dimensions {'are' if active > 1 else 'is'} active"
    if size == 1:
        words = f"The one latent dimension is {'' if active else 'not '}active"
    return words + ("" if result.rate is None else f", with a KL of {result.rate:.2f} nats per datum")


def _wrong(result: Evaluation) -> str:
    heads = [head for head in map(headline, result.warnings) if len(head) <= LONGEST]
    if not result.warnings:
        return "; no warning applies"
    count = "one warning" if len(result.warnings) == 1 else f"{len(result.warnings)} warnings"
    return f"; {count}" + (f": {' and '.join(heads[:2])}" if heads else "")


def headline(warning: str) -> str:
    """What is wrong, without its explanation and correction.

    >>> headline("posterior collapse: KL is 0.02 nats per datum. Warm the KL up")
    'posterior collapse'
    """
    return re.split(r"[:;(]|\. ", warning)[0].strip()
