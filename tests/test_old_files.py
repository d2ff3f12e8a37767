"""Files written by earlier versions load and give the numbers that they gave then."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reparam import MLP, VAE, Training, load
from reparam.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore:.*has no checksum")
FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
DIGITS = load("digits").X


def pictures() -> np.ndarray:
    return np.repeat(DIGITS[:5, ..., None], 3, -1).repeat(2, 1).repeat(2, 2) * np.array(
        [1, 0.5, 0.2], np.float32
    )


@pytest.mark.parametrize("name", ["labels", "table", "pictures"])
def test_a_model_of_version_1_gives_the_same_numbers(name: str) -> None:
    vae, expected = VAE.load(FIXTURES / f"{name}.safetensors"), EXPECTED[name]
    rows = {
        "labels": lambda: DIGITS[200:205],
        "table": lambda: pd.read_csv(FIXTURES / "table.csv", parse_dates=["born"]),
        "pictures": pictures,
    }
    np.testing.assert_allclose(vae.score_samples(rows[name](), None, 20), expected["scores"], rtol=1e-4)
    if name == "table":
        drawn = vae.sample(2, random_state=0)
        np.testing.assert_allclose(drawn["height"], [row["height"] for row in expected["sample"]], rtol=1e-3)
        assert drawn["sex"].tolist() == [row["sex"] for row in expected["sample"]]
    else:
        words: dict[str, Any] = {"label": 3} if name == "labels" else {}
        drawn = vae.sample(2 if words else 1, mean=True, random_state=0, **words)
        np.testing.assert_allclose(drawn.ravel()[:8], expected["sample"], rtol=1e-3, atol=1e-5)
    assert len(vae.history_) == expected["epochs"]


def test_a_training_stopped_in_version_1_goes_on() -> None:
    training = Training(epochs=4, batch_size=50, clip=None, ema=None)
    vae = VAE(2, encoder=MLP((8,)), training=training, random_state=0)
    rest = list(vae.fit_iter(DIGITS[:200], resume=FIXTURES / "training.safetensors"))
    assert [progress.epoch for progress in rest] == [3, 4]
    losses = [row["loss"] for row in vae.history_]
    np.testing.assert_allclose(losses, EXPECTED["training"]["losses"], rtol=1e-4)


def test_the_command_line_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    app(["show", str(FIXTURES / "labels.safetensors")], standalone_mode=False)
    assert "Auxiliary(10" in capsys.readouterr().out
