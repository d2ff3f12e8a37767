"""A compiled step is the same step."""

import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    MLP,
    VAE,
    Auxiliary,
    Categorical,
    Columns,
    Conv,
    Cyclic,
    FactorTC,
    Gaussian,
    GumbelSoftmax,
    Laplace,
    LatentCritic,
    Linear,
    SpecError,
    StudentT,
    TotalCorrelation,
    Training,
)
from reparam.compilation import library, recorded
from reparam.model.trace import Trace
from reparam.training import compiled_step
from reparam.training.compiled_step import Operations
from reparam.training.distributed import SingleProcess
from reparam.training.trainer import Progress, Trainer

TRAINING = Training(epochs=3, batch_size=64)
X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler wants one of C++")
def test_it_has_the_losses_of_the_plain_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second training finds what the first one compiled."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch, "compile", fail)
    labels, losses = np.arange(300) % 3, []
    for compile in (False, True, True):
        training = replace(TRAINING, compile=compile)
        vae = VAE(2, labels=Auxiliary(3), training=training, random_state=0).fit(X, labels)
        losses.append([row["loss"] for row in vae.history_])
        if compile:
            monkeypatch.setattr(library, "built", fail)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    assert losses[1] == losses[2]


@pytest.mark.parametrize(
    "parts",
    [
        {"objective": ELBO(beta=Linear(0, 1, 8))},
        {"objective": ELBO(beta=Cyclic(0, 1, 5), capacity=Linear(0.5, 3, 8))},
        {"latent_dim": 10, "posterior": GumbelSoftmax(temperature=Linear(1.0, 0.5, 3))},
        {"objective": (ELBO(beta=0), LatentCritic(1.0))},
        {"objective": (ELBO(beta=Linear(0, 1, 8)), FactorTC(5.0))},
    ],
)
def test_schedules_and_critics_are_part_of_it(parts: dict[str, Any], graphs: list[object]) -> None:
    """One graph for all steps, in which schedules move and which reads the critics as they are now."""
    losses = []
    for compile in (False, True):
        training = replace(TRAINING, compile=compile)
        vae = VAE(**({"latent_dim": 4} | parts), training=training, random_state=0).fit(X)
        losses.append([row["loss"] for row in vae.history_])
        pickle.dumps(vae)
    assert len(graphs) == 1
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    assert losses[0][0] != losses[0][-1]


@pytest.mark.usefixtures("graphs")
def test_gradients_lie_in_memory_as_their_parameters() -> None:
    """Fused Adam pairs numbers by their places in memory, and the gradient here comes transposed."""
    net = torch.nn.Linear(4, 3, bias=False)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))

    def see(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss = (x @ net.weight.T.contiguous()).square().sum()
        return loss, loss.detach()

    assert Operations(net, see)(x)[0] == see(x)[0]
    assert net.weight.grad.stride() == net.weight.stride()
    torch.testing.assert_close(net.weight.grad, 2 * (x @ net.weight.detach().T).T @ x)


@dataclass(frozen=True, repr=False)
class Looking(MLP):
    """Its encoder asks in Python what the numbers are."""

    def encoder(self, event: tuple[int, ...], extra: int, *layers: Any) -> torch.nn.Module:
        net = super().encoder(event, extra, *layers)
        net.register_forward_pre_hook(lambda _, inputs: inputs if inputs[0].sum() > 0 else None)
        return net


def test_a_step_that_looks_at_numbers_is_refused() -> None:
    vae = VAE(2, encoder=Looking(), training=TRAINING).fit(X)
    assert len(vae.history_) == TRAINING.epochs
    with pytest.raises(SpecError, match=r"Training\.compile cannot compile this step: .*Leave it out"):
        vae.set_params(training=replace(TRAINING, compile=True)).fit(X)


@pytest.mark.parametrize(
    ("parts", "training", "n", "pays"),
    [
        ({}, Training(epochs=2000), 300, True),  # of 5 steps
        ({}, Training(epochs=1999), 300, False),
        ({}, Training(epochs=2000, compile=False), 300, False),
        ({}, Training(epochs=50, validation=0.1, patience=10), 25_000, True),
        ({}, Training(epochs=50, validation=0.1, patience=10), 24_999, False),
        ({"encoder": Conv((4,))}, Training(epochs=2000), 300, False),
        ({"encoder": Conv((4,))}, Training(epochs=2000, precision="medium"), 300, True),
        ({"objective": ELBO(beta=Cyclic(0, 1, 10))}, Training(epochs=2000), 300, True),
        ({"encoder": Looking()}, Training(epochs=2000), 300, False),  # a part of the user's own
        ({"likelihood": Columns((Gaussian(),) * 36)}, Training(epochs=1600), 300, True),
        ({"likelihood": Columns((Gaussian(),) * 36)}, Training(epochs=1599), 300, False),
    ],
)
def test_where_nothing_is_said_it_depends_on_the_plan(
    parts: dict[str, Any], training: Training, n: int, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step is that of a training of which the others are not made."""
    steps: list[object] = []

    def begun(trainer: Trainer, *_: Any) -> Iterator[Progress]:
        trainer._begin((torch.zeros(n, 36), None))
        steps.append(trainer.step)
        yield from ()

    monkeypatch.setattr(Trainer, "run", begun)
    rows = np.random.default_rng(0).normal(size=(300, 6, 6) if "encoder" in parts else (300, 36))
    batch = training.batch_size or 64
    list(VAE(2, **parts, training=replace(training, batch_size=batch)).fit_iter(rows))
    assert [type(step) is compiled_step.CompiledStep for step in steps] == [pays]


@pytest.mark.parametrize("largest", [1, 2_000])
def test_the_step_of_a_table_may_have_more_operations(
    largest: int, monkeypatch: pytest.MonkeyPatch, graphs: list[object]
) -> None:
    """They gain as much as they take to compile."""
    monkeypatch.setattr(compiled_step, "TABLE_PAYS", 1)
    monkeypatch.setattr(compiled_step, "LARGEST", 1)
    monkeypatch.setattr(compiled_step, "LARGEST_OF_TABLES", largest)
    table = Columns((Gaussian(), StudentT(), Laplace(), Categorical(3)), context=4)
    x = np.concatenate([X[:, :3], np.arange(300)[:, None] % 3], 1)
    losses = []
    for compile in (None, False):
        training = replace(TRAINING, compile=compile)
        vae = VAE(2, likelihood=table, training=training, random_state=0).fit(x)
        losses.append([row["loss"] for row in vae.history_])
    assert len(graphs) == (largest > 1)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@pytest.mark.usefixtures("graphs")
@pytest.mark.parametrize("compile", [None, True])
def test_epochs_over_all_rows_are_compiled_too(
    compile: bool | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the training is stopped there and continued, with the same numbers: one of the terms
    depends on how many rows there are."""
    monkeypatch.setattr(compiled_step, "PAYS", 1)
    monkeypatch.setattr(compiled_step, "MANY_ROWS", 1)
    training = Training(12, 64, validation=0.2, patience=3, all_rows=0.5, compile=compile)
    parts: dict[str, Any] = {"objective": (ELBO(), TotalCorrelation(1.0)), "training": training}
    vae, steps = VAE(2, **parts, random_state=0), []
    for _ in vae.fit_iter(X):
        steps.append((vae.trainer_.position.stop is not None, type(vae.trainer_.step)))
        if steps[-1][0] and not (tmp_path / "stopped").exists():
            vae.save_training(tmp_path / "stopped")
    assert {after for after, _ in steps} == {False, True}
    assert {step for _, step in steps} == {compiled_step.CompiledStep}
    again = VAE(2, **parts, random_state=0)
    list(again.fit_iter(X, resume=tmp_path / "stopped"))
    for mine, other in zip(vae.model_.parameters(), again.model_.parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("largest", [1, 600])
def test_what_nobody_asked_for_runs_eagerly_where_it_fails(
    largest: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(recorded, "library", fail)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: fail)
    monkeypatch.setattr(compiled_step, "PAYS", 1)
    monkeypatch.setattr(compiled_step, "LARGEST", largest)
    losses = []
    with caplog.at_level("INFO", "reparam"):
        for compile in (False, None):
            vae = VAE(2, training=replace(TRAINING, compile=compile), random_state=0).fit(X)
            losses.append([row["loss"] for row in vae.history_])
    assert losses[0] == losses[1]
    assert ["no C++ compiler" in caplog.text, "operations" in caplog.text] == [largest > 1, largest == 1]


@pytest.mark.usefixtures("graphs")
def test_a_training_that_goes_on_has_the_same_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compiled where nothing is said, stopped after an epoch and continued: the same numbers."""
    monkeypatch.setattr(compiled_step, "PAYS", 1)
    whole = VAE(2, training=TRAINING, random_state=0).fit(X)
    part = VAE(2, training=TRAINING, random_state=0)
    epochs = part.fit_iter(X)
    next(epochs)
    part.save_training(tmp_path / "stopped")
    again = VAE(2, training=TRAINING, random_state=0)
    list(again.fit_iter(X, resume=tmp_path / "stopped"))
    for mine, other in zip(whole.model_.parameters(), again.model_.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_it_is_for_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    two = SingleProcess(torch.device("cpu"))
    two.size = 2
    monkeypatch.setattr("reparam.training.trainer.launched", lambda *_: two)
    with pytest.raises(SpecError, match=r"Training\.compile is for one process.* torchrun"):
        VAE(2, training=replace(TRAINING, compile=True)).fit(X)
    with pytest.raises(SpecError, match=r"Training\.compile is for one process"):
        Training(compile=True, devices=2)


@dataclass(frozen=True, repr=False)
class Counting(ELBO):
    """Its weight is computed from the number of the step, which a compiled step does not know."""

    def __call__(self, trace: Trace, step: Any) -> torch.Tensor:
        return super().__call__(trace, step) * min(1.0, (step + 1) / 10)


def test_a_term_that_counts_steps_itself_is_refused() -> None:
    vae = VAE(2, objective=Counting(), training=TRAINING).fit(X)
    assert len(vae.history_) == TRAINING.epochs
    with pytest.raises(SpecError, match=r"Training\.compile cannot compile this step: .*Leave it out"):
        vae.set_params(training=replace(TRAINING, compile=True)).fit(X)
