"""`reparam compare`: figures side by side, and differences paired by row."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from reparam.cli.compare import paired_difference
from tests.cli.helpers import Capture, fit, run

N = 300


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z, classes = rng.normal(size=N), np.arange(N) % 2
    return pd.DataFrame(
        {
            "a": 3 * classes + z,
            "b": z + 0.3 * rng.normal(size=N),
            "count": rng.poisson(3, N),
            "kind": np.array(["x", "y"])[classes],
        }
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one table: long and short fits, other likelihoods, other columns, labels learnt or given."""
    folder = tmp_path_factory.mktemp("compare")
    table().to_csv(folder / "t.csv", index=False)
    table().drop(columns="kind").to_csv(folder / "plain.csv", index=False)
    plain = {
        "long": ("--epochs", 30),
        "short": ("--epochs", 5, "--seed", 1),
        "density": ("--epochs", 1, "--set", "columns.count=Gaussian()"),
        "point": ("--epochs", 1, "--set", "posterior=Point()", "--set", "objective=ELBO(beta=0)"),
    }
    labelled = {"whole": (), "learnt": ("labels=Auxiliary(2)",), "given": ("labels=Given(2)",)}
    for name, words in plain.items():
        assert fit(folder / "plain.csv", "--latent-dim", 2, *words, "-o", folder / name) == 0
    for name, settings in labelled.items():
        label = ("--label", "kind") if settings else ()
        chosen = [word for each in settings for word in ("--set", each)]
        assert fit(folder / "t.csv", "--epochs", 5, *label, *chosen, "-o", folder / name) == 0
    return folder


def compared(*words: object, capsys: Capture) -> tuple[dict[str, dict[str, object]], str]:
    capsys.readouterr()
    assert run("compare", *words, "--json") == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out.splitlines()[0])
    return {row["model"]: row for row in found["models"]}, " ".join(found["warnings"])


def test_the_difference_is_paired(runs: Path, capsys: Capture) -> None:
    """Its standard error is below that of unpaired means, and its mean is the difference of theirs."""
    rows, warnings = compared(runs / "long", runs / "short", runs / "plain.csv", "-k", 20, capsys=capsys)
    a, b = rows["long"]["log_likelihood"], rows["short"]["log_likelihood"]
    difference = rows["short"]["difference"]
    assert isinstance(a, dict) and isinstance(b, dict) and isinstance(difference, dict)
    assert rows["long"]["difference"] is None and not warnings
    assert difference["mean"] == pytest.approx(b["mean"] - a["mean"], abs=0.05)
    assert difference["mean"] < -4 * difference["se"]
    assert difference["se"] < np.hypot(a["se"], b["se"])
    assert rows["short"]["n"] == N and set(rows["long"]) == set(rows["short"])


def test_figures_are_those_of_evaluate(runs: Path, capsys: Capture) -> None:
    rows, _ = compared(runs / "long", runs / "short", runs / "plain.csv", "-k", 7, capsys=capsys)
    for name in ("long", "short"):
        assert run("evaluate", runs / name, runs / "plain.csv", "-k", 7, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {
            key: value for key, value in rows[name].items() if key not in ("model", "difference")
        }


def test_the_difference_is_that_of_the_printed_means(runs: Path, capsys: Capture) -> None:
    assert run("compare", runs / "long", runs / "short", runs / "plain.csv", "-k", 5, "--json") == 0
    first, second = json.loads(capsys.readouterr().out)["models"]
    means = [model["log_likelihood"]["mean"] for model in (first, second)]
    assert second["difference"]["mean"] == pytest.approx(means[1] - means[0], abs=1e-4)
    assert second["difference"]["se"] < second["log_likelihood"]["se"]


def test_differences_of_missing_and_infinite_scores() -> None:
    a, b = torch.tensor([1.0, 2.0, math.nan, 5.0]), torch.tensor([0.0, 0.0, 1.0, 0.0])
    found = paired_difference(a, b)
    assert found is not None and found.mean == pytest.approx(8 / 3)
    assert found.se == pytest.approx(np.std([1, 2, 5], ddof=1) / 3**0.5)
    assert paired_difference(torch.tensor([-math.inf, 1.0]), b[:2]) is None
    assert paired_difference(torch.tensor([math.nan]), b[:1]) is None
    one = paired_difference(a[:1], b[:1])
    assert one is not None and one.se is None


def test_the_table_and_the_file(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    words = (
        runs / "learnt",
        runs / "long",
        runs / "t.csv",
        "--label",
        "kind",
        "-k",
        3,
        "-o",
        tmp_path / "c.csv",
    )
    assert run("compare", *words) == 0
    printed = capsys.readouterr()
    assert "difference" in printed.out and "accuracy" in printed.out and "±" in printed.out
    assert "…" not in printed.out and "300 rows, 3 importance samples" in printed.out
    frame = pd.read_csv(tmp_path / "c.csv")
    assert list(frame.model) == ["learnt", "long"] and list(frame.n) == [N, N]
    assert frame.accuracy.notna().tolist() == [True, False]
    assert frame.difference.notna().tolist() == frame.difference_se.notna().tolist() == [False, True]
    assert run("compare", runs / "long", runs / "plain.csv", "-k", 2) == 0
    assert "difference" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:.*was not in training")
@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("long", "short", ""),
        ("long", "learnt", ""),
        ("long", "density", "probabilities and densities of column 'count'"),
        ("density", "long", "densities and probabilities of column 'count'"),
        ("long", "whole", "one models the column 'kind' and the other does not"),
        ("long", "given", "one is of log p(x | label) and the other of log p(x)"),
    ],
)
def test_what_cannot_be_compared_is_said(a: str, b: str, words: str, runs: Path, capsys: Capture) -> None:
    _, warnings = compared(runs / a, runs / b, runs / "t.csv", "-k", 2, capsys=capsys)
    assert words in warnings and bool(words) == bool(warnings)


def test_a_model_without_a_density_has_no_difference(runs: Path, capsys: Capture) -> None:
    for names in (("long", "point"), ("point", "long")):
        rows, _ = compared(*(runs / name for name in names), runs / "plain.csv", "-k", 2, capsys=capsys)
        assert rows["point"]["log_likelihood"] is None
        assert rows["long"]["difference"] is rows["point"]["difference"] is None


def test_pixels_of_other_ranges(tmp_path: Path, capsys: Capture) -> None:
    for name, top in (("coarse", 5), ("fine", 17)):
        words = ("--set", f"likelihood=DiscretizedLogistic({top})", "--latent-dim", 1, "--epochs", 1)
        assert fit("digits:test", *words, "-o", tmp_path / name) == 0
    _, warnings = compared(tmp_path / "coarse", tmp_path / "fine", "digits:test", "-k", 2, capsys=capsys)
    assert "pixels up to 4 and up to 16" in warnings


@pytest.mark.filterwarnings("ignore:.*was not in training")
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("long", "missing", "t.csv"), 3, "missing: there is no model at"),
        (("long", "whole", "plain.csv"), 3, "whole: "),
        (("long", "given", "plain.csv"), 3, "given: labels=Given(2) needs y"),
        (("long", "short"), 2, "is a model, and DATA is the last argument"),
        (("long", "short", "t.csv", "-o", "c.png"), 2, "use .csv or .parquet, not 'c.png'"),
        (
            ("long", "whole", "t.csv", "--label", "kind"),
            3,
            "whole: in this model the column 'kind'",
        ),
    ],
)
def test_refusals_name_the_model(
    words: tuple[str, ...],
    status: int,
    message: str,
    runs: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(runs)
    capsys.readouterr()
    assert run("compare", *words) == status
    err = capsys.readouterr().err
    assert message in err.splitlines()[-1] and "Traceback" not in err


def test_models_of_one_name(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    twin = tmp_path / "long"
    twin.symlink_to(runs / "long")
    rows, _ = compared(runs / "long", twin, twin, runs / "plain.csv", "-k", 2, capsys=capsys)
    assert list(rows) == [str(runs / "long"), str(twin), f"{twin} (2)"]
    difference = rows[str(twin)]["difference"]
    assert isinstance(difference, dict) and difference["mean"] == difference["se"] == 0


def test_series_and_streams(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(120) / 5) + 0.1 * rng.normal(size=120)
    wave[30] = np.nan
    pd.DataFrame({"timestamp": np.arange(120) * 60, "value": wave}).to_csv(tmp_path / "s.csv", index=False)
    np.save(tmp_path / "x.npy", rng.normal(size=(300, 4)).astype(np.float32))
    for window in (5, 6):
        words = ("--window", window, "--epochs", 1, "--latent-dim", 1)
        assert fit(tmp_path / "s.csv", *words, "-o", tmp_path / f"w{window}") == 0
    rows, warnings = compared(*(tmp_path / name for name in ("w5", "w6", "s.csv")), "-k", 2, capsys=capsys)
    assert "windows of 5 and 6 points" in warnings and rows["w6"]["difference"] is not None
    for name in ("a", "b"):
        assert fit(tmp_path / "x.npy", "--epochs", 1, "-o", tmp_path / name) == 0
    arguments = [tmp_path / name for name in ("a", "b", "x.npy")]
    whole, _ = compared(*arguments, "-k", 2, capsys=capsys)
    streamed, _ = compared(*arguments, "-k", 2, "--buffer", 1, capsys=capsys)
    assert streamed["b"]["difference"] == pytest.approx(whole["b"]["difference"])
