"""A new prior for a fitted model, by maximum likelihood of its codes.

KL(q || p) = -H(q) - E_q log p(z), so with encoder and decoder fixed the bound increases exactly as
E_q log p(z) does.
"""

import copy
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..data.batching import Rows, part
from ..errors import DataError, SpecError
from ..families import Family
from ..model.model import Model
from ..model.priors import VampPrior
from ..tensors import Rowwise, random_from
from ..threads import limited, threads_for
from .config import Training
from .trainer import MONITORED

PATIENCE = 30
"""Default patience: epochs without a gain on the held-out codes."""
UNREAD = ("clip", "skip", "ema", "precision", "missing", "devices", "compile")
"""Settings of `Training` that do not apply to the fit of a prior."""


def check_training(training: Training) -> None:
    """SpecError for settings that would be ignored."""
    for name in UNREAD:
        if getattr(training, name) != getattr(Training(), name):
            raise SpecError(f"refit_prior takes no Training.{name}: leave it out")


def refit_prior(model: Model, prior: Family | VampPrior, rows: Rows, training: Training, seed: int) -> Model:
    """The model with `prior` at the top layer, fitted to the codes of rows (x, y).

    A tenth of the rows, or `training.validation`, is held out to choose the epoch. If the current prior is
    better there, the model is returned unchanged, with a warning: so the bound never decreases on those rows.
    """
    (x, y), held_out = rows, int(len(rows[0]) * (training.validation or 0.1))
    if not model.config.latent_dim:
        raise SpecError(
            f"refit_prior({prior}) with latent_dim=0: there are no codes. Use a model with a latent"
        )
    if not held_out:
        raise DataError(f"refit_prior holds out part of X; {len(x)} rows are too few")
    device = training.resolved_device()
    with random_from(seed):
        order = torch.randperm(len(x))
        held, train = (
            (part(x, mine).to(device), None if y is None else y[mine].to(device))
            for mine in (order[:held_out][:MONITORED], order[held_out:])
        )
        new = with_prior(model, prior, train[0]).to(device)
        fixed = codes(new, held, samples=10)
        model.to(device)
        before = code_length(model, *fixed)
        top: Any = new.latents.top
        if top is not None:
            top.start(codes(new, train)[0])
        products = training.batch * sum(p.numel() for p in new.parameters() if p.requires_grad)
        with limited(training.threads or threads_for(products)):
            after = search(new, fixed, train, training)
    model.to("cpu")
    if after < before:
        return new.requires_grad_(True).to("cpu").eval()
    warnings.warn(
        f"held-out codes are no more likely under {prior} than under {model.config.prior}, which is kept: "
        f"{after:.2f} against {before:.2f} nats per code",
        stacklevel=3,
    )
    return model


@torch.no_grad()
def with_prior(model: Model, prior: Family | VampPrior, x: Rowwise) -> Model:
    """The same model with a new p(z_0), the only trainable part; pseudo-inputs start at rows of x."""
    new = Model(model.event, replace(model.config, prior=prior))
    ours = ("latents.top.", "pseudo")
    held = {name: t for name, t in model.state_dict().items() if not name.startswith(ours)}
    new.load_state_dict(held, strict=False)
    new.n_data = model.n_data
    for name, p in new.named_parameters():
        p.requires_grad_(name.startswith(ours))
    new.start_pseudo(x.to(torch.device("cpu")))
    return new.eval()


@torch.no_grad()
def codes(model: Model, rows: Rows, samples: int = 1) -> tuple[Tensor, Tensor]:
    """Draws of q(z_0|x) (N, L) and the weight of each (N,), 1 on average over a row's draws."""
    (x, y), zs, shares = rows, [], []
    for i in range(0, len(x), MONITORED):
        mine = slice(i, i + MONITORED)
        trace = model(model.observe(x[mine]), None if y is None else y[mine], samples=samples)
        z = trace.layers[0].z
        share = torch.ones_like(z[..., 0]) if trace.weights is None else trace.weights * len(z)
        zs.append(z.flatten(0, 1))
        shares.append(share.flatten())
    return torch.cat(zs), torch.cat(shares)


@torch.no_grad()
def code_length(model: Model, z: Tensor, share: Tensor) -> float:
    """-E_q log p(z_0), nats: the part of the top layer's rate that depends on the prior."""
    p = model.latents.prior(model.pseudo_features())
    each = torch.cat([p.log_prob(some) for some in torch.split(z, MONITORED)])
    return -float((share * each).mean())


def search(model: Model, held: tuple[Tensor, Tensor], rows: Rows, training: Training) -> float:
    """Maximum likelihood with new codes at each epoch; the best epoch on the codes `held` is kept."""
    ours = [p for p in model.parameters() if p.requires_grad]
    best, kept, waited, step = code_length(model, *held), copy.deepcopy(model.state_dict()), 0, 0
    if not ours:
        return best
    plan = replace(training, validation=0.0, patience=None, all_rows=0.0).resolved(len(rows[0]))
    optimiser = plan.optimiser.build(ours)
    for epoch in range(plan.epochs or 0):
        z, share = codes(model, rows)
        size = plan.batch * (len(z) // len(rows[0]))
        for some in torch.split(torch.randperm(len(z)).to(z.device), size):
            p = model.latents.prior(model.pseudo_features())
            loss = -(share[some] * p.log_prob(z[some])).mean()
            for each in ours:
                each.grad = None
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step(plan.rate(step, epoch))
            step += 1
        now, waited = code_length(model, *held), waited + 1
        if now < best:
            best, waited, kept = now, 0, copy.deepcopy(model.state_dict())
        if waited >= (training.patience or PATIENCE):
            break
    model.load_state_dict(kept)
    return best
