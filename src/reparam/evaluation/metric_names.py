"""The metrics of an evaluation by name, with their units."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .draw_quality import DrawQuality
    from .evaluate import Evaluation

UNITS = {"bits_per_dim": "bits", "ess": "of k", "prior_auc": "AUC"}
UNSHOWN = {"n", "k", "warnings", "bound_by_k", "log_likelihood_by_row"}
TITLES = {
    "log_likelihood": "log-likelihood",
    "bits_per_dim": "bits per dimension",
    "elbo": "ELBO",
    "rate": "KL (rate)",
    "distortion": "reconstruction (distortion)",
    "ess": "effective sample size",
    "pareto_k": "Pareto k",
    "rate_by_layer": "KL by layer",
    "rate_by_dimension": "KL by latent dimension",
    "active_by_kl": "active units by KL",
    "aggregate_kl": "KL of aggregate posterior and prior",
    "prior_auc": "AUC, aggregate posterior against prior",
    "distortion_by_column": "reconstruction by column",
    "ais": "annealed importance sampling",
}
PLAIN = {"n", "k", "active_units", "active_by_kl", "accuracy", "calibration_error", "pareto_k"}


def table(result: "Evaluation") -> Iterator[tuple[str, str, str]]:
    """(name, value, unit) of every metric that is defined."""
    for _, name, value, unit in named(result):
        yield name, value, unit


def named(result: "Evaluation") -> Iterator[tuple[str, str, str, str]]:
    """(key, name, value, unit) of every metric that is defined."""
    for key, value in asdict(result).items():
        if value is None or key in UNSHOWN:
            continue
        unit = unit_of(key)
        if key == "log_likelihood":
            shown = str(result.log_likelihood)
        elif isinstance(value, dict):
            shown = ", ".join(f"{k} {number(each)}" for k, each in value.items() if each is not None)
        elif isinstance(value, tuple):
            shown = ", ".join(f"{each:.2f}" for each in value)
        else:
            shown = f"{value:.2f}" if unit == "nats" else number(value)
        yield key, title_of(key), shown, unit


def of_draws(found: "DrawQuality") -> Iterator[tuple[str, str, str]]:
    """(name, value, what is best) of the figures of drawn rows."""
    yield "likeness of columns", f"{found.shape:.3f}", "1"
    if found.pairs is not None:
        yield "likeness of pairs of columns", f"{found.pairs:.3f}", "1"
    yield "drawn against real rows by trees, AUC", f"{found.detection:.3f}", "0.5"
    if learnt := found.efficacy:
        name = f"{learnt.target} predicted by trees, {learnt.metric}"
        yield name, f"{learnt.drawn:.3f}", f"{learnt.real:.3f}, trained on real rows"
    if close := found.privacy:
        yield "nearer to a training row than to another", f"{close.closer_to_training:.3f}", "0.5"
        held_out = f"{close.distance_held_out:.3g}, of real rows"
        yield "distance to the nearest training row", f"{close.distance:.3g}", held_out
        yield "copies of training rows", f"{close.copies:.2%}", f"{close.copies_held_out:.2%}"


def title_of(key: str) -> str:
    """The name of a metric."""
    return TITLES.get(key, key.replace("_", " "))


def unit_of(key: str) -> str:
    """Its unit; "" where it has none."""
    return UNITS.get(key, "" if key in PLAIN else "nats")


def number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
