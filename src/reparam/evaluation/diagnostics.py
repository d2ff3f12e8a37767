"""Warnings about a model, each with a correction, from its metrics; empty where nothing is wrong.

>>> of_latent((0.02,), 0, 10)
('posterior collapse: KL is 0.02 nats per datum. Train longer, warm the KL up as the default ...',)
>>> of_latent((8.5,), 9, 10)
()
"""

from collections.abc import Mapping, Sequence
from typing import Any

INACTIVE_KL = 0.01
"""Nats: a latent dimension whose mean KL is below it is inactive."""
COLLAPSED_KL = 0.1
"""Nats: a layer whose mean KL is below it has collapsed."""
SCALE_FACTOR = 2.0
"""A fixed scale that differs from that of the residuals by more than this factor is wrong."""
PRIOR_AUC = 0.7
"""The area under the curve of a classifier from which the aggregate posterior differs from the prior."""
FREE_NATS = "give each dimension free nats: objective=ELBO(free_bits=0.1)"


def of_latent(layers: Sequence[float], active: int, size: int) -> tuple[str, ...]:
    """Posterior collapse, from the mean KL of each layer in nats and the number of `size` active units."""
    collapsed = [str(i + 1) for i, rate in enumerate(layers) if rate < COLLAPSED_KL]
    if layers and len(collapsed) == len(layers):
        return (
            f"posterior collapse: KL is {sum(layers):.2f} nats per datum. Train longer, warm the KL up as "
            f"the default objective does, or {FREE_NATS}",
        )
    found = []
    if collapsed:
        which = f"layer {' and '.join(collapsed)} of {len(layers)}"
        found.append(
            f"posterior collapse: KL of {which} is below {COLLAPSED_KL} nats. "
            f"Use ELBO(free_bits={COLLAPSED_KL}, free_per='layer'), or fewer layers"
        )
    if size >= 8 and active <= size / 4:
        found.append(
            f"latent far too large: {active} of {size} dimensions are active. "
            f"latent_dim={max(active, 1)} is enough"
        )
    elif size - active > size / 2:
        found.append(
            f"{size - active} of {size} latent dimensions have collapsed. latent_dim={max(active, 1)} is "
            f"enough; where more are to be used, {FREE_NATS}"
        )
    return tuple(found)


def of_scale(misfit: float | None) -> tuple[str, ...]:
    """A wrong fixed decoder scale; `misfit` is the root mean square of the residuals over that scale."""
    if misfit is None or 1 / SCALE_FACTOR <= misfit <= SCALE_FACTOR:
        return ()
    side = "large" if misfit < 1 else "small"
    return (
        f"decoder scale too {side}: residual RMS is {misfit:.2g} of it. Multiply it by {misfit:.2g}, "
        "or learn it: likelihood=Gaussian(scale=Shared())",
    )


def of_prior(prior_auc: float | None) -> tuple[str, ...]:
    """Prior and aggregate posterior differ, from a classifier's area under the curve."""
    if prior_auc is None or prior_auc < PRIOR_AUC:
        return ()
    return (
        f"aggregate posterior differs from the prior (classifier AUC {prior_auc:.2f}): samples come from "
        "where there are no data. Fit the prior to the codes: vae.refit_prior(X, Mixture()), or train with "
        "VampPrior()",
    )


def of_codes(used: int, atoms: int, drawn: int) -> tuple[str, ...]:
    """Unused codes: `used` of the `atoms` occur among `drawn` choices."""
    if drawn < 10 * atoms or used > atoms / 2:
        return ()
    return (f"{atoms - used} of {atoms} codes are never used. Use fewer codes, or a fixed codebook: FSQ()",)


def of_history(history: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Over-fitting and divergence, from the metrics of the epochs in nats."""
    rows = [row for row in history if row.get("bound") is not None]
    if len(rows) < 3:
        return ()
    bound = [row["bound"] for row in rows]
    best = max(range(len(bound)), key=bound.__getitem__)
    spread = abs(bound[best] - bound[0]) + 1.0
    if bound[best] - bound[-1] > 2 * spread:
        return (
            f"training diverged: the bound fell from {bound[best]:.1f} in epoch {rows[best]['epoch']} to "
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
            f"while the training bound rose by {rise:.1f}. Set Training(patience=10), or "
            "use a smaller network",
        )
    return ()
