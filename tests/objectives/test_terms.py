"""Every term of an objective: its text, its gradient, its training and its file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    MLP,
    VAE,
    Gaussian,
    Shared,
    Training,
)
from reparam.data.load import load
from reparam.objectives import AnyTerm, Critic, Objective
from reparam.specs.parse import parse
from reparam.specs.spec import rows, text
from tests.models import X, flat, small
from tests.parts import TERMS

NAMES = list(TERMS)


def test_every_term_has_a_row() -> None:
    assert {type(row.term) for row in TERMS.values()} == set(rows(AnyTerm))


@pytest.mark.parametrize("name", NAMES)
def test_spec_round_trips(name: str) -> None:
    term = TERMS[name].term
    assert parse(repr(term), AnyTerm) == parse(text(term, complete=True), Objective) == term


@pytest.mark.parametrize("name", NAMES)
def test_a_finite_number_that_moves_its_parameters(name: str) -> None:
    term, moves, parts, holes = TERMS[name]
    own = {"q": parts["posterior"], "p": parts["prior"], "layers": (4,)} if "prior" in parts else parts
    model = small(**own, has_missing=holes)
    x = X.masked_fill(torch.eye(3, 4).bool(), torch.nan) if holes else X
    trace = model(x, torch.tensor([0, 1, 2]), samples=term.draws)
    if isinstance(term, Critic):
        trace.critics = {term: term.build(model.config).double()}
    loss = term(trace, 0)
    assert loss.shape == () and loss.isfinite()
    for part in moves:
        gradient = flat(model, loss, [key for key, _ in model.named_parameters() if key.startswith(part)])
        assert gradient.isfinite().all() and gradient.abs().sum() > 0, part


@pytest.mark.parametrize("name", NAMES)
def test_trains_and_saves(name: str, tmp_path: Path) -> None:
    term, _, parts, holes = TERMS[name]
    data = load("digits")
    x, y = data.X[:200].copy(), data.y[:200] % 3 if "labels" in parts else None
    if holes:
        x[::2, :2] = np.nan
    vae = VAE(
        4,
        encoder=MLP((32,)),
        likelihood=Gaussian(scale=Shared()) if holes else None,
        objective=term if term.is_bound else (ELBO(), term),
        training=Training(epochs=6, batch_size=50, learning_rate=2e-3),
        random_state=0,
        **parts,
    ).fit(x, y)
    assert vae.history_[-1]["loss"] < vae.history_[0]["loss"] or isinstance(term, Critic)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    assert again.objective_ == vae.objective_
    np.testing.assert_array_equal(vae.score_samples(x[:9]), again.score_samples(x[:9]))
