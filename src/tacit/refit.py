"""A new prior for a trained model: what others call a sampler is maximum likelihood of its codes.

KL(q || p) = -H(q) - E_q log p(z), so with encoder and decoder held the bound rises by just what
E_q log p(z) does.
"""

import copy
import warnings
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from .errors import DataError, SpecError
from .families import Family
from .model import Model, Trace
from .objective import Term
from .priors import VampPrior
from .train import MONITORED, Rows, Trainer, Training

PATIENCE = 30
"""Epochs without a gain on the held-out codes before the search ends."""
STARTED = 10_000
"""At most so many rows' codes say where a prior starts."""


@dataclass(frozen=True, repr=False)
class CodeLength(Term):
    """mean_B E_q -log p(z_0), nats: the part of the top rung's rate that the prior decides."""

    def __call__(self, trace: Trace, step: int) -> Tensor:
        site = trace.sites[0]
        return -trace.average(site.p.log_prob(site.z)).mean()


def refit_prior(model: Model, prior: Family | VampPrior, rows: Rows, training: Training, seed: int) -> Model:
    """The model with `prior` at the top of its ladder, fitted to the codes of rows (x, y).

    A tenth of the rows chooses the epoch. Where it prefers the prior at hand, the model comes back as it
    was, with a warning: so the bound never falls on those rows.
    """
    (x, y), held_out = rows, min(len(rows[0]) // 10, MONITORED)
    if not model.parts.latent_dim:
        raise SpecError(f"refit_prior({prior}) with latent_dim=0: there are no codes to explain")
    if not held_out:
        raise DataError(f"refit_prior holds out a tenth of X to choose by; {len(x)} rows are too few")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        order = torch.randperm(len(x))
        held, train = (
            (x[part], None if y is None else y[part]) for part in (order[:held_out], order[held_out:])
        )
        new = with_prior(model, prior, train)
        with torch.no_grad():
            trace = model(*held, samples=10)

    @torch.no_grad()
    def length(of: Model) -> float:
        p = of.latents.prior(of.pseudo_features())
        z = trace.sites[0].z.to(next(of.parameters()).device)
        return -float(trace.average(p.log_prob(z).cpu()).mean())

    before = best = length(model)
    kept, waited, learns = None, 0, any(p.requires_grad for p in new.parameters())
    training = replace(training, validation=0.0, patience=None, ema=None)
    trainer = Trainer(new, (CodeLength(),), training, seed)
    for _ in chain((None,), trainer.run(train) if learns else ()):
        now, waited = length(new), waited + 1
        if now < best:
            best, waited, kept = now, 0, copy.deepcopy(new.state_dict())
        if waited > PATIENCE:
            break
    if kept is None:
        warnings.warn(
            f"{prior} explains held-out codes no better than {model.parts.prior}, which stays "
            f"({before:.2f} nats each)",
            stacklevel=3,
        )
        return model
    new.load_state_dict(kept)
    return new.requires_grad_(True).to("cpu").eval()


@torch.no_grad()
def with_prior(model: Model, prior: Family | VampPrior, rows: Rows) -> Model:
    """The same model but for p(z_0), which starts at the codes of `rows` and alone will learn."""
    new = Model(model.event, replace(model.parts, prior=prior))
    ours = ("latents.top.", "pseudo")
    held = {name: t for name, t in model.state_dict().items() if not name.startswith(ours)}
    new.load_state_dict(held, strict=False)
    new.n_data = model.n_data
    new.requires_grad_(False)
    x, y = (t if t is None else t[:STARTED] for t in rows)
    assert x is not None
    if new.pseudo is not None:
        new.start_pseudo(x)
        new.pseudo.requires_grad_(True)
    if new.latents.top is not None:
        new.latents.top.start(model(x, y).sites[0].z.flatten(0, 1))
        new.latents.top.requires_grad_(True)
    return new
