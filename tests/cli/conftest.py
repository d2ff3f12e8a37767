"""A run that several files look at, and anomalies found in less time."""

from pathlib import Path

import pytest

from reparam.estimator import anomaly_detector
from tests.cli.helpers import run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three epochs of a recipe with a classifier, with everything that `fit` writes."""
    out = tmp_path_factory.mktemp("runs") / "z"
    assert run("fit", "digits", "--recipe", "zeldes", "--epochs", 3, "-o", out) == 0
    return out


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """`detect` trains for fewer steps; how well it finds anomalies is a matter of tests/estimator."""
    monkeypatch.setattr(anomaly_detector, "LINEAR_STEPS", 200)
    monkeypatch.setattr(anomaly_detector, "DEEP_STEPS", 200)
