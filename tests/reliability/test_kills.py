"""A training that is killed at a step and in a write, with half of a file, ends with the same bits."""

import random
from pathlib import Path

import pytest

from tests.torture.kills import killed, write_rows


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    write_rows(tmp_path)
    at_steps, in_writes, fault = killed("early stopping", tmp_path, random.Random(3), most=4)
    assert not fault and at_steps + in_writes >= 2
