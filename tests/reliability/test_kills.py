"""A training that is killed at a step and in a write, with half of a file, ends with the same bits; and where
one of two processes is killed, the other ends too."""

import random
import signal
from pathlib import Path

import pytest

from tests.torture.kills import LOST, command, die_at_step, in_children, killed, prepare, write_rows
from tests.torture.outcome import outcome

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.mark.parametrize(("kind", "least"), [("early stopping", 2), ("two processes", 1)])
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(
    kind: str, least: int, tmp_path: Path
) -> None:
    prepare()
    write_rows(tmp_path)
    at_steps, in_writes, fault = killed(kind, tmp_path, random.Random(3), most=2 * least)
    assert not fault and at_steps + in_writes >= least


@pytest.mark.parametrize("victim", [0, 1])
def test_where_one_of_two_processes_is_killed_the_other_ends_with_a_message(
    victim: int, tmp_path: Path
) -> None:
    prepare()
    write_rows(tmp_path)
    words = command("two processes", tmp_path, tmp_path / "run")

    def dies() -> int:
        die_at_step(6)
        return outcome(*words).status

    def survives() -> int:
        found = outcome(*words)
        (tmp_path / "said").write_text(found.fault or found.said)
        return found.status

    ends = in_children([dies, survives] if victim == 0 else [survives, dies])
    assert ends[victim] == -signal.SIGKILL and ends[1 - victim] == LOST
    said = (tmp_path / "said").read_text().splitlines()[-1]
    assert said.startswith(f"reparam: process {2 - victim} of 2 ends because another one has")
    assert "--resume" in said and (tmp_path / "run/training.safetensors").is_file()
