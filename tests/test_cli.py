"""The command line from end to end on the bundled digits, and its one-line errors."""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reparam import Training
from reparam.cli import main as cli, run_folder as runs
from reparam.training.update import Update

Capture = pytest.CaptureFixture[str]


def run(*words: object) -> int:
    import sys
    from unittest.mock import patch

    with patch.object(sys, "argv", ["reparam", *map(str, words)]), pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "z"
    assert run("fit", "digits", "--recipe", "zeldes", "--epochs", 3, "-o", out) == 0
    return out


def test_run_folder(model: Path) -> None:
    assert {p.name for p in model.iterdir()} == {
        "model.safetensors",
        "training.safetensors",
        "history.jsonl",
        "samples.npz",
        "figures",
    }
    assert len((model / "history.jsonl").read_text().splitlines()) == 3
    assert np.load(model / "samples.npz")["samples"].shape == (3, 10, 8, 8)
    assert {"losses.png", "samples_by_epoch.png"} <= {p.name for p in (model / "figures").iterdir()}


def test_evaluate_prints_one_object(model: Path, capsys: Capture) -> None:
    assert run("evaluate", model, "digits:test", "-k", 20, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n"] == 360 and result["k"] == 20 and result["log_likelihood"]["se"] > 0
    assert result["elbo"] == pytest.approx(-result["rate"] - result["distortion"])


def test_a_report_is_one_page_with_all_in_it(model: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "report.html"
    assert run("evaluate", model, "digits:test", "-k", 10, "--ais", 2, "--report", out, "--json") == 0
    result, page = json.loads(capsys.readouterr().out), out.read_text()
    assert result["ais"]["steps"] == 2 and list(result["bound_by_k"]) == ["1", "2", "5", "10"]
    assert page.count("data:image/png;base64,") >= 4 and "http" not in page
    assert all(words.split("'")[0] in page for words in result["warnings"]) and "log likelihood" in page
    assert run("evaluate", model, "digits:test", "--report", "report.pdf") == 2


def labelled(path: Path) -> Path:
    rng, classes = np.random.default_rng(0), np.arange(90) % 3
    u = rng.normal(4.0 * classes)
    pd.DataFrame({"u": u, "kind": np.array(["a", "b", "c"])[classes], "v": u + rng.normal(size=90)}).to_csv(
        path, index=False
    )
    return path


@pytest.mark.parametrize("head", ["Auxiliary", "Given"])
@pytest.mark.parametrize("buffer", [(), ("--buffer", 1)])
def test_a_table_s_labels_are_remembered(
    head: str, buffer: tuple[object, ...], tmp_path: Path, capsys: Capture
) -> None:
    """The column that `fit` was told of is y wherever it is found, and no strange column."""
    data, out = labelled(tmp_path / "kinds.csv"), tmp_path / "run"
    if buffer:
        data = data.with_suffix(".parquet")
        pd.read_csv(tmp_path / "kinds.csv").to_parquet(data, row_group_size=30)
    brief = Training(epochs=40, batch_size=16)
    words = ("--label", "kind", "--set", f"labels={head}(3)", "--set", f"training={brief}")
    assert run("fit", data, *words, *buffer, "-o", out) == 0
    assert run("evaluate", out, data, "-k", 5, "--json", *buffer) == 0
    said = capsys.readouterr()
    accuracy = json.loads(said.out.splitlines()[-1])["accuracy"]
    assert accuracy is None if head == "Given" else accuracy > 0.7
    assert "was not in training" not in said.err
    for verb in ("score", "encode"):
        assert run(verb, out, data, "-o", tmp_path / f"{verb}.csv", *buffer) == 0
        assert len((tmp_path / f"{verb}.csv").read_text().splitlines()) == 91
    if head == "Given":
        assert run("predict", out, data, "-o", tmp_path / "p.csv", *buffer) == 3
    else:
        assert run("predict", out, data, "-o", tmp_path / "p.csv", *buffer) == 0
        table = pd.read_csv(tmp_path / "p.csv")
        assert list(table) == ["a", "b", "c"] and len(table) == 90
        np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-5)
    assert run("fit", data, "--label", "sort", *buffer, "-o", tmp_path / "other") == 3
    assert "has no column 'sort'" in capsys.readouterr().err


def test_labels_that_nothing_learns_are_said(tmp_path: Path, capsys: Capture) -> None:
    data, out = labelled(tmp_path / "kinds.csv"), tmp_path / "run"
    assert run("fit", data, "--label", "kind", "--epochs", 1, "-o", out) == 0
    assert (
        "kind is left out of the model; --set 'labels=Auxiliary(3)' would learn it" in capsys.readouterr().err
    )
    assert run("evaluate", out, data, "-k", 2) == 0
    assert "was not in training" not in capsys.readouterr().err


def test_fit_ends_with_what_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    assert run("fit", "digits", "--recipe", "zeldes", "--epochs", 2, "-o", tmp_path / "sick") == 0
    assert "latent dimensions have collapsed. Take fewer" in capsys.readouterr().err


def test_verbs_write_their_files(model: Path, tmp_path: Path) -> None:
    assert run("encode", model, "digits:test", "-o", tmp_path / "z.npy") == 0
    z = np.load(tmp_path / "z.npy")
    assert z.shape == (360, 10)
    assert run("decode", model, tmp_path / "z.npy", "--label", 3, "-o", tmp_path / "x.npz") == 0
    assert np.load(tmp_path / "x.npz")["X"].shape == (360, 8, 8)
    assert run("score", model, "digits:test", "-k", 5, "-o", tmp_path / "s.csv") == 0
    assert (tmp_path / "s.csv").read_text().startswith("score\n")
    assert run("reconstruct", model, "digits:test", "-o", tmp_path / "r.png") == 0
    assert run("sample", model, "-n", 6, "--label", 7, "-o", tmp_path / "g.png") == 0
    assert run("sample", model, "-n", 6, "--seed", 3, "-o", tmp_path / "g.npy") == 0
    assert np.load(tmp_path / "g.npy").shape == (6, 8, 8)
    assert run("plot", model, "--data", "digits:test", "-o", tmp_path / "figures") == 0
    assert len(list((tmp_path / "figures").iterdir())) >= 8
    assert (tmp_path / "figures" / "traversal.gif").read_bytes().startswith(b"GIF89a")


def test_pixels_are_whole_numbers_where_the_likelihood_counts(tmp_path: Path) -> None:
    words = ("--set", "likelihood=DiscretizedLogistic(17)", "--latent-dim", 2, "--epochs", 1)
    assert run("fit", "digits", *words, "-o", tmp_path / "run") == 0
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
        (["fit", "digits", "--set", "nonsense=1"], 2, "unknown key 'nonsense': there are latent_dim,"),
        (["fit", "digits", "--set", "likelihood=Bernoulli()"], 3, "Bernoulli needs values in {0, 1}"),
        (["fit", "digits", "--set", "training.learning_rate=1e30"], 4, "Lower learning_rate"),
        (["fit", "digitz"], 3, "did you mean"),
        (["fit", "nowhere.npy"], 3, "nowhere.npy"),
        (["fit", "digits", "--epochs", "0"], 2, "epochs"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    words: list[str], status: int, message: str, tmp_path: Path, capsys: Capture
) -> None:
    assert run(*words, "-o", tmp_path / "run") == status
    err = capsys.readouterr().err.strip()
    assert message in err.splitlines()[-1] and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_samples_of_many_epochs_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SAMPLE_BYTES", 4 * 10 * 64 * 4)
    fit = ("fit", "digits", "-o", tmp_path / "run", "--latent-dim", 2, "--epochs")
    assert run(*fit, 5) == run(*fit, 9, "--resume") == 0
    held = np.load(tmp_path / "run/samples.npz")
    assert held["epochs"].tolist() == [1, 5, 9] and held["samples"].shape == (3, 10, 8, 8)


def test_a_wrong_shape_and_an_empty_file(model: Path, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((4, 8, 9), np.float32))
    assert run("score", model, tmp_path / "wide.npy", "-o", tmp_path / "s.csv") == 3
    assert "this model was fitted on (8, 8)" in capsys.readouterr().err
    (tmp_path / "empty.npy").touch()
    assert run("fit", tmp_path / "empty.npy", "-o", tmp_path / "run") == 3
    assert not (tmp_path / "s.csv").exists() and not (tmp_path / "run").exists()


def forged(file: Path, old: str, new: str) -> bytes:
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = data[8 : 8 + size].decode().replace(old, new)
    return struct.pack("<Q", len(header)) + header.encode() + data[8 + size :]


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
        forged(good, '\\"version\\": 2', '\\"version\\": 9'),
    ):
        bad.write_bytes(data)
        assert run("sample", bad, "-o", tmp_path / "x.png") == 5
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "owned").exists() and not (tmp_path / "x.png").exists()


def test_a_missing_model(tmp_path: Path, capsys: Capture) -> None:
    assert run("show", tmp_path / "none") == 3
    assert "no model at" in capsys.readouterr().err


def test_resume_is_as_if_never_stopped(model: Path, tmp_path: Path, capsys: Capture) -> None:
    fit = ("fit", "digits", "--recipe", "zeldes", "-o", tmp_path / "run", "--epochs")
    assert run(*fit, 3, "--resume") == 3
    assert "no training to resume" in capsys.readouterr().err
    assert run(*fit, 2) == run(*fit, 3, "--resume") == 0
    whole, resumed = (np.load(path / "samples.npz")["samples"] for path in (model, tmp_path / "run"))
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

    fit = ("fit", "digits", "--recipe", "zeldes", "-o", tmp_path / "run", "--epochs", 3)
    monkeypatch.setattr(Update, "__call__", interrupted)
    assert run(*fit) == 130 and "stopped" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(*fit, "--resume") == 0
    for name, path in (("a.npy", model), ("b.npy", tmp_path / "run")):
        assert run("encode", path, "digits:test", "-o", tmp_path / name) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("digits:test", "--epochs", 3), "other data"),
        (("digits", "--epochs", 1), "as many epochs or more"),
    ],
)
def test_resume_refuses_other_data_and_fewer_epochs(
    words: tuple[object, ...], message: str, tmp_path: Path, capsys: Capture
) -> None:
    fit = ("--recipe", "zeldes", "-o", tmp_path / "run")
    assert run("fit", "digits", *fit, "--epochs", 2) == 0
    assert run("fit", *words, *fit, "--resume") == 2
    assert message in capsys.readouterr().err


def test_nothing_of_an_earlier_run_stays(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 3)))
    assert run("fit", "digits:test", "-o", tmp_path / "run", "--epochs", 1) == 0
    assert (tmp_path / "run/samples.npz").exists()
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i / 7},{i % 3}\n" for i in range(40)))
    assert run("fit", tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0
    assert not (tmp_path / "run/samples.npz").exists()


def test_fit_judges_by_the_held_out_rows(tmp_path: Path, capsys: Capture) -> None:
    words = ("--set", "training.validation=0.25", "--epochs", 1, "--json")
    assert run("fit", "digits:test", "-o", tmp_path / "run", *words) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 90


@pytest.mark.parametrize(
    ("verb", "status", "message"),
    [
        (("sample", "MODEL", "-o", "g.txt"), 2, "cannot write .txt"),
        (("score", "MODEL", "digits:test", "-o", "scores"), 2, "a file without an ending"),
        (("fit", "digits", "-o", "FILE", "--epochs", 1), 3, "is a file: -o names the run's folder"),
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


TOML = """
latent_dim = [3, 2]
encoder = "MLP((16,))"
[training]
epochs = 2
learning_rate = 1
clip = 5.0
compile = false
device = "cpu"
"""


def test_a_toml_file_holds_typed_values_and_specs(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.toml").write_text(TOML)
    words = ("--config", tmp_path / "c.toml", "--set", "training.learning_rate=0.01")
    assert run("fit", "digits:test", "-o", tmp_path / "run", *words, "--epochs", 1) == 0
    assert len((tmp_path / "run/history.jsonl").read_text().splitlines()) == 1
    capsys.readouterr()
    assert run("show", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert "(3, 2)" in shown and "MLP((16,)" in shown and "Training(1, 128, 0.01" in shown


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("latentdim = 2", "unknown key 'latentdim': did you mean latent_dim?"),
        ("latent_dim = 2.5", "latent_dim=2.5: 2.5 is not int"),
        ("training.epochs = 'many'", "training.epochs=many: not a spec"),
        ("training.epochs = '2'", ""),
        ("training.precision = 'fp8'", "not a spec"),
        ("training.clip = -1", "norms above 0"),
        ("likelihood = 'Bernouli()'", "did you mean Bernoulli?"),
    ],
)
def test_values_of_a_toml_file_are_checked(line: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.toml").write_text(line)
    status = run("fit", "digits:test", "-o", tmp_path / "run", "--config", tmp_path / "c.toml")
    assert message in capsys.readouterr().err and status == (2 if message else 0)


def test_a_label_is_left_out_of_what_a_verb_reads(tmp_path: Path, capsys: Capture) -> None:
    """Every verb that reads a table takes --label, also of a model that was fitted without the column."""
    data = labelled(tmp_path / "kinds.csv")
    pd.read_csv(data).drop(columns="kind").to_csv(tmp_path / "plain.csv", index=False)
    assert run("fit", tmp_path / "plain.csv", "--epochs", 1, "-o", tmp_path / "run") == 0
    capsys.readouterr()
    for verb in ("score", "encode", "reconstruct", "impute"):
        assert run(verb, tmp_path / "run", data, "--label", "kind", "-o", tmp_path / f"{verb}.csv") == 0
        assert "was not in training" not in capsys.readouterr().err


def test_impute_and_reconstruct_block_by_block(tmp_path: Path, capsys: Capture) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), columns=list("abc"))
    frame.iloc[::7, 1] = np.nan
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=30)
    model, data = tmp_path / "run", tmp_path / "t.parquet"
    assert run("fit", data, "--epochs", 1, "-o", model) == 0
    for verb in ("impute", "reconstruct"):
        assert run(verb, model, data, "--buffer", 1, "-o", tmp_path / "o.parquet") == 0
        filled = pd.read_parquet(tmp_path / "o.parquet")
        assert filled.shape == (90, 3) and filled.notna().all(axis=None)
    assert run("impute", model, data, "--buffer", 1, "--draws", 2, "-o", tmp_path / "d.csv") == 2
    assert "leave --draws out" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_trackers_hear_of_each_epoch(tmp_path: Path) -> None:
    words = ("--recipe", "zeldes", "--epochs", 2, "--log", "csv", "--log", "tensorboard")
    assert run("fit", "digits:test", "-o", tmp_path / "run", *words) == 0
    rows = (tmp_path / "run/log/metrics.csv").read_text().splitlines()
    assert len(rows) == 3 and {"bound", "rate", "step", "term/ELBO"} <= set(rows[0].split(","))
    assert list((tmp_path / "run/tensorboard").glob("events.*"))


@pytest.mark.parametrize(
    ("name", "message"), [("tensorbord", "no tracker is called"), ("wandb", "reparam[trackers]")]
)
def test_a_tracker_that_is_not_there(
    name: str, message: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    assert run("fit", "digits:test", "-o", tmp_path / "run", "--epochs", 1, "--log", name) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_profile_shares_out_a_step(tmp_path: Path, capsys: Capture) -> None:
    run("fit", "digits", "--recipe", "zeldes", "--epochs", 1, "--profile", "--json", "-o", tmp_path / "run")
    printed = capsys.readouterr()
    json.loads(printed.out)
    assert "matrix products and convolutions" in printed.err and "100%" in printed.err


def test_what_the_columns_were_taken_for_is_said(tmp_path: Path, capsys: Capture) -> None:
    rows = "".join(f"{i},{i * 0.5},{'ab'[i % 2]},x\n" for i in range(30))
    (tmp_path / "t.csv").write_text("id,v,kind,same\n" + rows)
    assert run("fit", tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0
    err = capsys.readouterr().err
    assert "v: real, Gaussian(scale=Shared())" in err and "kind: categorical, Categorical(2)" in err
    assert "id: key, left out" in err and "same: constant, left out" in err
    assert run("show", tmp_path / "run") == 0
    assert "id: key, left out" in capsys.readouterr().out


def test_result_columns_of_the_users_own_name_are_refused(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 2)), columns=["draw", "score"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert run("fit", tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0
    for words in (("impute", "--draws", 2), ("score", "--per-cell")):
        verb, *options = words
        assert run(verb, tmp_path / "run", tmp_path / "t.csv", "-o", tmp_path / "o.csv", *options) == 3
        assert "duplicate column name" in capsys.readouterr().err


def test_options_that_nothing_reads_are_refused(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 3)))
    out = tmp_path / "run"
    assert run("fit", tmp_path / "x.npy", "-o", out, "--epochs", 1) == 0
    capsys.readouterr()
    for words, message in (
        (("evaluate", out, tmp_path / "x.npy", "--delay", 3), "--delay is for a series"),
        (("evaluate", out, tmp_path / "x.npy", "--na", "zz"), "na is for .csv files"),
        (("score", out, tmp_path / "x.npy", "-o", tmp_path / "s.csv", "--skip-bad"), "folders of pictures"),
        (("plot", out, "-o", tmp_path / "figures", "--skip-bad"), "say how --data is read"),
        (
            ("sample", out, "-o", tmp_path / "s.csv", "--given", "0=1", "--given", "0=2"),
            "duplicate column '0' in --given",
        ),
        (("fit", tmp_path / "x.npy", "-o", out, "--set", "training.learning_rate=abc"), "learning_rate=abc"),
        (("fit", tmp_path / "x.npy", "-o", out, "--set", "training.learning_rate=1e999"), "above 0"),
    ):
        assert run(*words) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,x\n2.5,y\n" * 9)
    assert run("decode", out, tmp_path / "t.csv", "-o", tmp_path / "d.csv") == 3
    assert "holds text" in capsys.readouterr().err


def test_labels_may_be_missing_where_they_are_judged(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    frame["kind"] = np.where(frame.a > 0, "yes", "no")
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.loc[frame.index % 3 == 0, "kind"] = np.nan
    frame.to_csv(tmp_path / "h.csv", index=False)
    words = ("--label", "kind", "--epochs", 1, "--set")
    assert run("fit", tmp_path / "h.csv", "-o", tmp_path / "r", *words, "labels=Auxiliary(2)") == 3
    assert "no label in row 0" in capsys.readouterr().err
    assert run("fit", tmp_path / "t.csv", "-o", tmp_path / "r", *words, "labels=Auxiliary(2)") == 0
    assert run("evaluate", tmp_path / "r", tmp_path / "h.csv", "-k", 2, "--json") == 0
    assert run("fit", tmp_path / "h.csv", "-o", tmp_path / "e", *words, "labels=Enumerated(2)") == 0
    capsys.readouterr()
    assert run("evaluate", tmp_path / "r", tmp_path / "t.csv", "--label", "a") == 3
    assert "as data, not as a label" in capsys.readouterr().err


def test_a_row_beyond_every_number_is_named_in_the_figures(tmp_path: Path, capsys: Capture) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert run("fit", tmp_path / "t.csv", "-o", tmp_path / "r", "--epochs", 20) == 0
    frame.loc[7, "a"] = 9e17
    frame.to_csv(tmp_path / "far.csv", index=False)
    words = ("evaluate", tmp_path / "r", tmp_path / "far.csv", "-k", 2)
    assert run(*words, "--report", tmp_path / "r.html") == 0
    assert "1 of 60 rows, the first of them row 7" in capsys.readouterr().err
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["log_likelihood"]["mean"] is None
