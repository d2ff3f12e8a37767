"""What the results page rests on: the likelihood, the schedule, the turns, and rows at tiny budgets."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import results
from benchmarks.__main__ import main, parsed
from benchmarks.importance_sampling import negative_log_likelihood
from benchmarks.quality import against_time, disentanglement
from benchmarks.quality.table_ranks import RANKS
from benchmarks.reproduce import log_likelihoods
from reparam.recipes import recipe


def test_importance_sampling_finds_a_likelihood_in_closed_form() -> None:
    """One latent that says of one pixel whether it is on: p(x) is a mean over z by fine quadrature."""
    z = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    law = torch.distributions.Normal(0.0, 1.0)
    on = float((law.log_prob(z).exp() * (2 * z).sigmoid()).sum() * (z[1] - z[0]))
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.cat([(2 * z).sigmoid(), torch.full_like(z, 0.25)], -1)

    def encode(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 0.5 * (2 * x[:, :1] - 1), torch.full_like(x[:, :1], 0.95)

    exact = np.mean([-np.log(on * 0.75), -np.log((1 - on) * 0.25), -np.log(on * 0.25)])
    found = negative_log_likelihood(x, encode, decode, k=20_000)
    assert found["mean"] == pytest.approx(exact, abs=0.01) and found["se"] > 0


def test_the_schedule_is_burdas() -> None:
    epochs = sum(3**i for i in range(8))
    rate = log_likelihoods.Stages(1e-3, 1e-4, epochs)
    burda = [1e-3 * 10 ** (-i / 7) for i in range(8) for _ in range(3**i)]
    assert np.allclose([rate(epoch) for epoch in range(epochs)], burda)
    assert rate(10 * epochs) == pytest.approx(1e-4)


def test_the_clock_that_is_behind_moves_and_evaluation_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now, turns = [0.0], []

    class Runner:
        def __init__(self, name: str, pace: float, epochs: int = 100) -> None:
            self.name, self.pace, self.left = name, pace, epochs

        def epoch(self) -> None:
            if not self.left:
                raise StopIteration
            self.left -= 1
            turns.append(self.name)
            now[0] += self.pace

        def evaluate(self, test: torch.Tensor) -> dict[str, float]:
            now[0] += 100
            return {"mean": 1.0, "se": 0.1}

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    runners: dict[str, Any] = {"slow": Runner("slow", 4.0), "fast": Runner("fast", 1.0)}
    runners["done"] = Runner("done", 3.0, epochs=1)
    ends = [row[:2] for row in against_time.alternate(runners, 6, torch.zeros(0))]
    assert ends == [("done", 1), ("slow", 2), ("fast", 6)]
    assert turns == ["slow", "fast", "done", *["fast"] * 3, "slow", "fast", "fast"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """40 pictures of nothing, in the place of every data set."""
    X = (np.random.default_rng(0).random((40, 28, 28)) < 0.2).astype(np.float32)
    for module in (log_likelihoods, against_time):
        monkeypatch.setattr(module, "load", lambda name: SimpleNamespace(X=X))
    return X


@pytest.mark.parametrize("name", log_likelihoods.LOG_LIKELIHOODS)
def test_a_published_row_runs(name: str, few: np.ndarray) -> None:
    row: Any = replace(log_likelihoods.LOG_LIKELIHOODS[name], epochs=1, k=3)()
    assert row["difference"] == pytest.approx(row["ours"]["mean"] - row["published"])
    assert row["k"] == 3 and row["n"] == len(few) and row["epochs"] == 1


def test_a_row_reaches_its_table_with_its_budget_and_its_command(
    few: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RESULTS", "PAGE"):
        monkeypatch.setattr(results, name, tmp_path / getattr(results, name).name)
    marks = "".join(f"<!-- {mark} -->\n<!-- end -->\n" for mark in (*results.TABLES, *RANKS))
    results.PAGE.write_text(marks)
    main(["reproduce", "pythae-vae", "--epochs", "1"])
    (line,) = [line for line in results.PAGE.read_text().splitlines() if line.startswith("| pythae-vae |")]
    assert "| 89.78 |" in line and "| 1 | 500 |" in line
    assert "`python -m benchmarks reproduce pythae-vae --epochs 1`" in line
    for wrong in (["reproduce", "geron", "--epochs", "1"], ["quality", "vae", "--epochs", "1"]):
        with pytest.raises(SystemExit):
            main(wrong)


def test_the_page_has_the_rows_of_the_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each command that a row names is one of today's."""
    page, rows = results.PAGE.read_text(), json.loads(results.RESULTS.read_text())
    for name, text in (("RESULTS", ""), ("PAGE", page)):
        monkeypatch.setattr(results, name, tmp_path / name)
        getattr(results, name).write_text(text)
    results.write(rows)
    assert results.PAGE.read_text() == page
    for command in {row["command"].strip("`") for row in rows.values() if "command" in row}:
        parsed(command.removeprefix("python -m benchmarks ").split())


def test_the_recipes_themselves_stay_as_they_are(few: np.ndarray) -> None:
    before = repr(recipe("iwae").model)
    replace(log_likelihoods.LOG_LIKELIHOODS["iwae-5"], epochs=1, k=1)()
    assert repr(recipe("iwae").model) == before


def test_time_has_a_row_a_contestant(few: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_time, "PYTHON", Path("nowhere"))
    rows = against_time.against_time((0.001, 0.01), images=5)
    assert list(rows) == ["reparam, VAE(40)", "plain PyTorch loop"]
    row: Any
    for row in rows.values():
        assert row["nll_0.001"]["mean"] > 0 and row["epochs_0.01"] >= row["epochs_0.001"] >= 1


@pytest.mark.parametrize("name", disentanglement.DISENTANGLEMENT)
def test_factors_have_quartiles_over_seeds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "dsprites").mkdir()
    arrays: dict[str, Any] = {
        "imgs": rng.integers(0, 2, (300, 8, 8), dtype=np.uint8),
        "latents_classes": rng.integers(0, 3, (300, 5)),
    }
    np.savez(tmp_path / "dsprites" / "dsprites_downsampled.npz", **arrays)
    monkeypatch.setenv("REPARAM_DATA", str(tmp_path))
    row: Any = replace(disentanglement.DISENTANGLEMENT[name], epochs=1, seeds=(0, 1))()
    assert len(row["mig"]) == 2 and min(row["mig"]) <= row["mig_median"] <= max(row["mig"])
