"""Data at addresses and on the hub: in memory, and in a folder that is laid out as the hub's."""

import io
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pooch
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.dirfs import DirFileSystem  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from PIL import Image
from pyarrow import parquet

from reparam import VAE, DataError, Training, load
from reparam.data import load as loading
from reparam.data.readers import remote

ROWS = pd.DataFrame({"a": np.arange(60) / 7, "b": ["x", "y", "z"] * 20})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache"


@pytest.fixture
def store() -> Iterator[Any]:
    """An empty file system in memory."""
    system = fsspec.filesystem("memory")
    system.rm("/", recursive=True)
    yield system
    system.rm("/", recursive=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the hub."""

    class Hub(DirFileSystem):  # type: ignore[misc]
        protocol = "hf"
        cachable = False

        def __init__(self, **_: object) -> None:
            super().__init__(str(tmp_path / "hub"), LocalFileSystem())

        def ukey(self, path: str) -> str:
            return str(self.fs.ukey(self._join(path)))

    monkeypatch.setitem(import_module("fsspec.registry")._registry, "hf", Hub)
    return tmp_path / "hub" / "datasets"


def parquet_bytes(frame: pd.DataFrame, **words: Any) -> bytes:
    held = io.BytesIO()
    frame.to_parquet(held, **words)
    return held.getvalue()


def test_a_table_at_an_address_is_that_of_a_file(store: Any, cache: Path) -> None:
    store.pipe("/rows.csv", ROWS.to_csv(index=False).encode())
    found = load("memory://rows.csv", label="b")
    assert found.name == "memory://rows.csv"
    pd.testing.assert_frame_equal(found.X, ROWS[["a"]])
    assert list(found.y) == list(ROWS["b"])
    assert len(list(cache.rglob("rows.csv"))) == 1
    load("memory://rows.csv")
    assert len(list(cache.rglob("rows.csv"))) == 1


def test_a_file_that_has_changed_is_copied_again(store: Any) -> None:
    store.pipe("/rows.csv", b"a\n1\n2\n")
    assert len(load("memory://rows.csv").X) == 2
    store.pipe("/rows.csv", b"a\n1\n2\n3\n")
    assert len(load("memory://rows.csv").X) == 3


def test_arrays_and_their_splits(store: Any) -> None:
    held = io.BytesIO()
    X = np.arange(24.0).reshape(8, 3)
    np.savez(held, X_train=X, X_test=X[:2])
    store.pipe("/a/rows.npz", held.getvalue())
    assert load("memory://a/rows.npz:test").X.shape == (2, 3)
    np.testing.assert_array_equal(load("memory://a/rows.npz:train").X, X)


def test_shards_are_read_where_they_are(store: Any, cache: Path) -> None:
    """With a buffer nothing is copied, and training sees the rows of a file on disk."""
    for i in range(3):
        store.pipe(f"/many/{i}.parquet", parquet_bytes(ROWS[20 * i : 20 * i + 20], row_group_size=5))
    there = load("memory://many", buffer=1 << 20)
    assert there.streamed
    assert len(there.X.sizes) == 12
    assert not list(cache.rglob("*.parquet"))
    pd.testing.assert_frame_equal(pd.concat(there.X), ROWS)
    here = load("memory://many")
    assert len(list(cache.rglob("*.parquet"))) == 3
    assert there.X.sizes == here.X.sizes
    training = Training(epochs=2, batch_size=10)
    mine, other = (
        VAE(1, training=training, random_state=0).fit(data.X).transform(ROWS) for data in (here, there)
    )
    np.testing.assert_array_equal(mine, other)


def test_a_shard_that_changes_while_it_is_read_is_noticed(store: Any) -> None:
    store.pipe("/many/0.parquet", parquet_bytes(ROWS, row_group_size=20))
    rows = load("memory://many", buffer=1 << 20).X
    assert len(rows.read(0)) == 20
    store.pipe("/many/0.parquet", parquet_bytes(ROWS[:40], row_group_size=20))
    with pytest.raises(DataError, match=r"memory:///?many/0.parquet has changed while it was read"):
        rows.read(1)


def test_large_shards_are_not_copied(store: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe("/many/0.parquet", parquet_bytes(ROWS))
    monkeypatch.setattr(remote, "LARGE", 100)
    assert len(load("memory://many").X) == 60
    assert not list(cache.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("memory://none.csv", "memory://none.csv: no such file or folder"),
        ("nowhere://rows.csv", "fsspec knows no protocol nowhere://"),
        ("memory://pictures", "holds no .parquet files; name one file"),
        ("hf:", "names no data set of the hub"),
        ("hf:user/none", "the hub has no parquet files of it"),
        ("hf:user/name:dev", "has no split 'dev'; use hf:user/name:test or hf:user/name:train"),
        ("hf:user/several", "has no configuration 'default'; use hf:user/several/de or hf:user/several/fr"),
    ],
)
def test_faults_are_one_line(data: str, message: str, store: Any, hub: Path) -> None:
    store.pipe("/pictures/a.png", b"no picture")
    written(hub / "user/name/data/train-00000-of-00001.parquet", ROWS)
    written(hub / "user/name/data/test-00000-of-00001.parquet", ROWS)
    for language in ("de", "fr"):
        written(hub / f"user/several/{language}/train-00000-of-00001.parquet", ROWS)
    with pytest.raises(DataError, match=message) as error:
        load(data)
    assert "\n" not in str(error.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(DataError, match=r"s3:// needs a package beside fsspec: pip install s3fs"):
        load("s3://bucket/rows.csv")


def written(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)


def test_a_data_set_of_the_hub(hub: Path) -> None:
    for i in range(2):
        written(hub / f"user/name/data/train-0000{i}-of-00002.parquet", ROWS[30 * i : 30 * i + 30])
    written(hub / "user/name/data/validation-00000-of-00001.parquet", ROWS[:7])
    for data in ("hf:user/name", "hf:user/name:train", "hf:user/name/default:train"):
        pd.testing.assert_frame_equal(load(data).X[:], ROWS)
    assert len(load("hf:user/name:valid").X) == 7
    assert list(load("hf:user/name:validation", label="b").y) == list(ROWS["b"][:7])


def test_the_converted_branch_and_configurations(hub: Path) -> None:
    written(hub / "user/name@refs/convert/parquet/de/train/0000.parquet", ROWS)
    written(hub / "user/name@refs/convert/parquet/fr/partial-test/0000.parquet", ROWS[:9])
    assert len(load("hf:user/name/de").X) == 60
    assert len(load("hf:user/name/fr").X) == 9


def picture(value: int) -> dict[str, Any]:
    held = io.BytesIO()
    Image.fromarray(np.full((6, 5), value, np.uint8)).save(held, "PNG")
    return {"bytes": held.getvalue(), "path": None}


def test_images_inside_a_table(hub: Path) -> None:
    """As the hub keeps them: encoded, with numbered classes that have names."""
    table = pa.table({"image": [picture(v) for v in (0, 255, 51)], "label": [1, 0, 1]})
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path = hub / "user/pictures/data/train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(table, path)
    found = load("hf:user/pictures")
    assert found.X.shape == (3, 6, 5)
    np.testing.assert_allclose(found.X[:, 0, 0], [0, 1, 0.2])
    assert list(found.y) == ["dog", "cat", "dog"]
    assert load("hf:user/pictures", size=(3, 3)).X.shape == (3, 3, 3)
    here = loading._shards("pictures", [path], None, 1, None, ())
    np.testing.assert_array_equal(here.X, found.X)


@pytest.mark.parametrize("about", ["[]", "{", '{"info": {"features": []}}'])
def test_a_schema_that_says_nonsense_is_one_line(about: str, hub: Path) -> None:
    table = pa.table({"image": [picture(0)], "label": [1]}).replace_schema_metadata({"huggingface": about})
    path = hub / "user/pictures/data/train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(table, path)
    with pytest.raises(DataError, match="cannot be read"):
        load("hf:user/pictures")


def test_bytes_that_are_numbers_are_no_image(hub: Path) -> None:
    table = pa.table({"image": [{"bytes": 10**12, "path": "a.png"}], "label": [1]})
    path = hub / "user/numbers/data/train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(table, path)
    with pytest.raises(DataError, match="column 'image'"):
        VAE(1, training=Training(epochs=1)).fit(load("hf:user/numbers").X)
