"""What is wrong with a model, and the cure: figures in, sentences out; none where nothing is.

>>> of_latent((0.02,), 0, 10)
('posterior collapse: the code says nothing of the datum (rate 0.02 nats). Warm the KL up with ...',)
>>> of_latent((8.5,), 9, 10)
()
"""

from collections.abc import Mapping, Sequence
from typing import Any

SILENT = 0.01
"""Nats: a latent dimension whose mean KL is below it says nothing."""
EMPTY = 0.1
"""Nats: a rung whose mean KL is below it says nothing."""
FACTOR = 2.0
"""A fixed scale further than this from the residuals' own is off."""
TOLD_APART = 0.7
"""The area under the curve from which codes and draws of the prior are said to differ."""
FREE = "objective=ELBO(beta=Linear(0, 1, 5000)), or let each dimension speak: ELBO(free_bits=0.1)"


def of_latent(rungs: Sequence[float], active: int, size: int) -> tuple[str, ...]:
    """Collapse and waste, from the mean KL of each rung in nats and how many of `size` units are active."""
    empty = [str(i + 1) for i, rate in enumerate(rungs) if rate < EMPTY]
    if rungs and len(empty) == len(rungs):
        what = f"the code says nothing of the datum (rate {sum(rungs):.2f} nats)"
        return (f"posterior collapse: {what}. Warm the KL up with {FREE}",)
    found = []
    if empty:
        what = f"rung {' and '.join(empty)} of {len(rungs)} says less than {EMPTY} nat"
        found.append(
            f"posterior collapse: {what}. Use ELBO(free_bits={EMPTY}, free_per='rung'), or fewer rungs"
        )
    if size >= 8 and active <= size / 4:
        found.append(
            f"the latent is far too large: {active} of {size} dimensions are in use. "
            f"latent_dim={max(active, 1)} says as much"
        )
    elif size - active >= max(2, size / 4):
        found.append(
            f"{size - active} of {size} latent dimensions have collapsed. Take fewer, "
            f"or warm the KL up with {FREE}"
        )
    return tuple(found)


def of_scale(misfit: float | None) -> tuple[str, ...]:
    """A decoder scale that is off; `misfit` is the residuals' root mean square, of that fixed scale."""
    if misfit is None or 1 / FACTOR <= misfit <= FACTOR:
        return ()
    side = "the KL swamps the data" if misfit < 1 else "the data swamp the KL"
    return (
        f"{side}: residuals are {misfit:.2g} times the decoder's fixed scale. Multiply it by {misfit:.2g}, "
        "or learn it: likelihood=Gaussian(scale=Shared())",
    )


def of_prior(prior_auc: float | None) -> tuple[str, ...]:
    """Prior and aggregate posterior apart, from the area under a classifier's curve."""
    if prior_auc is None or prior_auc < TOLD_APART:
        return ()
    return (
        f"codes of the data and draws of the prior are told apart (AUC {prior_auc:.2f}): samples "
        "fall where no data are. Fit the prior to the codes: vae.refit_prior(X, Mixture()), or train with "
        "VampPrior()",
    )


def of_codes(used: int, atoms: int, drawn: int) -> tuple[str, ...]:
    """Dead codes: how many of the atoms `drawn` choices used."""
    if drawn < 10 * atoms or used > atoms / 2:
        return ()
    return (
        f"{atoms - used} of {atoms} codes are dead. Take fewer; a codebook's can be a grid: posterior=FSQ()",
    )


def of_history(history: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Over-fitting and an exploding loss, from the epochs' figures in nats."""
    rows = [row for row in history if row.get("bound") is not None]
    if len(rows) < 3:
        return ()
    bound = [row["bound"] for row in rows]
    best = max(range(len(bound)), key=bound.__getitem__)
    spread = abs(bound[best] - bound[0]) + 1.0
    if bound[best] - bound[-1] > 2 * spread:
        return (
            f"the training exploded: the bound fell from {bound[best]:.1f} in epoch {rows[best]['epoch']} to "
            f"{bound[-1]:.4g}. Lower learning_rate, or set Training(clip=100.0)",
        )
    held = [row["validation"] for row in rows if row.get("validation") is not None]
    if len(held) < len(rows):
        return ()
    best = max(range(len(held)), key=held.__getitem__)
    fall, rise = held[best] - held[-1], bound[-1] - bound[best]
    if best < len(rows) - 2 and rise > 0 and fall > max(0.5, 0.01 * abs(held[best])):
        return (
            f"over-fitting: since epoch {rows[best]['epoch']} the held-out bound fell by {fall:.1f} nats "
            f"while that of the training rose by {rise:.1f}. Set Training(patience=10), or "
            "take a smaller network",
        )
    return ()
