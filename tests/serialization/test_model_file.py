"""Files of models: equal models give equal files, and a header that was tampered with is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reparam import (
    MLP,
    VAE,
    DataError,
    FormatError,
    Gaussian,
    Training,
)
from reparam.serialization.header import file_of
from reparam.serialization.model_file import read, write
from tests.models import people

SMALL: dict[str, Any] = {
    "latent_dim": 2,
    "encoder": MLP((8,)),
    "training": Training(epochs=2),
    "random_state": 0,
}
X = np.random.default_rng(0).normal(size=(60, 4))
HOLED = np.where(np.arange(240).reshape(60, 4) == 5, np.nan, X)


def small(**words: Any) -> VAE:
    return VAE(**SMALL | words)


@pytest.fixture(scope="module")
def plain() -> VAE:
    return small().fit(X)


@pytest.mark.parametrize(("words", "accepted"), [({}, False), ({"likelihood": Gaussian()}, True)])
def test_holes_are_taken_alike_before_and_after_a_file(
    words: dict[str, Any], accepted: bool, tmp_path: Path
) -> None:
    vae = small(**words).fit(X)
    vae.save(tmp_path / "m")
    for model in (vae, VAE.load(tmp_path / "m")):
        if accepted:
            assert np.isfinite(model.transform(HOLED)).all()
        else:
            with pytest.raises(DataError, match="NaN"):
                model.transform(HOLED)


def test_equal_models_are_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        small().fit(X).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    VAE.load(tmp_path / "a").save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        small().fit(X).save(tmp_path)


def codec(**words: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda header: header["codec"].update(words)


def spec(**words: str) -> Callable[[dict[str, Any]], Any]:
    return lambda header: header["spec"].update(words)


def event(*sizes: int) -> Callable[[dict[str, Any]], Any]:
    return lambda header: (header["codec"].update(event=sizes), header.update(event=sizes))


TAMPERED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "history": lambda header: header.update(history=["one"]),
    "a word in history": lambda header: header["history"][0].update(bound="high"),
    "no loss beside a sum": lambda header: header["history"][0].update(summed=True, loss=None),
    "a word as a term": lambda header: header["history"][0].update(summed=True, terms={"ELBO": "high"}),
    "no terms": lambda header: header["history"][0].update(summed=True, terms=None),
    "trained_on": lambda header: header.update(trained_on=[1]),
    "no spec": lambda header: header.pop("spec"),
    "a number as spec": lambda header: header["spec"].update(prior=3),
    "classes": lambda header: header.update(classes=["a", "b"]),
    "another event": lambda header: header.update(event=[5]),
    "a negative event": event(-1, 8),
    "a large event": event(10**6, 10**6),
    "no event": event(),
    "latent_dim": spec(latent_dim="1000000000"),
    "latent_dim beyond words": spec(latent_dim=str(10**30)),
    "hidden": spec(encoder="MLP((1000000, 1000000))"),
    "a prior": spec(prior="VampPrior(1000000000)"),
    "a seed": spec(random_state="None"),
    "kind": codec(kind="pickle"),
    "dtype": codec(dtype="evil"),
}


@pytest.mark.parametrize("fault", TAMPERED)
def test_a_header_that_was_tampered_with(fault: str, plain: VAE, tmp_path: Path) -> None:
    plain.save(tmp_path / "m")
    tensors, header = read(tmp_path / "m")
    TAMPERED[fault](header)
    write(tmp_path / "m", tensors, json.loads(json.dumps(header)))
    with pytest.raises(FormatError) as caught:
        VAE.load(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_a_summed_bound_that_is_no_number_loads(plain: VAE, tmp_path: Path) -> None:
    plain.save(tmp_path / "m")
    tensors, header = read(tmp_path / "m")
    header["history"][0].update(summed=True, bound=None)
    write(tmp_path / "m", tensors, header)
    assert VAE.load(tmp_path / "m").history_[0]["bound"] is None


def test_a_run_folder_is_loaded_as_its_model_file_is(plain: VAE, tmp_path: Path) -> None:
    plain.save(tmp_path / "model.safetensors")
    assert VAE.load(tmp_path).history_ == VAE.load(str(tmp_path / "model.safetensors")).history_
    with pytest.raises(DataError, match="there is no model at"):
        VAE.load(tmp_path / "nothing")


def test_a_column_that_was_tampered_with(tmp_path: Path) -> None:
    small().fit(people()).save(tmp_path / "m")
    tensors, header = read(tmp_path / "m")
    header["codec"]["columns"][3]["kind"] = "evil"
    write(tmp_path / "m", tensors, header)
    with pytest.raises(FormatError, match="not a valid column"):
        VAE.load(tmp_path / "m")


def test_a_folder_of_runs_names_them(tmp_path: Path) -> None:
    vae = VAE(1, training=Training(epochs=1), random_state=0).fit(np.eye(4))
    (tmp_path / "one").mkdir()
    vae.save(tmp_path / "one" / "model.safetensors")
    with pytest.raises(DataError, match=f"no model at {tmp_path}: give {tmp_path / 'one'}$"):
        file_of(tmp_path)
