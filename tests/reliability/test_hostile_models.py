"""Forged model files with a right checksum: one line and an exit status, whatever stands in them."""

import json
import random
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from reparam import ELBO, VAE, FormatError, Linear, SpecError
from reparam.estimator.validation import KINDS
from reparam.serialization.header import UNSIGNED
from reparam.specs.parse import parse
from tests.torture.forged import rows_of, used
from tests.torture.headers import assembled, changed, damaged, reworded, split
from tests.torture.models import write_models
from tests.torture.specs import specs

pytestmark = pytest.mark.filterwarnings("ignore:.*not seen in training")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forged")
    write_models(path)
    return path


@pytest.mark.parametrize("kind", ["table", "labels", "series"])
@pytest.mark.parametrize("forge", [damaged, reworded])
def test_a_forged_header_gives_one_line_and_an_exit_status(
    forge: Any, kind: str, folder: Path, tmp_path: Path
) -> None:
    for name, data in islice(forge(folder / f"{kind}.safetensors", random.Random(0)), 6):
        (tmp_path / "m.safetensors").write_bytes(data)
        for each in used(tmp_path / "m.safetensors", rows_of(folder, kind), tmp_path):
            assert not each.fault, f"{name}: {each.fault}"
            assert each.status in (0, 3, 5) and len(each.said.splitlines()) <= 3


def test_an_empty_list_of_classes_is_none(folder: Path, tmp_path: Path) -> None:
    """What a model of covariates alone has."""
    outer, header, weights = split(folder / "covariates.safetensors")
    header |= {"sha256": UNSIGNED, "classes": []}
    (tmp_path / "m.safetensors").write_bytes(assembled(outer, json.dumps(header), weights))
    for each in used(tmp_path / "m.safetensors", rows_of(folder, "covariates"), tmp_path):
        assert not each.fault


FORGED = [
    ("table", ("codec", "columns", 0, "low"), 10**400, "a range that no table has"),
    ("table", ("codec", "columns", 0, "low"), 9.5, "a range that no table has"),
    ("table", ("codec", "columns", 5, "dtype"), "int7", "a type that no table has"),
    ("table", ("codec", "columns", 0, "dtype"), "__class__", "a type that no table has"),
    ("table", ("codec", "columns", 4, "categories"), [["a"], ["b"]], "categories that no table has"),
    ("table", ("codec", "columns", 4, "categories"), ["a", "a", "b"], "categories that no table has"),
    ("table", ("codec", "columns", 5, "categories"), [1, 10**300, 2, 3, 4], "categories that no table has"),
    ("table", ("codec", "columns", 6, "value"), "2024-13-45", "damaged header"),
    ("table", ("codec", "columns", 6, "high"), 1e12, "a value that no table has"),
    ("table", ("codec", "columns", 7, "value"), "nan", "a value that no table has"),
    ("table", ("codec", "columns", 7, "rows"), -1, "a number of rows that no table has"),
    ("table", ("codec", "columns", 0, "spike"), [1], "frequent numbers of columns"),
    ("table", ("codec", "columns", 0, "spike"), ["a", "b"], "frequent numbers of columns"),
    ("table", ("codec", "columns", 0, "values"), [2, 1], "a way of writing that no table has"),
    ("table", ("codec", "columns", 0, "values"), ["a"], "a way of writing that no table has"),
    ("table", ("codec", "columns", 0, "decimals"), 10**6, "a way of writing that no table has"),
    ("table", ("codec", "columns", 0, "missing"), "x", "frequent numbers of columns"),
    ("table", ("codec", "columns"), [5], "columns is not a list of columns"),
    ("series", ("codec", "time"), [], "of a time series are not text"),
    ("images", ("codec", "dtype"), "__class__", "data type"),
    ("labels", ("seed",), 10**30, "seed is not a whole number"),
    ("labels", ("classes",), [[], {}], "classes is not a list of text and numbers"),
    ("labels", ("trained_on", "recipe"), [], "trained_on is not text and numbers"),
    ("labels", ("history", 1, "terms"), 3, "history is not a list of epochs"),
    ("labels", ("spec", "likelihood"), "Gaussian(scale=Fixed(nan))", "takes finite numbers, not nan"),
    ("labels", ("spec", "random_state"), "1" * 400, "random_state"),
    ("codes", ("event",), [10**400], "event"),
]


@pytest.mark.parametrize(("kind", "at", "value", "message"), FORGED)
def test_what_is_wrong_in_a_header_is_named(
    kind: str, at: tuple[Any, ...], value: Any, message: str, folder: Path, tmp_path: Path
) -> None:
    outer, header, weights = split(folder / f"{kind}.safetensors")
    text = json.dumps(changed(header | {"sha256": UNSIGNED}, at, value), sort_keys=True)
    (tmp_path / "m").write_bytes(assembled(outer, text, weights))
    with pytest.raises(FormatError, match=message):
        VAE.load(tmp_path / "m")


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(specs())
def test_any_text_is_a_spec_that_is_kept_or_one_error(pair: tuple[str, str]) -> None:
    name, text = pair
    try:
        value = parse(text, KINDS[name])
    except SpecError as error:
        assert "\n" not in str(error)
        return
    assert parse(repr(value), KINDS[name]) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_numbers_of_a_spec_are_finite(value: float) -> None:
    with pytest.raises(SpecError, match=r"ELBO\.beta takes (finite|float)"):
        ELBO(beta=value)
    with pytest.raises(SpecError, match=r"Linear\.stop takes (finite|float)"):
        Linear(0.0, value, 5)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_seeds_are_of_32_bits(seed: int) -> None:
    with pytest.raises(SpecError, match="random_state takes a whole number from 0 to 4294967295"):
        VAE(2, random_state=seed).fit([[0.0, 1.0], [1.0, 0.0], [0.5, 0.25]])
