"""How `fit` shows and tells its progress, and training on blocks of rows."""

import sys
from types import ModuleType

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.utils.estimator_checks import check_n_features_in_after_fitting

from reparam import MLP, VAE, DataError, Given, Progress, SpecError, Training
from reparam.training import display

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) * [1.0, 2.0, 3.0]
BRIEF = Training(epochs=4, batch_size=20)


def small(**words: object) -> VAE:
    return VAE(2, **{"encoder": MLP((8,)), "training": BRIEF, "random_state": 0, **words})  # type: ignore[arg-type]


def test_verbose_shows_epochs_on_stderr_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = small().fit(X)
    assert capsys.readouterr() == ("", "")
    lines = small(verbose=2).fit(X)
    said = capsys.readouterr()
    assert said.out == "" and [line[:14] for line in said.err.splitlines()] == [
        f"epoch {i} of 4: "[:14] for i in range(1, 5)
    ]
    bar = small(verbose=1).fit(X)
    said = capsys.readouterr()
    assert said.out == "" and "4/4" in said.err and "bound" in said.err
    for vae in (lines, bar):
        assert (vae.score_samples(X) == silent.score_samples(X)).all()
    with pytest.raises(SpecError, match="verbose takes a whole number"):
        small(verbose=-1).fit(X)


def test_the_bar_moves_on_terminals_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """FORCE_COLOR, which a notebook sets for its commands, is none."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    small(verbose=1).fit(X)
    said = capsys.readouterr().err
    assert said.count("bound") == 1 and "\x1b" not in said


def test_in_a_notebook_the_bar_is_in_the_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert display.in_notebook()
    small(verbose=1).fit(X)
    said = capsys.readouterr()
    assert "4/4" in said.out and said.err == ""


def test_a_callback_sees_each_epoch_and_may_stop() -> None:
    seen: list[Progress] = []
    small().fit(X, callback=seen.append)
    assert [progress.epoch for progress in seen] == [1, 2, 3, 4]
    again = small().fit(X, callback=lambda progress: np.bool(progress.epoch == 2))
    assert len(again.history_) == 2
    vae = small().fit(X, callback=lambda progress: progress.epoch == 2)
    assert [row["epoch"] for row in vae.history_] == [1, 2] and vae.transform(X).shape == (60, 2)
    by_hand = small()
    for progress in by_hand.fit_iter(X):
        if progress.epoch == 2:
            break
    assert (vae.transform(X) == by_hand.transform(X)).all()


def test_a_callback_that_fails_leaves_a_fitted_model() -> None:
    def fail(progress: Progress) -> None:
        raise RuntimeError("no")

    vae = small()
    with pytest.raises(RuntimeError, match="no"):
        vae.fit(X, callback=fail)
    assert np.isfinite(vae.transform(X)).all() and not hasattr(vae, "trainer_")


def test_partial_fit_is_a_warm_start() -> None:
    blocks = [X[:30], 10 * X[30:]]
    vae, other = small(), small(warm_start=True)
    for block in blocks:
        assert vae.partial_fit(block) is vae
        other.fit(block)
    assert vae.warm_start is False and [row["epoch"] for row in vae.history_] == list(range(1, 9))
    assert (vae.score_samples(X) == other.score_samples(X)).all()
    assert (vae.transform(X) != small().fit(blocks[1]).transform(X)).any()


def test_partial_fit_keeps_columns_and_classes() -> None:
    vae = small(labels=Given(2)).partial_fit(X, np.arange(60) % 2)
    with pytest.raises(ValueError, match="expecting 3 features"):
        vae.partial_fit(X[:, :2], np.arange(60) % 2)
    with pytest.raises(DataError, match="2 is not a class of this model"):
        vae.partial_fit(X, np.arange(60) % 3)
    assert vae.warm_start is False
    check_n_features_in_after_fitting("VAE", small())


@pytest.mark.parametrize("library", [pd, pl])
def test_cells_of_a_frame_are_a_frame(library: ModuleType) -> None:
    frame = library.DataFrame({"u": X[:, 0], "kind": ["a", "b"] * 30, "v": X[:, 2]})
    cells = small().fit(frame).score_cells(frame)
    assert type(cells) is library.DataFrame and list(cells.columns) == ["u", "kind", "v"] and len(cells) == 60
    assert isinstance(small().fit(X).score_cells(X), np.ndarray)


def test_names_of_columns_and_codes() -> None:
    vae = small().fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    assert vae.feature_names_in_.tolist() == ["a", "b", "c"]
    assert vae.get_feature_names_out().tolist() == ["vae0", "vae1"]
    assert list(vae.set_output(transform="pandas").transform(pd.DataFrame(X, columns=["a", "b", "c"]))) == [
        "vae0",
        "vae1",
    ]
