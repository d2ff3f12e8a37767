"""`--engine ray`: blocks on a cluster of two processors, with the numbers of one process."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reparam import VAE, DataError, Dataset, Stream, Training
from reparam.cli.cluster import on_ray

from .helpers import run

N = 60


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataError, match=r"--engine ray needs pip install 'reparam\[ray\]'"):
        next(on_ray(lambda block: block, Dataset("rows", np.zeros((2, 2)))))


def test_a_cluster_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def refused(**_: object) -> None:
        raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379")

    monkeypatch.setattr(ray, "init", refused)
    with pytest.raises(DataError, match=r"Failed to connect .* check RAY_ADDRESS"):
        next(on_ray(lambda block: block, Dataset("rows", np.zeros((2, 2)))))


@pytest.fixture(scope="module")
def cluster() -> Any:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def run_of_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shards of a table that has gaps, and a model of it."""
    folder = tmp_path_factory.mktemp("cluster")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"a": rng.normal(size=N), "b": rng.choice(["x", "y"], N), "c": rng.normal(size=N)})
    rows.loc[::7, "a"] = np.nan
    (folder / "shards").mkdir()
    for i in range(3):
        rows[20 * i : 20 * i + 20].to_parquet(folder / "shards" / f"{i}.parquet", row_group_size=10)
    VAE(2, training=Training(epochs=2), random_state=0).fit(rows).save(folder / "model.safetensors")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["score", "encode", "impute"])
def test_the_numbers_are_those_of_one_process(verb: str, run_of_shards: Path, cluster: Any) -> None:
    model, shards = str(run_of_shards / "model.safetensors"), str(run_of_shards / "shards")
    for engine in ("local", "ray"):
        run(verb, model, shards, "--engine", engine, "-o", str(run_of_shards / f"{verb}-{engine}.csv"))
    one, several = ((run_of_shards / f"{verb}-{engine}.csv").read_text() for engine in ("local", "ray"))
    assert len(one.splitlines()) == N + 1
    assert several == one


def blocks() -> Dataset:
    return Dataset("rows", Stream([10] * 4, lambda i: np.full((10, 2), float(i))))


@pytest.mark.slow
def test_a_block_whose_process_dies_is_computed_again(tmp_path: Path, cluster: Any) -> None:
    died = str(tmp_path / "died")

    def fragile(block: Dataset) -> float:
        if block.first == 20 and not os.path.exists(died):
            open(died, "w").close()
            os._exit(1)
        return float(block.X.sum())

    assert list(on_ray(fragile, blocks())) == [0, 20, 40, 60]
    assert os.path.exists(died)


@pytest.mark.slow
def test_the_error_of_a_block_is_its_own(cluster: Any) -> None:
    def refused(block: Dataset) -> float:
        if block.first == 10:
            raise DataError("row 13 cannot be read; correct it")
        return float(block.first)

    results = on_ray(refused, blocks())
    assert next(results) == 0
    with pytest.raises(DataError, match="row 13 cannot be read"):
        next(results)
