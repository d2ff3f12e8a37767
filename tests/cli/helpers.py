"""What the tests of the command line share."""

import sys
from unittest.mock import patch

import pytest

from reparam.cli.main import main

Capture = pytest.CaptureFixture[str]


def run(*words: object) -> int:
    """The exit status of `reparam WORDS` in this process."""
    with patch.object(sys, "argv", ["reparam", *map(str, words)]), pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def fit(*words: object) -> int:
    """The same of `reparam fit WORDS`, without its figures and with few rows to evaluate.

    What a fit draws at its end is looked at in test_run_folder.py, and drawn in test_core.py.
    """
    folder = "reparam.cli.run_folder"
    few = patch(f"{folder}.EVALUATION_ROWS", 64), patch(f"{folder}.EVALUATION_SAMPLES", 6400)
    with patch("reparam.plotting.model_plots.plot"), few[0], few[1]:
        return run("fit", *words)
