"""Processes that a test starts import the same reparam as the test, in a clone that is not installed too.

The nets of tests are small, and two threads that wait for each other make them slower: one thread is used.
"""

import os
from pathlib import Path

import pytest
import torch

import reparam
from reparam.compilation import recorded

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")

PLACES = [str(Path(reparam.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, PLACES))


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Nothing is compiled: each recorded graph runs as it is, and is kept here."""
    found: list[object] = []

    def keep(listed: object, *_: object) -> object:
        found.append(listed)
        return listed

    monkeypatch.setattr(recorded, "AHEAD_OF_TIME", True)
    monkeypatch.setattr(recorded, "library", keep)
    return found
