"""Data in an object store: S3's protocol, spoken by a server on this machine."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import pytest

from reparam import VAE, DataError, Training, load
from reparam.cli.main import app

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
ROWS = pd.DataFrame({"a": np.arange(60) / 7, "b": ["x", "y", "z"] * 20})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    running = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file system, with an empty bucket; a user's settings are in the environment."""
    for name, value in {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    if system.exists("bucket"):
        system.rm("bucket", recursive=True)
    system.mkdir("bucket")
    return system


def test_a_table_is_that_of_a_file_and_copied_once_for_each_version(bucket: Any, tmp_path: Path) -> None:
    bucket.pipe("bucket/rows.csv", ROWS.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(load("s3://bucket/rows.csv").X, ROWS)
    load("s3://bucket/rows.csv")
    assert len(list((tmp_path / "cache").rglob("rows.csv"))) == 1
    bucket.pipe("bucket/rows.csv", ROWS[:7].to_csv(index=False).encode())
    assert len(load("s3://bucket/rows.csv").X) == 7


def test_shards_are_streamed_and_the_command_line_reads_them(bucket: Any, tmp_path: Path) -> None:
    for i in range(3):
        held = io.BytesIO()
        ROWS[20 * i : 20 * i + 20].to_parquet(held, row_group_size=5)
        bucket.pipe(f"bucket/many/{i}.parquet", held.getvalue())
    there = load("s3://bucket/many", buffer=1 << 20)
    assert there.streamed and len(there.X.sizes) == 12
    assert not list((tmp_path / "cache").rglob("*.parquet"))
    pd.testing.assert_frame_equal(pd.concat(there.X), ROWS)
    here = load("s3://bucket/many")
    assert len(list((tmp_path / "cache").rglob("*.parquet"))) == 3
    training = Training(epochs=2, batch_size=10)
    mine, other = (VAE(1, training=training, random_state=0).fit(data.X) for data in (here, there))
    np.testing.assert_array_equal(mine.transform(ROWS), other.transform(ROWS))
    other.save(tmp_path / "m.safetensors")
    words = ["encode", str(tmp_path / "m.safetensors"), "s3://bucket/many", "-o", str(tmp_path / "codes.csv")]
    app(words, standalone_mode=False)
    assert len(pd.read_csv(tmp_path / "codes.csv")) == 60


@pytest.mark.parametrize("place", ["bucket/none.csv", "nowhere/rows.csv"])
def test_what_is_not_there_is_one_line(place: str, bucket: Any) -> None:
    with pytest.raises(DataError, match=f"s3://{place}: no such file or folder") as error:
        load(f"s3://{place}")
    assert "\n" not in str(error.value)
