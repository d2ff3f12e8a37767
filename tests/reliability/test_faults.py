"""Short forms of the torture: a training killed within an epoch, signals, damaged files, two runs at once."""

import ast
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reparam
from reparam import MLP, VAE, Adam, FormatError, RMSprop, SpecError, Training
from reparam.data.load import stream
from reparam.serialization.atomic import locked
from reparam.serialization.header import read_header
from reparam.serialization.model_file import read, write
from reparam.training.checkpoint import Pause
from reparam.training.update import Update
from tests.cli.helpers import Capture, fit, run

FIXTURES = Path(__file__).parents[1] / "fixtures"
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
FIT = ("--latent-dim", 2, "--epochs", 3, "--set", "encoder=MLP((8,))", "--set", "training.batch_size=10")


def small(**words: Any) -> VAE:
    return VAE(2, encoder=MLP((8,)), training=Training(epochs=3, batch_size=10, **words), random_state=0)


class Stop(Exception):
    """A training was stopped by a test."""


class SaveAt:
    """Saves at a step and ends the training there."""

    def __init__(self, vae: VAE, step: int, path: Path) -> None:
        self.vae, self.step, self.path, self.steps = vae, step, path, 0

    def wanted(self) -> tuple[bool, bool]:
        self.steps += 1
        return self.steps == self.step, False

    def __call__(self, stop: bool) -> None:
        self.vae.save_training(self.path)
        raise Stop


@pytest.mark.parametrize("words", [{}, {"patience": 1, "validation": 0.2, "ema": None}])
@pytest.mark.parametrize("step", [1, 4, 8, 10])
def test_a_training_stopped_within_an_epoch_ends_with_the_same_bits(
    step: int, words: dict[str, Any], tmp_path: Path
) -> None:
    vae = small(**words)
    pause: Pause = SaveAt(vae, step, tmp_path / "t")
    with pytest.raises(Stop):
        list(vae.fit_iter(X, pause=pause))
    resumed, whole = small(**words), small(**words).fit(X)
    np.random.default_rng(1).normal(size=3)
    list(resumed.fit_iter(X, resume=tmp_path / "t"))
    for vae, name in ((whole, "a"), (resumed, "b")):
        vae.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_training_at_the_next_step_and_a_model_is_there(
    number: signal.Signals, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", X)
    words, take_step = (tmp_path / "x.npy", *FIT, "-o"), Update.__call__

    def signalled(update: Update, epoch: int) -> bool:
        if update.step == 3:
            os.kill(os.getpid(), number)
        return take_step(update, epoch)

    monkeypatch.setattr(Update, "__call__", signalled)
    before = signal.signal(number, signal.default_int_handler)  # one that the caller ignores stays ignored
    try:
        assert fit(*words, tmp_path / "run") == 128 + number
    finally:
        signal.signal(number, before)
    assert f"stopped by {number.name} and saved" in capsys.readouterr().err
    monkeypatch.undo()
    assert read_header(tmp_path / "run/training.safetensors")["training"]["step"] == 4
    assert run("score", tmp_path / "run", tmp_path / "x.npy", "-k", 2, "-o", tmp_path / "s.npy") == 0
    assert fit(*words, tmp_path / "run") == 2 and "--resume continues it" in capsys.readouterr().err
    (tmp_path / "run/.reparam-left").write_bytes(b"half a file")
    assert fit(*words, tmp_path / "run", "--resume") == fit(*words, tmp_path / "whole") == 0
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "whole")]
    assert files[0] == files[1]
    assert not [p.name for p in (tmp_path / "run").iterdir() if p.name.startswith(".")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults")
    np.save(path / "x.npy", X)
    assert fit(path / "x.npy", *FIT, "-o", path / "run") == 0
    return path


def test_every_flipped_bit_is_noticed(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("model.safetensors", "training.safetensors"):
        data = (folder / "run" / name).read_bytes()
        for place in rng.integers(8 * len(data), size=300):
            damaged = bytearray(data)
            damaged[place // 8] ^= 1 << (place % 8)
            (tmp_path / "m").write_bytes(damaged)
            with pytest.raises(FormatError):
                read(tmp_path / "m")


def test_verify_names_the_damaged_file_and_resume_uses_the_one_before(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = (folder / "x.npy", *FIT, "-o", tmp_path / "run")
    assert fit(*words) == run("verify", tmp_path / "run") == 0
    path = tmp_path / "run/training.safetensors"
    whole, model = path.read_bytes(), (tmp_path / "run/model.safetensors").read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    capsys.readouterr()
    assert run("verify", tmp_path / "run", "--json") == 5
    found = json.loads(capsys.readouterr().out)
    assert [fault != "sound" for fault in found.values()] == [False, True, False]
    assert fit(*words, "--resume") == 0
    assert "training goes on from the checkpoint before it" in capsys.readouterr().err
    assert (tmp_path / "run/model.safetensors").read_bytes() == model


def test_a_folder_in_use_is_refused(folder: Path, capsys: Capture) -> None:
    with locked(folder / "run"):
        assert fit(folder / "x.npy", *FIT, "-o", folder / "run", "--overwrite") == 3
    assert "another run is writing" in capsys.readouterr().err


@pytest.mark.parametrize("value", [float("nan"), np.inf])
def test_weights_that_are_not_finite_or_of_another_type_are_refused(
    value: float, folder: Path, tmp_path: Path
) -> None:
    tensors, header = read(folder / "run/model.safetensors")
    name = next(name for name, t in tensors.items() if t.dim() == 2)
    tensors[name][0, 0] = value
    write(tmp_path / "m", tensors, header)
    with pytest.raises(FormatError, match="not finite"):
        VAE.load(tmp_path / "m")
    write(tmp_path / "m", tensors | {name: tensors[name].double()}, header)
    with pytest.raises(FormatError, match="float64"):
        VAE.load(tmp_path / "m")


def test_resume_compares_all_of_the_data(folder: Path, tmp_path: Path) -> None:
    many = np.random.default_rng(0).normal(size=(1500, 3)).astype(np.float32)
    vae = small()
    with pytest.raises(Stop):
        list(vae.fit_iter(many, pause=SaveAt(vae, 2, tmp_path / "t")))
    many[-1, 0] += 1
    with pytest.raises(ValueError, match="other data"):
        list(small().fit_iter(many, resume=tmp_path / "t"))


def test_resume_compares_all_rows_of_a_stream(tmp_path: Path) -> None:
    many = np.random.default_rng(0).normal(size=(1500, 3)).astype(np.float32)
    np.save(tmp_path / "rows.npy", many)
    vae = small()
    with pytest.raises(Stop):
        list(vae.fit_iter(stream(tmp_path / "rows.npy"), pause=SaveAt(vae, 2, tmp_path / "t")))
    many[-1, 0] += 1
    np.save(tmp_path / "rows.npy", many)
    with pytest.raises(ValueError, match="other data"):
        list(small().fit_iter(stream(tmp_path / "rows.npy"), resume=tmp_path / "t"))


def test_a_file_of_format_2_loads_with_a_warning_that_it_has_no_checksum() -> None:
    with pytest.warns(UserWarning, match="no checksum"):
        vae = VAE.load(FIXTURES / "format_2.safetensors")
    import pandas as pd

    frame = pd.DataFrame({"u": [0.126, -0.132, 0.64], "k": ["a", "b", "a"]})
    expected = [-1.5012413, -1.4053953, -2.1127034]
    np.testing.assert_allclose(vae.score_samples(frame, None, 20), expected, rtol=1e-4)


@pytest.mark.parametrize("verb", ["show", "verify", "cite"])
def test_a_pipe_is_no_model(verb: str, tmp_path: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert run(verb, tmp_path / "pipe") in (3, 5)
    assert "Traceback" not in capsys.readouterr().err


def test_a_newer_format_is_shown_and_a_double_key_is_refused(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    data = (folder / "run/model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    outer = json.loads(data[8 : 8 + size])
    inner = json.loads(outer["__metadata__"]["reparam"])

    def written(text: str) -> Path:
        words = json.dumps(outer | {"__metadata__": {"reparam": text}}).encode()
        (tmp_path / "m.safetensors").write_bytes(len(words).to_bytes(8, "little") + words + data[8 + size :])
        return tmp_path / "m.safetensors"

    from reparam.serialization.header import signed

    text = json.dumps(inner | {"version": 99, "sha256": "0" * 64, "new": 1}, sort_keys=True)
    path = written(text)
    path.write_bytes(signed(path.read_bytes()))
    assert run("show", path) == 0
    assert "newer than" in capsys.readouterr().err
    for fault in (
        '"version": 2.0',
        '"version": true',
        '"version": 2, "version": 2',
        '"version": 2, "a": NaN',
    ):
        plain = {name: value for name, value in inner.items() if name != "sha256"} | {"version": 2}
        assert run("show", written(json.dumps(plain).replace('"version": 2', fault))) == 5


@pytest.mark.parametrize(
    ("kind", "words"),
    [(Adam, (0.9, 2.0)), (Adam, (float("nan"),)), (Adam, (0.9, 0.99, 0.0)), (RMSprop, (1.5,))],
)
def test_an_optimiser_out_of_range_is_refused(kind: Any, words: tuple[float, ...]) -> None:
    with pytest.raises(SpecError, match=kind.__name__):
        kind(*words)


FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}


def test_nothing_in_the_library_runs_code_from_a_file() -> None:
    for path in Path(reparam.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = [alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)]
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not FORBIDDEN & {name.partition(".")[0] for name in imported}, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "compile", "torch.load", "torch.jit.load"), path
