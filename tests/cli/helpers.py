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
