"""Sources: what each word and file gives, and that every fault is one line that names the cure."""

import gc
import gzip
import hashlib
import http.server
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest

from reparam.data import named
from reparam.data.load import load
from reparam.data.named import NAMES, Remote
from reparam.errors import DataError

FOLDERS = {"mnist": "mnist", "fashion-mnist": "fashion-mnist", "binarized-mnist": "binarized_mnist"}
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 10
BITS = (IMAGES > 127).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    lengths = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(bytes((0, 0, 8, array.ndim)) + lengths + array.tobytes(), mtime=0)


def amat(bits: np.ndarray) -> bytes:
    return "".join(" ".join(map(str, row)) + "\n" for row in bits.reshape(len(bits), -1)).encode()


IDX_FILES = {  # the test part is the first five rows
    "train-images-idx3-ubyte.gz": idx(IMAGES),
    "train-labels-idx1-ubyte.gz": idx(LABELS),
    "t10k-images-idx3-ubyte.gz": idx(IMAGES[:5]),
    "t10k-labels-idx1-ubyte.gz": idx(LABELS[:5]),
}
AMAT_FILES = {
    f"binarized_mnist_{split}.amat": amat(BITS[:n]) for split, n in (("train", 12), ("valid", 4), ("test", 5))
}
FILES = {"mnist": IDX_FILES, "fashion-mnist": IDX_FILES, "binarized_mnist": AMAT_FILES}


def fault(data: object) -> str:
    """The message of the error, which is one line."""
    with pytest.raises(DataError) as info:
        load(str(data))
    assert "\n" not in str(info.value)
    return str(info.value)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the machine's own data, cache or proxy."""
    monkeypatch.delenv("REPARAM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "reparam"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that $REPARAM_DATA names, with all the files."""
    for folder in ("mnist", "fashion-mnist"):
        (tmp_path / "home" / folder).mkdir(parents=True)
        for name, content in IDX_FILES.items():
            (tmp_path / "home" / folder / name).write_bytes(content)
    (tmp_path / "home/binarized_mnist").mkdir()
    packed = np.packbits(BITS.reshape(12, 784), axis=1)
    np.savez(
        tmp_path / "home/binarized_mnist/binarized_mnist.npz", train=packed, valid=packed[:4], test=packed[:5]
    )
    monkeypatch.setenv("REPARAM_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


class Server(http.server.ThreadingHTTPServer):
    """A server that remembers what it was asked for."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: list[str] = []


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The sets as published, on this machine; yields the paths asked for."""
    root = tmp_path / "web"
    with Server(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(root))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for folder, files in FILES.items():
            (root / folder).mkdir(parents=True)
            for name, content in files.items():
                (root / folder / name).write_bytes(content)
            digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            remote = Remote(f"http://127.0.0.1:{httpd.server_port}/{folder}/", digests)
            monkeypatch.setitem(named.REMOTES, folder, remote)
        yield httpd.asked
        httpd.shutdown()
        thread.join()


def test_digits_are_split_and_scaled() -> None:
    train, test = load("digits:train"), load("digits:test")
    assert train.X.shape == (1437, 8, 8)
    assert test.X.shape == (360, 8, 8)
    assert train.X.dtype == np.float32
    assert (train.X.min(), train.X.max()) == (0, 1)
    assert train.y is not None
    assert train.y.shape == (1437,)
    assert load("digits").name == "digits"
    assert np.array_equal(load("digits").X, train.X)


def is_the_set(name: str) -> None:
    """Every split of a named set, against the arrays that it was made from."""
    counts = {"": 12, ":train": 12, ":test": 5} | ({":valid": 4} if name == "binarized-mnist" else {})
    X = BITS if name == "binarized-mnist" else IMAGES / np.float32(255)
    for split, n in counts.items():
        got = load(name + split)
        assert got.name == name + split
        assert got.X.dtype == np.float32
        assert np.array_equal(got.X, X[:n])
        if name == "binarized-mnist":
            assert got.y is None
        else:
            assert got.y is not None
            assert got.y.flags.writeable
            assert np.array_equal(got.y, LABELS[:n])


@pytest.mark.parametrize("name", FOLDERS)
def test_a_named_set_is_read_from_the_users_folder(name: str, home: Path, cache: Path) -> None:
    is_the_set(name)
    assert not cache.exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_named_set_is_downloaded_once_and_in_silence(
    name: str, server: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    is_the_set(name)
    asked = list(server)
    assert sorted(asked) == sorted(f"/{FOLDERS[name]}/{file}" for file in FILES[FOLDERS[name]])
    is_the_set(name)
    assert server == asked
    assert capfd.readouterr() == ("", "")


def test_a_damaged_cache_is_downloaded_again(server: list[str], cache: Path) -> None:
    load("mnist:test")
    (cache / "mnist/t10k-labels-idx1-ubyte.gz").write_bytes(b"spoilt")
    load("mnist:test")
    assert server.count("/mnist/t10k-labels-idx1-ubyte.gz") == 2


def test_a_download_that_was_changed_is_refused(
    server: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web/mnist/t10k-images-idx3-ubyte.gz").write_bytes(idx(IMAGES))
    assert "does not match the published sha256; put mnist/" in fault("mnist:test")
    assert not list((tmp_path / "cache").rglob("*.gz"))


def test_without_network_the_error_says_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setitem(named.REMOTES, "mnist", Remote(url, named.REMOTES["mnist"].files))
    assert fault("mnist") == (
        f"train-images-idx3-ubyte.gz is not in $REPARAM_DATA and download of {url} failed (ConnectionError); "
        "put mnist/train-images-idx3-ubyte.gz into a folder and set $REPARAM_DATA to that folder"
    )


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # pooch leaves the answer to a 404 open
def test_a_missing_page_is_an_error(server: list[str], tmp_path: Path) -> None:
    (tmp_path / "web/binarized_mnist/binarized_mnist_test.amat").unlink()
    assert "(HTTPError); put binarized_mnist/binarized_mnist_test.amat into" in fault("binarized-mnist:test")
    gc.collect()


def test_every_published_file_has_a_sha256() -> None:
    assert sorted(named.REMOTES) == sorted(FOLDERS.values())
    for folder, remote in named.REMOTES.items():
        assert remote.url.endswith("/")
        assert sorted(remote.files) == sorted(FILES[folder])
        assert all(len(bytes.fromhex(digest)) == 32 for digest in remote.files.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty (0 bytes); replace it with the original"),
        (
            b"no gzip",
            "cannot be read (BadGzipFile), it may be damaged or truncated; replace it with the original",
        ),
        (IDX_FILES["t10k-images-idx3-ubyte.gz"][:-200], "cannot be read (EOFError), it may be damaged"),
        (idx(LABELS), "is not an IDX file of bytes with 3 axes; replace it with the original"),
        (gzip.compress(b"\0\0\x08\x03", mtime=0), "cannot be read (ValueError), it may be damaged"),
        (
            gzip.compress(gzip.decompress(idx(IMAGES))[:-1], mtime=0),
            "is not an IDX file of bytes with 3 axes",
        ),
        (idx(IMAGES[:4]), "mnist:test has 4 rows and labels of shape (5,); use one label per row"),
    ],
)
def test_damaged_idx_files_are_named(home: Path, content: bytes, message: str) -> None:
    (home / "mnist/t10k-images-idx3-ubyte.gz").write_bytes(content)
    assert message in fault("mnist:test")


def test_a_damaged_binarized_mnist_is_named(home: Path) -> None:
    np.savez(home / "binarized_mnist/binarized_mnist.npz", train=BITS)
    assert "cannot be read (KeyError), it may be damaged" in fault("binarized-mnist:test")


def test_an_npy_is_one_array(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(5, 3))
    np.save(tmp_path / "a.npy", X)
    got = load(str(tmp_path / "a.npy"))
    assert got.name == str(tmp_path / "a.npy")
    assert got.y is None
    assert got.X.dtype == np.float64
    assert np.array_equal(got.X, X)
    (tmp_path / "a.npy").rename(tmp_path / "A:b.NPY")
    assert np.array_equal(load(str(tmp_path / "A:b.NPY")).X, X)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (IMAGES, (IMAGES / np.float32(255))),
        (BITS, BITS.astype(np.float32)),
        (BITS.astype(bool), BITS.astype(np.float32)),
        (IMAGES[:, 0], IMAGES[:, 0]),
        (IMAGES.astype(np.int64), IMAGES.astype(np.int64)),
        (IMAGES.astype(">f4"), IMAGES.astype(np.float32)),
        (np.array([[1.0, np.nan]]), np.array([[1.0, np.nan]])),
    ],
    ids=["bytes", "bytes of 0 and 1", "bools", "a table of bytes", "whole numbers", "big-endian", "holes"],
)
def test_bytes_of_three_axes_are_pictures(tmp_path: Path, X: np.ndarray, expected: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", X)
    got = load(str(tmp_path / "a.npy")).X
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


A, B = np.arange(6.0).reshape(3, 2), np.arange(8.0).reshape(4, 2)
GRID = np.arange(24.0).reshape(2, 3, 2, 2)
TEXT, WHOLE = np.array(["a", "b", "c"]), np.arange(4)


@pytest.mark.parametrize(
    ("arrays", "split", "X", "y"),
    [
        ({"X": A, "y": TEXT}, "", A, TEXT),
        ({"x": A, "labels": TEXT}, "", A, TEXT),
        ({"images": A, "targets": TEXT, "more": B}, "", A, TEXT),
        ({"data": A, "other": B}, "", A, None),
        ({"imgs": A, "latents_classes": B}, "", A, None),
        ({"images": GRID, "labels": GRID[..., 0, 0]}, "", GRID.reshape(-1, 2, 2), np.arange(0, 24, 4)),
        ({"anything": A}, "", A, None),
        ({"X_train": A, "y_train": TEXT, "X_test": B, "y_test": WHOLE}, "", A, TEXT),
        ({"X_train": A, "y_train": TEXT, "X_test": B, "y_test": WHOLE}, ":train", A, TEXT),
        ({"X_train": A, "y_train": TEXT, "X_test": B, "y_test": WHOLE}, ":test", B, WHOLE),
        ({"x_train": A, "x_test": B}, ":test", B, None),
        ({"train_images": A, "test_images": B, "test_labels": WHOLE}, ":test", B, WHOLE),
        ({"X": A, "X_valid": B}, ":valid", B, None),
        ({"X": A, "metadata": np.array([{}])}, "", A, None),
    ],
)
def test_an_npz_is_read_by_its_keys(
    tmp_path: Path, arrays: dict[str, Any], split: str, X: np.ndarray, y: np.ndarray | None
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    got = load(f"{tmp_path / 'a.npz'}{split}")
    assert np.array_equal(got.X, X)
    assert (got.y is None) if y is None else np.array_equal(got.y, y)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("mnits", f"unknown data 'mnits', did you mean 'mnist'? The named sets are {', '.join(NAMES)}; "),
        ("Digits:test", "unknown data 'Digits', did you mean 'digits'? The named sets are digits, mnist"),
        (
            "what",
            "unknown data 'what'. The named sets are digits, mnist, fashion-mnist, binarized-mnist; a path",
        ),
        ("rows.txt", "; a path must end with .npy or .npz"),
        ("", "unknown data ''."),
        ("mnist:", "unknown data 'mnist:', did you mean 'mnist'?"),
        ("digits:valid", "digits has no split 'valid'; use digits:train or digits:test"),
        ("binarized-mnist:all", "use binarized-mnist:train or binarized-mnist:valid or binarized-mnist:test"),
        ("nowhere.npy", "nowhere.npy: no such file; check the path"),
        ("nowhere.npz:test", "nowhere.npz: no such file; check the path"),
    ],
)
def test_a_wrong_word_is_named(data: str, message: str) -> None:
    assert message in fault(data)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[{}]]), "holds Python objects, which are never unpickled; save plain numbers"),
        (TEXT[:, None], "holds <U1, not numbers; save it as floats, integers or bools"),
        (A * 1j, "holds complex128, not numbers"),
        (WHOLE, "has shape (4,); rows and columns are needed: save X.reshape(-1, 1)"),
        (A[:0], "is empty, its shape is (0, 2); at least one row is needed"),
    ],
)
def test_an_array_that_is_no_data_is_named(tmp_path: Path, X: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", X)
    assert message in fault(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", X=X)
    assert message in fault(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("arrays", "split", "message"),
    [
        ({"b": A, "a": B}, "", "has no array with a known name (its arrays: b, a); name the data X"),
        (
            {"data": WHOLE, "indices": WHOLE, "shape": WHOLE},
            "",
            "(its arrays: data, indices, shape); name the data X",
        ),
        ({}, "", "has no array with a known name (its arrays: none); name the data X"),
        ({"X": A}, ":test", "has no split 'test' (its arrays: X); name them X_test and y_test"),
        ({"X": A, "y": WHOLE}, "", "has 3 rows and labels of shape (4,); use one label per row"),
        (
            {"X": A, "y": TEXT[:, None]},
            "",
            "has 3 rows and labels of shape (3, 1); use one label per row",
        ),
        ({"X": A, "y": np.array([{}, 1, 2])}, "", "holds Python objects, which are never unpickled"),
    ],
)
def test_an_npz_that_is_no_data_is_named(
    tmp_path: Path, arrays: dict[str, Any], split: str, message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert message in fault(f"{tmp_path / 'a.npz'}{split}")


def test_an_npy_has_no_split(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", A)
    assert "is one array and has no split 'test'; leave ':test' out" in fault(f"{tmp_path / 'a.npy'}:test")


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_a_damaged_file_is_named(tmp_path: Path, ending: str) -> None:
    path, cure = tmp_path / f"a.{ending}", f"write it again with numpy.save{'z' * (ending == 'npz')}"
    path.write_bytes(b"")
    assert fault(path) == f"{path} is empty (0 bytes); {cure}"
    path.write_bytes(b"neither one nor the other")
    assert fault(path) == f"{path} cannot be read (ValueError), it may be damaged or truncated; {cure}"


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_spoilt_bytes_never_give_another_error(tmp_path: Path, ending: str) -> None:
    path, chance = tmp_path / f"a.{ending}", random.Random(0)
    (np.savez_compressed if ending == "npz" else np.save)(path, A)
    whole = path.read_bytes()
    for _ in range(300):
        spoilt = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
        for _ in range(chance.randrange(4) if spoilt else 0):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        path.write_bytes(spoilt)
        with suppress(DataError):
            load(str(path))
