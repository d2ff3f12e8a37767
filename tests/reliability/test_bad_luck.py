"""Memory that does not suffice, and places that cannot be written: one line, before the work where that is
possible."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from PIL import Image

from reparam import MLP, VAE, Training
from reparam.cli.main import app
from reparam.data.load import stream
from reparam.errors import DataError, OutOfMemoryError
from reparam.memory import enough_for, is_out_of_memory, shortage
from reparam.serialization import atomic
from reparam.training.update import Update
from tests.cli.helpers import Capture, run
from tests.torture.memory import limited, write_data

CPU = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate "
SAID = [
    (RuntimeError(f"{CPU}{7 << 30} bytes. Error code 12 (Cannot allocate memory)"), "7.0 GiB"),
    (MemoryError("Unable to allocate 1.50 GiB for an array with shape (9, 9)"), "1.5 GiB"),
    (MemoryError("malloc of size 2097152 failed"), "2 MiB"),
    (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity"), "20.0 GiB"),
]


@pytest.mark.parametrize(("error", "amount"), SAID)
def test_what_was_asked_for_and_what_is_free_is_said(
    error: Exception, amount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3 << 30, 80 << 30))
    assert is_out_of_memory(error)
    said = str(shortage(error, "Use less."))
    assert f"{amount} were asked for and " in said and said.endswith("are free. Use less.")
    assert ("the GPU's memory" in said and "3.0 GiB are free" in said) == ("CUDA" in str(error))


def test_other_errors_are_no_lack_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"), enough_for("k", 3):
        raise RuntimeError("shapes cannot be multiplied")


def test_a_training_names_the_batch_that_may_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(update: Update, epoch: int) -> bool:
        raise RuntimeError(f"{CPU}{1 << 62} bytes. Error code 12 (Cannot allocate memory)")

    monkeypatch.setattr(Update, "__call__", fail)
    vae = VAE(2, encoder=MLP((8,)), training=Training(epochs=1, batch_size=10), random_state=0)
    with pytest.raises(OutOfMemoryError, match=r"asked for and .* are free. Use a smaller model"):
        vae.fit(np.eye(20, 4))
    monkeypatch.setattr("reparam.memory.free_memory", lambda error: 1 << 62)
    with pytest.raises(OutOfMemoryError, match="batch_size=10 is too much; batch_size=5 may fit"):
        vae.fit(np.eye(20, 4))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit is that of Linux")
def test_commands_with_too_little_memory_end_with_one_line(tmp_path: Path) -> None:
    write_data(tmp_path)
    verbs = ("impute", "decode", "sample")
    for found in limited([(verb, 20 << 20) for verb in verbs], tmp_path):
        assert not found.fault and found.status == 3
        assert "were asked for and" in found.said and "are free. Use " in found.said


FILES: list[tuple[str, ...]] = [
    ("sample", "none", "-o", "FILE.csv"),
    ("score", "none", "digits", "-o", "FILE.csv"),
    ("encode", "none", "digits", "-o", "FILE.npy"),
    ("decode", "none", "digits", "-o", "FILE.npy"),
    ("reconstruct", "none", "digits", "-o", "FILE.npz"),
    ("predict", "none", "digits", "-o", "FILE.csv"),
    ("impute", "none", "digits", "-o", "FILE.parquet"),
    ("detect", "digits", "-o", "FILE.csv"),
    ("detect", "digits", "--picture", "FILE.png"),
    ("compare", "none", "other", "digits", "-o", "FILE.csv"),
    ("evaluate", "none", "digits", "--report", "FILE.html"),
    ("export", "none", "--html", "FILE.html"),
]
FOLDERS: list[tuple[str, ...]] = [
    ("fit", "digits", "-o", "FILE"),
    ("plot", "none", "-o", "FILE"),
    ("export", "none", "-o", "FILE"),
]
"""Every option that names what is written."""
PLACES = [("file/run", "is no folder"), ("folder/run", "is read-only for you")]


def at(words: tuple[str, ...], path: Path) -> list[object]:
    """The words with that path for FILE, and its ending."""
    return [path.with_name(word.replace("FILE", path.name)) if "FILE" in word else word for word in words]


@pytest.mark.parametrize(("place", "message"), PLACES)
@pytest.mark.parametrize("words", FILES + FOLDERS, ids=" ".join)
def test_a_place_that_cannot_be_written_is_named_before_the_work(
    words: tuple[str, ...], place: str, message: str, tmp_path: Path, capsys: Capture, monkeypatch: Any
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "folder" and access(path, mode))
    assert run(*at(words, tmp_path / place)) == 3
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", FILES + FOLDERS, ids=" ".join)
def test_a_folder_is_no_file_and_a_file_no_folder(
    words: tuple[str, ...], tmp_path: Path, capsys: Capture
) -> None:
    command = at(words, tmp_path / "taken")
    path = Path(str(command[-1]))
    if words in FILES:
        path.mkdir()
    else:
        path.touch()
    assert run(*command) == 3
    found = capsys.readouterr().err
    assert ("it is a folder; name a file in it" if words in FILES else "it is a file; name a folder") in found


def test_every_option_that_writes_is_checked_before_the_work() -> None:
    """Each verb with an output stands in the two lists above."""
    group: Any = typer.main.get_command(app)
    writing = {
        (name, option.opts[0])
        for name, verb in group.commands.items()
        for option in verb.params
        if option.opts[0] in ("-o", "--picture", "--report", "--html")
    }
    assert writing == {(words[0], words[-2]) for words in FILES + FOLDERS}


def test_parents_that_are_missing_are_made(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(9, 4))
    vae = VAE(2, encoder=MLP((8,)), training=Training(epochs=1), random_state=0)
    vae.fit(np.eye(9, 4)).save(tmp_path / "model.safetensors")
    out = tmp_path / "a/b"
    assert run("sample", tmp_path / "model.safetensors", "-o", out / "s.csv") == 0
    assert run("plot", tmp_path / "model.safetensors", "-o", out / "figures") == 0
    assert (out / "s.csv").is_file() and (out / "figures").is_dir()


def test_a_full_disk_is_named_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "LEAST", 1 << 62)
    with pytest.raises(DataError, match=r"its disk is full, .* KiB are free"):
        atomic.check_writable(tmp_path / "new" / "file.csv")
    monkeypatch.undo()
    atomic.check_writable(tmp_path / "new" / "file.csv")
    atomic.check_writable(tmp_path, folder=True)


def truncate(path: Path) -> None:
    os.truncate(path, 900)


CHANGES: list[tuple[str, Any, str]] = [
    ("rows.npy", Path.unlink, "rows.npy has vanished while it was read"),
    ("rows.npy", truncate, "rows.npy has changed while it was read"),
    ("rows.npy", lambda path: np.save(path, np.ones((400, 5), np.float32)), "rows.npy has changed while"),
    ("shards/s2.parquet", Path.unlink, "s2.parquet has vanished while"),
    ("shards/s2.parquet", truncate, "s2.parquet has changed while"),
    ("images/07.png", Path.unlink, r"07.png \(vanished\)"),
    ("images/07.png", lambda path: path.write_bytes(b"x"), r"07.png \(not an image\)"),
]


@pytest.mark.parametrize(("file", "change", "message"), CHANGES)
def test_data_that_changes_while_it_is_streamed_is_named(
    file: str, change: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reparam.data.readers.arrays.BLOCK", 600)
    monkeypatch.setattr("reparam.data.readers.images.BLOCK", 8)
    X = np.random.default_rng(0).random((400, 5)).astype(np.float32)
    place = tmp_path / Path(file).parts[0]
    if place.suffix:
        np.save(place, X)
    else:
        place.mkdir()
    for i in range(40 if place.name == "images" else 4 * (place.name == "shards")):
        if place.name == "images":
            Image.fromarray((64 * X[i : i + 4, :4]).astype(np.uint8)).save(place / f"{i:02d}.png")
        else:
            pd.DataFrame(X[100 * i : 100 * i + 100], columns=list("abcde")).to_parquet(
                place / f"s{i}.parquet"
            )
    training = Training(epochs=5, batch_size=20)
    vae = VAE(2, encoder=MLP((8,)), training=training, random_state=0)
    with pytest.raises(DataError, match=message):
        for progress in vae.fit_iter(stream(place, buffer=1)):
            if progress.epoch == 1:
                change(tmp_path / file)
