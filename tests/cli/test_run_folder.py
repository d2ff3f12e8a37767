"""The run folder: what `fit` writes, and going on where it stopped."""

import sys
from pathlib import Path

import numpy as np
import pytest

from reparam import VAE
from reparam.cli import run_folder as runs
from reparam.training.update import Update
from reparam.web.run_history import RunHistory
from tests.cli.helpers import Capture, fit, run


def samples(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a run's samples."""
    with np.load(folder / "samples.npz") as held:
        return dict(held)


def test_run_folder(model: Path) -> None:
    assert {p.name for p in model.iterdir()} == {
        "model.safetensors",
        "training.safetensors",
        "training.previous.safetensors",
        "evaluation.json",
        "history.jsonl",
        "samples.npz",
        "figures",
    }
    assert len((model / "history.jsonl").read_text().splitlines()) == 3
    assert samples(model)["samples"].shape == (3, 10, 8, 8)
    assert {"losses.png", "samples_by_epoch.png"} <= {p.name for p in (model / "figures").iterdir()}


def test_a_training_is_followed_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history, seen = RunHistory(tmp_path / "run"), list[tuple[bool, list[int]]]()
    write = runs.RunFolder.write_history

    def noted(self: runs.RunFolder, vae: VAE) -> None:
        write(self, vae)
        seen.append((history.running, [row["epoch"] for row in history.rows()]))

    monkeypatch.setattr(runs.RunFolder, "write_history", noted)
    words = ("digits:test", "-o", tmp_path / "run", "--latent-dim", 2, "--epochs")
    assert fit(*words, 2) == fit(*words, 3, "--resume") == 0
    assert seen == [(True, [1]), (True, [1, 2]), (True, [1, 2, 3])]
    assert not history.running and [row["epoch"] for row in history.rows(1)] == [2, 3]


def test_samples_of_many_epochs_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SAMPLE_BYTES", 4 * 10 * 64 * 4)
    words = ("digits:test", "-o", tmp_path / "run", "--latent-dim", 2, "--epochs")
    assert fit(*words, 5) == fit(*words, 9, "--resume") == 0
    held = samples(tmp_path / "run")
    assert held["epochs"].tolist() == [1, 5, 9] and held["samples"].shape == (3, 10, 8, 8)


def test_resume_is_as_if_never_stopped(model: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ("digits", "--recipe", "zeldes", "-o", tmp_path / "run", "--epochs")
    assert fit(*words, 3, "--resume") == 3
    assert "no stopped training" in capsys.readouterr().err
    assert fit(*words, 2) == fit(*words, 3, "--resume") == 0
    whole, resumed = (samples(path)["samples"] for path in (model, tmp_path / "run"))
    np.testing.assert_array_equal(whole, resumed)
    scores = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for path, scored in zip((model, tmp_path / "run"), scores, strict=True):
        assert run("score", path, "digits:test", "-k", 3, "-o", scored) == 0
    np.testing.assert_array_equal(*map(np.load, scores))


def test_an_interrupted_fit_goes_on_as_if_never_stopped(
    model: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the midst of the third epoch: two are kept, and half of one is not."""
    take_step, steps = Update.__call__, 0

    def interrupted(update: Update, epoch: int) -> bool:
        nonlocal steps
        steps += 1
        if epoch == 2 and steps % 5 == 0:
            raise KeyboardInterrupt
        return take_step(update, epoch)

    words = ("digits", "--recipe", "zeldes", "-o", tmp_path / "run", "--epochs", 3)
    monkeypatch.setattr(Update, "__call__", interrupted)
    assert fit(*words) == 130 and "stopped" in capsys.readouterr().err
    monkeypatch.undo()
    assert fit(*words, "--resume") == 0
    for name, path in (("a.npy", model), ("b.npy", tmp_path / "run")):
        assert run("encode", path, "digits:test", "-o", tmp_path / name) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("digits:test", "--epochs", 3), "other data"),
        (("digits", "--epochs", 1), "set at least as many"),
    ],
)
def test_resume_refuses_other_data_and_fewer_epochs(
    words: tuple[object, ...], message: str, tmp_path: Path, capsys: Capture
) -> None:
    same = ("--recipe", "zeldes", "-o", tmp_path / "run")
    assert fit("digits", *same, "--epochs", 2) == 0
    assert fit(*words, *same, "--resume") == 2
    assert message in capsys.readouterr().err


def test_nothing_of_an_earlier_run_stays(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 3)))
    assert fit("digits:test", "-o", tmp_path / "run", "--epochs", 1) == 0
    assert (tmp_path / "run/samples.npz").exists()
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i / 7},{i % 3}\n" for i in range(40)))
    again = (tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1)
    before = (tmp_path / "run/model.safetensors").read_bytes()
    assert fit(*again) == 2 and (tmp_path / "run/model.safetensors").read_bytes() == before
    assert "--overwrite" in capsys.readouterr().err
    assert fit(*again, "--overwrite") == 0
    assert not (tmp_path / "run/samples.npz").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_trackers_hear_of_each_epoch(tmp_path: Path) -> None:
    words = ("--recipe", "zeldes", "--epochs", 2, "--log", "csv", "--log", "tensorboard")
    assert fit("digits:test", "-o", tmp_path / "run", *words) == 0
    rows = (tmp_path / "run/log/metrics.csv").read_text().splitlines()
    assert len(rows) == 3 and {"bound", "rate", "step", "term/ELBO"} <= set(rows[0].split(","))
    assert list((tmp_path / "run/tensorboard").glob("events.*"))


@pytest.mark.parametrize(
    ("name", "message"), [("tensorbord", "unknown tracker"), ("wandb", "reparam[trackers]")]
)
def test_a_tracker_that_is_not_there(
    name: str, message: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    assert fit("digits:test", "-o", tmp_path / "run", "--epochs", 1, "--log", name) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()
