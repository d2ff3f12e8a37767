"""When training ends where nothing is said, and what is kept."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from reparam import ELBO, MLP, VAE, CrossEntropy, Enumerated, Linear, SpecError, Term, Training
from reparam.data.batching import is_divisible, split, with_labels_repeated
from reparam.data.stream import Stream
from reparam.serialization import model_file
from reparam.training.config import ALL_ROWS, HELD_OUT, LEAST, MOST_STEPS, RATE, default_rate
from reparam.training.early_stopping import RISE, EarlyStopping

X = np.random.default_rng(0).normal(size=(200, 4)) @ np.random.default_rng(1).normal(size=(4, 4))
TABLE = pd.DataFrame(X, columns=list("abcd"))
SMALL = MLP((8,))


def test_nothing_said_holds_out_a_tenth_and_stops() -> None:
    resolved = Training().resolved(20_000)
    assert resolved.validation == HELD_OUT and resolved.patience and resolved.epochs
    assert resolved.planned_steps(20_000) == pytest.approx(MOST_STEPS, rel=0.02) and not resolved.all_rows
    table = Training().resolved(20_000, table=True)
    assert table.planned_steps(20_000) * (1 + ALL_ROWS) == pytest.approx(MOST_STEPS, rel=0.02)
    assert resolved.learning_rate == Linear(RATE, 0.0, resolved.planned_steps(20_000))
    assert table.learning_rate == Linear(RATE, 0.0, round(table.planned_steps(20_000) * (1 + ALL_ROWS)))
    assert Training(epochs=50).resolved(100).learning_rate == Linear(1.5 * RATE, 0.0, 50)


def test_a_number_of_epochs_trains_so_many_on_all_rows() -> None:
    resolved = Training(epochs=7).resolved(20_000)
    assert (resolved.epochs, resolved.validation, resolved.patience) == (7, 0.0, None)
    vae = VAE(2, encoder=SMALL, training=Training(epochs=7), random_state=0).fit(X)
    assert len(vae.history_) == 7 and not len(vae.held_out_)


def test_few_rows_and_a_stream_of_few_blocks_are_all_trained_on() -> None:
    assert Training().resolved(LEAST - 1).validation == 0
    assert Training().resolved(LEAST).validation == HELD_OUT
    assert Training().resolved(20_000, divisible=False).validation == 0
    stream = Stream([100, 100], lambda i: X[100 * i : 100 * (i + 1)].astype(np.float32))
    vae = VAE(2, encoder=SMALL, training=Training(batch_size=200), random_state=0)
    for progress in vae.fit_iter(stream):
        if progress.epoch == 3:
            break
    assert not len(vae.held_out_)
    assert is_divisible(Stream([40] * 5, lambda i: X[:40])) and not is_divisible(stream)


def test_a_fit_keeps_the_best_epoch() -> None:
    """Thirty rows of noise are memorised: the held-out bound falls while the training bound rises."""
    rows = np.random.default_rng(0).normal(size=(60, 10))
    vae = VAE(4, training=Training(validation=0.5, patience=60, batch_size=30), random_state=0).fit(rows)
    held = [row["validation"] for row in vae.history_ if row["validation"] is not None]
    best = int(np.argmax(held))
    assert len(vae.history_) < (vae.training_.epochs or 0) and best < len(held) - 1
    assert held[-1] < held[best]
    bound = vae.evaluate(rows[vae.held_out_], k=2000).elbo
    assert bound is not None and abs(bound - held[best]) < abs(bound - held[-1])


FAST = Training(learning_rate=1e-2, patience=20, batch_size=128)


def stop_of(vae: VAE) -> int:
    """The epoch after which training went on over all rows."""
    return next(row["epoch"] for row in vae.history_ if row["stopped"])


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A training that stops early, and in `saved` its checkpoint after each epoch."""
    vae: Any = VAE(2, encoder=SMALL, training=FAST, random_state=3)
    vae.saved, folder = {}, tmp_path_factory.mktemp("stopped")
    for progress in vae.fit_iter(TABLE):
        vae.saved[progress.epoch] = folder / f"{progress.epoch}.safetensors"
        vae.save_training(vae.saved[progress.epoch])
    return vae


def test_same_seed_same_bits_with_early_stopping(stopped: Any) -> None:
    a, b = stopped, clone(stopped).fit(TABLE)
    assert len(a.history_) == len(b.history_)
    assert stop_of(a) < (a.training_.epochs or 0)
    for p, q in zip(a.model_.state_dict().values(), b.model_.state_dict().values(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("after", [-5, 0, 1, 3])
def test_a_resumed_training_ends_as_the_whole_one(after: int, stopped: Any) -> None:
    """Saved before the stop, at it, and on all rows; `stopped` is the whole one."""
    resumed = clone(stopped)
    for _ in resumed.fit_iter(TABLE, resume=stopped.saved[stop_of(stopped) + after]):
        pass
    assert len(resumed.history_) == len(stopped.history_)
    np.testing.assert_array_equal(resumed.transform(TABLE), stopped.transform(TABLE))


def test_after_the_stop_all_rows_are_trained_on_and_the_rate_falls_to_zero() -> None:
    seen = []
    vae = VAE(2, encoder=SMALL, training=FAST, random_state=3)
    for progress in vae.fit_iter(TABLE):
        if progress.stopped:
            best = max(row["validation"] for row in vae.history_ if row["validation"] is not None)
            elbo = vae.evaluate(TABLE.iloc[vae.held_out_], k=2000).elbo
            assert elbo is not None and elbo == pytest.approx(best, abs=0.4)
        update, position = vae.trainer_.update, vae.trainer_.position
        seen.append((progress.stopped, len(vae.held_out_), update.rate))
        assert progress.stopped or len(vae.held_out_) == (0 if position.stop else 20)
    stopped = [i for i, (stop, _, _) in enumerate(seen) if stop]
    assert len(stopped) == 1
    rates = [rate for _, _, rate in seen[stopped[0] + 1 :]]
    assert rates == sorted(rates, reverse=True) and rates[0] < 1e-2 and rates[-1] < 1e-2 / len(rates)
    best_epoch = max(
        (row for row in vae.history_ if row["validation"] is not None), key=lambda row: row["validation"]
    )["epoch"]
    assert len(rates) == round(ALL_ROWS * best_epoch)


def test_rows_held_out_on_request_stay_so() -> None:
    assert Training().resolved(1000, table=True).all_rows == ALL_ROWS
    assert Training(validation=0.1).resolved(1000, table=True).all_rows == 0
    assert Training(epochs=3).resolved(1000, table=True).all_rows == 0
    assert Training().resolved(LEAST - 1, table=True).all_rows == 0
    vae = VAE(2, encoder=SMALL, training=Training(validation=0.2, patience=3), random_state=3).fit(TABLE)
    assert len(vae.held_out_) == 40 and not any(row["stopped"] for row in vae.history_)
    with pytest.raises(SpecError, match="follows early stopping"):
        Training(epochs=3, all_rows=0.5)


def test_patience_waits_for_the_schedules() -> None:
    stopping = EarlyStopping(patience=3, settled=10)
    model = torch.nn.Linear(1, 1)
    for epoch, bound in enumerate([-1.0, -2.0, -3.0, -4.0, -5.0], 1):
        stopping.record(bound, model, epoch, step=epoch)
    assert not stopping.exhausted and stopping.best_epoch == 1
    for epoch in range(10, 13):
        stopping.record(-9.0, model, epoch, step=epoch)
    assert stopping.exhausted


def test_small_rises_do_not_keep_training_going() -> None:
    """The best epoch is kept all the same, and a stopped training goes on where it was."""
    stopping, model = EarlyStopping(patience=3), torch.nn.Linear(1, 1)
    bounds = [-1.0, -1.0 + RISE / 2, -1.0 + 1.5 * RISE, *(-1.0 + RISE * (1.5 + k / 4) for k in (1, 2, 3))]
    for epoch, bound in enumerate(bounds, 1):
        assert not stopping.exhausted
        stopping.record(bound, model, epoch, step=epoch)
        tensors, numbers = stopping.state()
        stopping = EarlyStopping(patience=3)
        stopping.restore({"best": {name: t for name, t in tensors.items()}}, numbers)
    assert stopping.exhausted and stopping.best_epoch == len(bounds)


def test_short_epochs_are_not_each_checked() -> None:
    stopping = EarlyStopping(patience=150)
    stopping.check_every(steps=2)
    assert [epoch for epoch in range(1, 32) if stopping.due(epoch, 31)] == [10, 20, 30, 31]
    stopping = EarlyStopping(patience=3)
    stopping.check_every(steps=2)
    assert all(stopping.due(epoch, 9) for epoch in range(1, 10))


def test_the_objective_is_warmed_up() -> None:
    vae = VAE(2, encoder=SMALL, training=Training(epochs=40, batch_size=10), random_state=0).fit(X[:100])
    assert vae.objective_ == ELBO(beta=Linear(0, 1, 20))
    assert VAE(2, objective=ELBO(), training=Training(epochs=1)).fit(X).objective_ == ELBO()


def test_labelled_rows_are_repeated_and_held_out_last() -> None:
    y = torch.full((100,), -1)
    y[:4] = torch.tensor([0, 1, 0, 1])
    x = torch.arange(100.0)[:, None]
    again, labels = with_labels_repeated((x, y), 0.1)
    assert labels is not None and 0.1 <= float((labels >= 0).float().mean()) < 0.15
    assert set(again[:][:, 0].tolist()) == set(range(100))
    torch.testing.assert_close(y[again[:][:, 0].long()], labels)
    assert with_labels_repeated((x, torch.zeros(100)), 0.1)[0] is x
    _, held, numbers = split((x, y), 0.5, unlabelled=True)
    assert held is not None and held[1] is not None and bool((held[1] < 0).all()) and len(numbers) == 50


def test_few_labels_beat_a_classifier_of_theirs() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 12)) * 1.5
    truth = rng.integers(3, size=600)
    rows = centres[truth] + rng.normal(size=(600, 12))
    y = np.full(600, -1)
    known = np.concatenate([np.flatnonzero(truth == c)[:2] for c in range(3)])
    y[known] = truth[known]
    alone = LogisticRegression().fit(rows[known], truth[known]).score(rows, truth)
    vae = VAE(4, labels=Enumerated(3), training=Training(epochs=40), random_state=0).fit(rows, y)
    assert float((vae.predict(rows) == truth).mean()) > max(alone, 0.95) or math.isclose(alone, 1)


def test_another_objective_is_not_taken_over_by_a_resumed_training(tmp_path: Path) -> None:
    def estimator(epochs: int, objective: ELBO | None = None) -> VAE:
        training = Training(epochs=epochs)
        return VAE(2, encoder=SMALL, objective=objective, training=training, random_state=0)

    for objective in (None, ELBO(beta=4)):
        vae = estimator(3, objective)
        for _ in vae.fit_iter(X):
            vae.save_training(tmp_path / "t.safetensors")
        other = estimator(5)
        longer = other.fit_iter(X, resume=tmp_path / "t.safetensors")
        if objective is None:
            assert [progress.epoch for progress in longer] == [4, 5]
            assert other.training_.learning_rate == default_rate(other.training_.planned_steps(len(X)))
        else:
            with pytest.raises(SpecError, match="objective differ"):
                next(longer)


@pytest.mark.parametrize("objective", [None, (ELBO(), CrossEntropy(1.0))], ids=["default", "own"])
def test_labels_of_an_older_stopped_training_go_on_as_they_were(
    objective: tuple[Term, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before `bound_weight`: its text has fewer fields, and the default objective completed nothing."""
    y = np.arange(len(X)) % 4 - 1
    vae = VAE(2, labels=Enumerated(3), objective=objective, training=Training(epochs=2), random_state=0)
    with monkeypatch.context() as older:
        older.setattr(Enumerated, "with_default_objective", lambda head: head)
        stopped = clone(vae)
        next(training := stopped.fit_iter(X, y))
        stopped.save_training(tmp_path / "new.safetensors")
    training.close()
    tensors, header = model_file.read(tmp_path / "new.safetensors")
    assert header["spec"]["labels"] == "Enumerated(3, None, None)"
    header["spec"]["labels"] = "Enumerated(3, None)"
    model_file.write(tmp_path / "old.safetensors", tensors, header, None)
    for _ in vae.fit_iter(X, y, resume=tmp_path / "old.safetensors"):
        pass
    assert len(vae.history_) == 2 and vae.labels_ == vae.model_.config.labels == Enumerated(3)
