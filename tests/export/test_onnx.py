"""ONNX graphs: the numbers of torch, a README whose program runs without torch, and refusals that say why."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from reparam import MLP, VAE, SpecError, Training
from reparam.export.onnx import TOLERANCE, distance, export_onnx
from reparam.recipes import RECIPES
from tests.recipes.test_recipes import BRIEF, NAMES, digits

REFUSED: dict[str, str] = {"low-rank": "linalg_cholesky_ex"}
"""Recipes that ONNX cannot hold, and what is said of them."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[VAE, pd.DataFrame, Path]:
    """A table with classes of a column and holes, whose cells far off are improbable, exported."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"u": rng.normal(size=60), "kind": np.array(list("abc"))[np.arange(60) % 3]})
    frame.loc[::9, "u"] = np.nan
    vae = VAE(1, training=Training(epochs=60), random_state=0).fit(frame)
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(vae, folder)
    return vae, frame, folder


@pytest.mark.slow
def test_graphs_give_the_numbers_of_the_methods(table: tuple[VAE, pd.DataFrame, Path]) -> None:
    vae, frame, folder = table
    x = vae.codec_.encode(frame)[:].float().numpy()

    def run(graph: str, **given: np.ndarray) -> list[np.ndarray]:
        return onnxruntime.InferenceSession(folder / f"{graph}.onnx").run(None, given)

    mean, sd = run("encoder", x=x)
    np.testing.assert_allclose(mean, vae.transform(frame), atol=1e-5)
    assert (sd > 0).all()
    decoded = vae.codec_.decode(torch.as_tensor(run("decoder", z=mean)[0]))
    pd.testing.assert_series_equal(decoded["kind"], vae.inverse_transform(mean)["kind"])


@pytest.mark.slow
def test_the_program_of_the_readme_runs_without_torch(table: tuple[VAE, pd.DataFrame, Path]) -> None:
    text = (table[2] / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(program.splitlines()) <= 20
    hidden = "import sys; sys.modules['torch'] = sys.modules['reparam'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", hidden + program], cwd=table[2], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.strip("[]\n").split()) == 5
    assert "| 1 | kind | categorical | number of: a, b, c |" in text and "NaN in x is a missing cell" in text


def test_a_graph_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    vae = VAE(1, training=Training(epochs=1), random_state=0).fit(np.eye(4))
    monkeypatch.setattr("reparam.export.onnx.distance", lambda a, b: 1.0)
    with pytest.raises(SpecError, match=r"'mean' of the graph 'encoder' differs from torch by 1.0e"):
        export_onnx(vae, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_graph_is_of_float32_whatever_torch_is_set_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """ONNX Runtime lacks products in bfloat16, in which layers of so many weights then multiply."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    X = np.random.default_rng(0).random((40, 64))
    vae = VAE(2, encoder=MLP((500,)), training=Training(epochs=1), random_state=0).fit(X)
    torch.set_float32_matmul_precision("medium")
    try:
        found = export_onnx(vae, tmp_path)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert max(found.difference.values()) < TOLERANCE


def test_distance_is_relative_above_one_and_infinite_where_one_alone_is_not_finite() -> None:
    assert distance(np.array([0.5, 200.0]), np.array([0.6, 201.0])) == pytest.approx(0.1)
    assert distance(np.array([np.inf]), np.array([1.0])) == np.inf
    assert distance(np.array([np.inf, np.nan]), np.array([np.inf, np.nan])) == 0


@pytest.mark.slow
def test_the_score_is_that_of_the_method(table: tuple[VAE, pd.DataFrame, Path], tmp_path: Path) -> None:
    vae, frame, _ = table
    export_onnx(vae, tmp_path, score=True)
    x = vae.codec_.encode(frame)[:].float().numpy()
    (log_px,) = onnxruntime.InferenceSession(tmp_path / "score.onnx").run(None, {"x": x})
    np.testing.assert_allclose(log_px, vae.score_samples(frame), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_exported_or_says_why_not(name: str, tmp_path: Path) -> None:
    published = RECIPES[name].model
    training = replace(published.training or BRIEF, epochs=1, batch_size=50)
    vae = clone(published).set_params(training=training, random_state=0).fit(*digits(name))
    if name in REFUSED:
        with pytest.raises(SpecError, match=REFUSED[name]):
            export_onnx(vae, tmp_path)
        return
    found = export_onnx(vae, tmp_path)
    assert {"decoder", "look"} <= found.difference.keys()
    assert max(found.difference.values()) <= TOLERANCE


def test_the_table_of_the_docs_has_every_recipe() -> None:
    text = (Path(__file__).parents[2] / "docs/do/deployment.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| .*\|$", text.partition("onnx_recipes.py")[2], re.M)
    assert rows[1:] == sorted(NAMES), "run: python tools/onnx_recipes.py"
    refused = re.findall(r"^\| ([\w-]+) \| this model has no graph", text, re.M)
    assert refused == sorted(REFUSED)
