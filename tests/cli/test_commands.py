"""The command line from end to end on the bundled digits, and its one-line errors."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from reparam import VAE
from reparam.serialization.header import CHECKSUM, UNSIGNED, VERSION, signed
from reparam.training.precision import multiplied
from tests.cli.helpers import Capture, fit, run


def test_evaluate_prints_one_object(model: Path, capsys: Capture) -> None:
    assert run("evaluate", model, "digits:test", "-k", 20, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n"] == 360 and result["k"] == 20 and result["log_likelihood"]["se"] > 0
    assert result["elbo"] == pytest.approx(-result["rate"] - result["distortion"])


@pytest.mark.parametrize(
    ("outside", "words", "inside"),
    [
        ("medium", [], "medium"),
        ("medium", ["--precision", "32-true"], "highest"),
        ("32-true", ["--precision", "medium"], "medium"),
    ],
)
def test_an_evaluation_multiplies_as_it_is_told(
    outside: str, words: list[str], inside: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, evaluate = [], VAE.evaluate

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(torch.get_float32_matmul_precision())
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(VAE, "evaluate", watched)
    with multiplied(outside):
        assert run("evaluate", model, "digits:test", "-k", 2, "--json", *words) == 0
    assert seen == [inside] and torch.get_float32_matmul_precision() == "highest"


def test_a_report_is_one_page_with_all_in_it(model: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "report.html"
    assert run("evaluate", model, "digits:test", "-k", 10, "--ais", 2, "--report", out, "--json") == 0
    result, page = json.loads(capsys.readouterr().out), out.read_text()
    assert result["ais"]["steps"] == 2 and list(result["bound_by_k"]) == ["1", "2", "5", "10"]
    assert page.count("data:image/png;base64,") >= 4 and "http" not in page
    assert all(words.split("'")[0] in page for words in result["warnings"]) and "log-likelihood" in page
    assert run("evaluate", model, "digits:test", "--report", "report.pdf") == 2


def test_fit_ends_with_what_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    assert fit("digits", "--recipe", "zeldes", "--epochs", 2, "-o", tmp_path / "sick") == 0
    assert "latent dimensions have collapsed. latent_dim=" in capsys.readouterr().err


def test_verbs_write_their_files(model: Path, tmp_path: Path) -> None:
    assert run("encode", model, "digits:test", "-o", tmp_path / "z.npy") == 0
    z = np.load(tmp_path / "z.npy")
    assert z.shape == (360, 10)
    assert run("decode", model, tmp_path / "z.npy", "--label", 3, "-o", tmp_path / "x.npz") == 0
    assert np.load(tmp_path / "x.npz")["X"].shape == (360, 8, 8)
    assert run("score", model, "digits:test", "-k", 5, "-o", tmp_path / "s.csv") == 0
    assert (tmp_path / "s.csv").read_text().startswith("row,score\n0,")
    assert run("reconstruct", model, "digits:test", "-o", tmp_path / "r.png") == 0
    assert run("sample", model, "-n", 6, "--label", 7, "-o", tmp_path / "g.png") == 0
    assert run("sample", model, "-n", 6, "--seed", 3, "-o", tmp_path / "g.npy") == 0
    assert np.load(tmp_path / "g.npy").shape == (6, 8, 8)
    assert run("plot", model, "--data", "digits:test", "-o", tmp_path / "figures") == 0
    assert len(list((tmp_path / "figures").iterdir())) >= 8
    assert (tmp_path / "figures" / "traversal.gif").read_bytes().startswith(b"GIF89a")


def test_pixels_are_whole_numbers_where_the_likelihood_counts(tmp_path: Path) -> None:
    words = ("--set", "likelihood=DiscretizedLogistic(17)", "--latent-dim", 2, "--epochs", 1)
    assert fit("digits", *words, "-o", tmp_path / "run") == 0
    assert run("plot", tmp_path / "run", "--data", "digits:test", "-o", tmp_path / "figures") == 0
    assert (tmp_path / "figures" / "reconstructions.png").is_file()


def test_show_cite_recipes(model: Path, capsys: Capture) -> None:
    assert run("show", model) == run("cite", model) == run("recipes") == 0
    out = capsys.readouterr().out
    assert "Auxiliary(10, " in out and "zeldes2018vae" in out and "frans-memory" in out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["fit", "digits", "--recipe", "geronn"], 2, "did you mean geron?"),
        (["fit", "digits", "--set", "likelihood=Bernouli()"], 2, "did you mean Bernoulli?"),
        (["fit", "digits", "--set", "prior=__import__('os').system('true')"], 2, "not a spec"),
        (["fit", "digits", "--set", "nonsense"], 2, "--set takes KEY=VALUE"),
        (["fit", "digits", "--set", "encoder=MLP((256"], 2, "encoder=MLP((256: a bracket is not closed"),
        (["fit", "digits", "--set", "epochs=5"], 2, "unknown key 'epochs': did you mean training.epochs?"),
        (["fit", "digits", "--set", "nonsense=1"], 2, "unknown key 'nonsense': there are latent_dim,"),
        (["fit", "digits", "--set", "likelihood=Bernoulli()"], 3, "Bernoulli needs values in {0, 1}"),
        (["fit", "digits", "--set", "training.learning_rate=1e30"], 4, "Lower learning_rate"),
        (["fit", "digitz"], 3, "did you mean"),
        (["fit", "nowhere.npy"], 3, "nowhere.npy"),
        (["fit", "digits", "--epochs", "0"], 2, "epochs"),
    ],
)
@pytest.mark.filterwarnings("ignore:the loss becomes")
def test_errors_are_one_line_and_leave_nothing(
    words: list[str], status: int, message: str, tmp_path: Path, capsys: Capture
) -> None:
    assert run(*words, "-o", tmp_path / "run") == status
    err = capsys.readouterr().err.strip()
    assert message in err.splitlines()[-1] and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_a_wrong_shape_and_an_empty_file(model: Path, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((4, 8, 9), np.float32))
    assert run("score", model, tmp_path / "wide.npy", "-o", tmp_path / "s.csv") == 3
    assert "this model was fitted on (8, 8)" in capsys.readouterr().err
    (tmp_path / "empty.npy").touch()
    assert fit(tmp_path / "empty.npy", "-o", tmp_path / "run") == 3
    assert not (tmp_path / "s.csv").exists() and not (tmp_path / "run").exists()


def forged(file: Path, old: str, new: str) -> bytes:
    """The file with another header, and the checksum of that."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = CHECKSUM.sub(lambda m: m[1] + UNSIGNED.encode(), data[8 : 8 + size]).decode()
    assert old in header
    header = header.replace(old, new)
    return signed(struct.pack("<Q", len(header)) + header.encode() + data[8 + size :])


def test_damaged_and_hostile_model_files(model: Path, tmp_path: Path, capsys: Capture) -> None:
    good, bad = model / "model.safetensors", tmp_path / "m.safetensors"
    whole = good.read_bytes()
    attack = "__import__('os').system('touch " + str(tmp_path / "owned") + "')"
    for data in (
        whole[: len(whole) // 2],
        whole[:100],
        b"",
        b"\x00" * 64,
        forged(good, "Auxiliary(10, ", f"{attack} or Auxiliary(10, "),
        forged(good, f'\\"version\\": {VERSION}', '\\"version\\": 9'),
    ):
        bad.write_bytes(data)
        assert run("sample", bad, "-o", tmp_path / "x.png") == 5
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "owned").exists() and not (tmp_path / "x.png").exists()


def test_a_missing_model(tmp_path: Path, capsys: Capture) -> None:
    assert run("show", tmp_path / "none") == 3
    assert "no model at" in capsys.readouterr().err


def test_fit_judges_by_the_held_out_rows(tmp_path: Path, capsys: Capture) -> None:
    words = ("--set", "training.validation=0.25", "--epochs", 1, "--json")
    assert run("fit", "digits:test", "-o", tmp_path / "run", *words) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 90


@pytest.mark.parametrize(
    ("verb", "status", "message"),
    [
        (("sample", "MODEL", "-o", "g.txt"), 2, "cannot write .txt"),
        (("score", "MODEL", "digits:test", "-o", "scores"), 2, "a file without an extension"),
        (("fit", "digits", "-o", "FILE", "--epochs", 1), 3, "it is a file; name a folder"),
        (("plot", "MODEL", "-o", "FILE"), 3, "FILE"),
        (("fit", "digits", "-o", "x", "--set", "latentdim=3"), 2, "did you mean latent_dim?"),
        (("fit", "digits", "-o", "x", "--set", "training.epoch=3"), 2, "did you mean training.epochs?"),
        (("fit", "digits", "-o", "x", "--set", "columns.age=Gaussian()"), 3, "is for tables"),
        (("cite", "geronn"), 2, "did you mean geron?"),
    ],
    ids=str,
)
def test_stumbles_are_told_before_the_work(
    verb: tuple[object, ...],
    status: int,
    message: str,
    model: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").touch()
    assert run(*(model if word == "MODEL" else word for word in verb)) == status
    err = capsys.readouterr().err
    assert message in err and len(err.strip().splitlines()) == 1


def test_profile_shares_out_a_step(tmp_path: Path, capsys: Capture) -> None:
    fit("digits", "--recipe", "zeldes", "--epochs", 1, "--profile", "--json", "-o", tmp_path / "run")
    printed = capsys.readouterr()
    json.loads(printed.out)
    assert "matrix products and convolutions" in printed.err and "100%" in printed.err


def test_what_the_columns_were_taken_for_is_said(tmp_path: Path, capsys: Capture) -> None:
    rows = "".join(f"{i},{i * 0.5},{'ab'[i % 2]},x\n" for i in range(30))
    (tmp_path / "t.csv").write_text("id,v,kind,same\n" + rows)
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0
    err = capsys.readouterr().err
    assert "v: real, Quantile()" in err and "kind: categorical, Categorical(2)" in err
    assert "id: key, left out" in err and "same: constant, left out" in err
    assert run("show", tmp_path / "run") == 0
    assert "id: key, left out" in capsys.readouterr().out


def test_a_row_beyond_every_number_is_named_in_the_figures(tmp_path: Path, capsys: Capture) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(scale=1e-3, size=(60, 2)), columns=["a", "b"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    likelihood = ("--set", "columns.a=Gaussian(scale=Shared())")
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "r", "--epochs", 20, *likelihood) == 0
    frame.loc[7, "a"] = 9e17
    frame.to_csv(tmp_path / "far.csv", index=False)
    words = ("evaluate", tmp_path / "r", tmp_path / "far.csv", "-k", 2)
    assert run(*words, "--report", tmp_path / "r.html") == 0
    assert "1 of 60 rows, the first of them row 7" in capsys.readouterr().err
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["log_likelihood"]["mean"] is None


def test_draws_are_compared_with_real_rows(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=300)
    table = pd.DataFrame({"a": z, "b": z + rng.normal(size=300), "kind": np.where(z > 0, "up", "down")})
    table[:200].to_csv(tmp_path / "train.csv", index=False)
    table[200:].to_csv(tmp_path / "test.csv", index=False)
    assert fit(tmp_path / "train.csv", "-o", tmp_path / "run", "--epochs", 20) == 0
    words = ("evaluate", tmp_path / "run", tmp_path / "test.csv", "-k", 5)
    draws = ("--draws", 200, "--training", tmp_path / "train.csv", "--target", "kind")
    capsys.readouterr()
    assert run(*words, *draws, "--json") == 0
    found = json.loads(capsys.readouterr().out)["draws"]
    assert found["shape"] > 0.6 and set(found["shapes"]) == {"a", "b", "kind"}
    assert found["efficacy"]["target"] == "kind" and 0 <= found["privacy"]["copies"] < 0.1
    assert run(*words, *draws, "--report", tmp_path / "page.html") == 0
    assert "AUC by one column alone" in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text()
    assert "Drawn rows" in page and "kind predicted by trees, AUC" in page and "Dot plot" in page
    assert run(*words, "--target", "kind") == 2
    assert "--draws" in capsys.readouterr().err
