"""Processes that a test starts import the same reparam as the test, in a clone that is not installed too."""

import os
from pathlib import Path

import reparam

PLACES = [str(Path(reparam.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, PLACES))
