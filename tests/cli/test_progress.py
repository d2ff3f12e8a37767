"""The line of an epoch: what is shown as a sum adds up."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    IWAE,
    MLP,
    MMD,
    VAE,
    Auxiliary,
    CrossEntropy,
    Enumerated,
    Given,
    Point,
    Training,
)
from reparam.cli import progress
from reparam.evaluation import passes
from reparam.training.display import epoch_summary, folded
from tests.cli.helpers import Capture, fit, run

Y = np.arange(90) % 3
X = np.random.default_rng(0).normal(size=(90, 4)) + 4 * Y[:, None]


def last_epoch(words: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = {"training": Training(epochs=2), "encoder": MLP((8,)), "random_state": 0}
    return VAE(2, **held | words).fit(X, Y).history_[-1]


N = r"-?\d+\.\d\d"
BOUND = rf"bound {N} \(summed over classes\); "
SUMMED: dict[str, tuple[dict[str, Any], str]] = {
    "default": (
        {"labels": Auxiliary(3)},
        rf"{BOUND}loss {N} = KL {N} \+ reconstruction {N} \+ weighted cross-entropy {N} nats",
    ),
    "held out": (
        {"labels": Auxiliary(3), "training": Training(epochs=2, validation=0.2)},
        rf"bound {N} \(summed over classes, held out\); loss {N} = KL {N} \+ reconstruction {N} \+ .* nats",
    ),
    "one term": (
        {"labels": Auxiliary(3), "objective": ELBO()},
        rf"{BOUND}loss {N} = KL {N} \+ reconstruction {N} nats",
    ),
    "more terms": (
        {"labels": Auxiliary(3), "objective": (CrossEntropy(), MMD(), ELBO())},
        rf"{BOUND}loss {N} = KL {N} \+ reconstruction {N} \+ weighted cross-entropy {N} \+ MMD {N} nats",
    ),
    "beta": (
        {"labels": Auxiliary(3), "objective": (ELBO(4), CrossEntropy())},
        rf"{BOUND}loss {N} = ELBO {N} \+ weighted cross-entropy {N}; KL {N}, reconstruction {N} nats",
    ),
    "IWAE": (
        {"labels": Auxiliary(3), "objective": (IWAE(5), CrossEntropy())},
        rf"{BOUND}loss {N} = IWAE {N} \+ weighted cross-entropy {N}; KL {N}, reconstruction {N} nats",
    ),
    "enumerated": (
        {"labels": Enumerated(3, MLP((8,))), "objective": ELBO()},
        rf"{BOUND}loss {N} = KL {N} \+ reconstruction {N} nats",
    ),
}


@pytest.mark.parametrize("case", SUMMED)
def test_with_a_classifier_the_loss_adds_up(case: str) -> None:
    words, pattern = SUMMED[case]
    row = last_epoch(words)
    line = epoch_summary(row)
    assert re.fullmatch(pattern, line)
    loss, parts = re.search(rf"loss ({N}) = ([^;]*)", line).groups()
    added = [float(number) for number in re.findall(N, parts)]
    assert float(loss) == pytest.approx(sum(added), abs=0.005 * (len(added) + 1) + 1e-9)  # each is rounded
    assert float(loss) == pytest.approx(row["loss"], abs=0.00501)
    assert f"bound {row['bound']:.2f} " in line and f"KL {row['rate']:.2f}" in line
    assert max(map(len, folded(line).splitlines())) <= 50 and " ".join(folded(line).split()) == line


@pytest.mark.parametrize("words", [{"labels": Given(3)}, {}, {"objective": IWAE(5)}], ids=str)
def test_without_a_classifier_the_line_is_three_figures(words: dict[str, Any]) -> None:
    line = epoch_summary(last_epoch(words))
    assert re.fullmatch(f"bound {N}, KL {N}, reconstruction {N} nats", line) and folded(line) == line


def test_an_autoencoder_s_classifier_has_no_bound() -> None:
    objective = (ELBO(beta=0), CrossEntropy())
    line = epoch_summary(last_epoch({"labels": Auxiliary(3), "posterior": Point(), "objective": objective}))
    assert re.fullmatch(f"reconstruction {N} nats", line)


def test_a_bound_that_is_no_number_is_left_out() -> None:
    row = last_epoch({"labels": Auxiliary(3)}) | {"bound": None}
    assert re.fullmatch(f"KL {N}, reconstruction {N} nats", epoch_summary(row))


def test_fit_and_show_print_the_same_line(tmp_path: Path, capsys: Capture) -> None:
    np.savez(tmp_path / "x.npz", X=X, y=Y)
    words = ("--set", "labels=Auxiliary(3)", "--set", "encoder=MLP((8,))", "--epochs", 3)
    assert fit(tmp_path / "x.npz", "-o", tmp_path / "run", *words) == 0
    said = capsys.readouterr()
    line = re.search(SUMMED["default"][1], said.out).group()
    assert "(summed over classes);" in said.err and "weighted cross-entropy" in said.err
    assert run("show", tmp_path / "run") == 0
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("slow", "terminal", "options", "shown"),
    [(0, True, [], True), (0, True, ["--quiet"], False), (0, False, [], False), (60, True, [], False)],
)
def test_a_long_pass_shows_its_rows(
    slow: float,
    terminal: bool,
    options: list[str],
    shown: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    tmp_path: Path,
) -> None:
    """On a terminal, after some seconds, and unless --quiet."""
    vae = VAE(2, encoder=MLP((8,)), training=Training(epochs=1), random_state=0).fit(X)
    vae.save(tmp_path / "m.safetensors")
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr(progress, "SLOW", slow)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    assert run("evaluate", tmp_path / "m.safetensors", tmp_path / "x.npy", *options) == 0
    assert ("90/90" in capsys.readouterr().err) == shown


def test_a_pass_tells_of_each_batch() -> None:
    seen: list[tuple[int, int]] = []
    with passes.watched(lambda done, n: seen.append((done, n))):
        passes.over_rows(lambda x, y: x, torch.zeros(10, 3), rows=4)
    passes.over_rows(lambda x, y: x, torch.zeros(10, 3), rows=4)
    assert seen == [(4, 10), (8, 10), (10, 10)]
