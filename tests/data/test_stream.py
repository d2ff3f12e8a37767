"""Rows that stay on disk: streamed they are what they are in memory, and memory does not grow with them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from reparam import VAE, Auxiliary, DataError, SpecError, Stream, Training, load, stream
from reparam.data.batching import shuffled
from reparam.data.readers import arrays, images
from reparam.estimator import preprocessing
from tests.cli.helpers import fit, run

QUICK = Training(epochs=2, batch_size=50)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """numbers.npy, table.parquet in 7 row groups, shards/ of 3 files, and pictures/ of two classes."""
    monkeypatch.setattr(arrays, "BLOCK", 4 * 5 * 64)
    monkeypatch.setattr(images, "BLOCK", 4)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5)).astype(np.float32)
    np.save(tmp_path / "numbers.npy", X)
    frame = pd.DataFrame(X, columns=list("abcde")).assign(kind=rng.choice(["u", "v"], 400))
    frame.loc[::9, "b"] = np.nan
    frame.to_parquet(tmp_path / "table.parquet", row_group_size=60)
    (tmp_path / "shards").mkdir()
    for i in range(3):
        frame[i * 150 : (i + 1) * 150].to_parquet(tmp_path / "shards" / f"{i}.parquet", row_group_size=50)
    for i in range(10):
        (tmp_path / "pictures" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize("name", ["numbers.npy", "table.parquet", "shards", "pictures"])
def test_a_stream_holds_the_rows_of_its_files(folder: Path, name: str) -> None:
    held = stream(folder / name)
    assert isinstance(held, Stream) and len(held.sizes) > 2
    if name == "shards":
        all_rows = pd.concat(map(pd.read_parquet, sorted((folder / name).iterdir())))
    else:
        all_rows = load(str(folder / name)).X
    assert len(held) == len(all_rows)
    for rows in (slice(None), slice(3, 9), np.array([7, 0, 7, 5]), torch.tensor([2])):
        numbers = rows if isinstance(rows, slice) else np.asarray(rows)
        wanted = all_rows.iloc[numbers] if hasattr(all_rows, "iloc") else all_rows[numbers]
        if hasattr(wanted, "iloc"):
            pd.testing.assert_frame_equal(held[rows].reset_index(drop=True), wanted.reset_index(drop=True))
        else:
            np.testing.assert_array_equal(held[rows], wanted)


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("buffer", [1, 2000, 1 << 20])
def test_an_epoch_sees_each_row_once(folder: Path, buffer: int, ranks: int) -> None:
    x = stream(folder / "numbers.npy", buffer).map(torch.from_numpy)
    seen, sizes = [], []
    for rank in range(ranks):
        torch.manual_seed(0)
        shares = list(shuffled(x, 30, rank, ranks, torch.device("cpu")))
        sizes.append([share.total for share in shares])
        for share in shares:
            torch.testing.assert_close(share.x, x[share.rows])
            seen += share.rows[: share.n].tolist()
        assert sum(share.n for share in shares) > 0
    assert sorted(seen) == list(range(400)) and seen != sorted(seen)
    assert all(each == sizes[0] for each in sizes) and sum(sizes[0]) == 400


def test_a_buffer_mixes_its_blocks(folder: Path) -> None:
    x = stream(folder / "numbers.npy", 400 * 20).map(torch.from_numpy)
    torch.manual_seed(0)
    first = next(shuffled(x, 100, 0, 1, torch.device("cpu")))
    assert len(np.unique(first.rows.numpy() // 64)) > 4
    narrow = stream(folder / "numbers.npy", 1).map(torch.from_numpy)
    assert len(np.unique(next(shuffled(narrow, 30, 0, 1, torch.device("cpu"))).rows // 64)) == 1


@pytest.mark.parametrize("name", ["numbers.npy", "table.parquet", "pictures"])
def test_a_model_of_a_stream_uses_rows_in_memory_alike(folder: Path, name: str) -> None:
    held, rows = stream(folder / name), load(str(folder / name)).X
    vae = VAE(2, training=QUICK, random_state=0).fit(held)
    np.testing.assert_allclose(vae.transform(held), vae.transform(rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        vae.score_samples(held, n_samples=5), vae.score_samples(rows, n_samples=5), rtol=1e-5
    )
    assert vae.evaluate(held, k=5).elbo == pytest.approx(vae.evaluate(rows, k=5).elbo)
    again = VAE(2, training=QUICK, random_state=0).fit(held)
    assert [row["loss"] for row in vae.history_] == [row["loss"] for row in again.history_]


def test_validation_holds_out_whole_blocks(folder: Path) -> None:
    vae = VAE(2, training=Training(epochs=2, validation=0.2), random_state=0).fit(
        stream(folder / "numbers.npy")
    )
    assert 60 <= len(vae.held_out_) <= 140
    assert set(np.bincount(vae.held_out_ // 64)) <= {0, 16, 64}
    assert vae.history_[-1]["validation"] is not None


def test_labels_of_a_stream(folder: Path) -> None:
    dataset = load(str(folder / "pictures"), buffer=1 << 20)
    vae = VAE(2, labels=Auxiliary(2), training=QUICK, random_state=0).fit(dataset.X, dataset.y)
    assert vae.predict(dataset.X).shape == (10,)


def test_faults_name_their_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "LEARNED", 7)
    X = np.load(folder / "numbers.npy")
    X[130, 2] = np.inf
    np.save(folder / "bad.npy", X)
    with pytest.raises(DataError, match=r"row 2, column 2; .*rows counted from 128"):
        VAE(2, training=QUICK).fit(stream(folder / "bad.npy"))
    (folder / "pictures" / "a" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"1 of 10 images cannot be read: a/0.png .*--skip-bad"):
        stream(folder / "pictures")
    assert len(load(str(folder / "pictures"), buffer=1, skip_bad=True).X) == 9
    pd.DataFrame({"a": [1.0]}).to_parquet(folder / "shards" / "9.parquet")
    with pytest.raises(DataError, match=r"9.parquet has other columns than .*0.parquet"):
        stream(folder / "shards")
    with pytest.raises(DataError, match="a window needs the whole time series"):
        VAE(2, window=5).fit(stream(folder / "numbers.npy"))
    with pytest.raises(SpecError, match="digits cannot be streamed"):
        load("digits", buffer=1)
    np.save(folder / "cube.npy", np.zeros(7))
    with pytest.raises(DataError, match="a stream needs rows of numbers"):
        stream(folder / "cube.npy")


def test_encode_streams_in_and_out(folder: Path) -> None:
    words = ("--epochs", 1, "--latent-dim", 2, "--buffer", 1)
    assert fit(folder / "shards", "-o", folder / "run", *words) == 0
    for output in ("z.npy", "z.csv", "z.parquet", "z.npz"):
        other = f"other-{output}"
        assert run("encode", folder / "run", folder / "shards", "-o", folder / output) == 0
        assert run("encode", folder / "run", folder / "table.parquet", "-o", folder / other) == 0
        a, b = (load(str(folder / name)).X for name in (output, other))
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-6)
        assert a.shape == (400, 3 if Path(output).suffix in {".csv", ".parquet"} else 2)


PEAK = """
import sys
from pathlib import Path
from reparam import VAE, Training, stream
X = stream(sys.argv[1], 1 << 20)
vae = VAE(2, training=Training(epochs=1, batch_size=4096), random_state=0).fit(X)
vae.transform(X)
status = Path("/proc/self/status").read_text()  # getrusage would count this process's parent too
print(status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read where Linux says them")
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    peaks = []
    for rows in (20_000, 220_000):  # of 512 bytes: the data grow by 98 MiB, in memory the peak by twice that
        np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(rows, 128)).astype(np.float32))
        command = [sys.executable, "-c", PEAK, str(tmp_path / "x.npy")]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(int(printed) / 1024)
    assert peaks[1] - peaks[0] < 75, peaks
