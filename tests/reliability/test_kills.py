"""A training that is killed at a step and in a write, with half of a file, ends with the same bits; and where
one of two processes is killed, the other ends too."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reparam.training.distributed import Others
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


DIES = """
import os, signal
from reparam.cli.main import main
from reparam.training.distributed import OTHERS
from reparam.training.update import Update

take = Update.__call__

def step(update, epoch):
    if update.step == 3 and os.environ.get("LOCAL_RANK", "0") == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    if update.step == 3:
        assert OTHERS.failed.wait(60)
    return take(update, epoch)

Update.__call__ = step
main()
"""
"""`reparam` of two processes without torchrun: one is killed while the other is busy."""


@pytest.mark.slow
def test_the_first_process_ends_with_a_message_where_one_that_it_started_is_killed(tmp_path: Path) -> None:
    write_rows(tmp_path)
    (tmp_path / "dies.py").write_text(DIES)
    words = command("two processes", tmp_path, tmp_path / "run")
    program = [sys.executable, str(tmp_path / "dies.py"), *map(str, words)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == LOST
    assert done.stderr.splitlines()[-1].startswith("reparam: process 1 of 2 ends because another one has")
    assert (tmp_path / "run/training.safetensors").is_file()


def others_of(status: int) -> tuple[Others, subprocess.Popen[bytes]]:
    """Others that watch a process which ends at once with that exit status."""
    others, child = (
        Others(patience=0),
        subprocess.Popen([sys.executable, "-c", f"raise SystemExit({status})"]),
    )
    others.watch([child])
    return others, child


def test_a_process_that_waits_for_one_that_has_failed_ends(capfd: pytest.CaptureFixture[str]) -> None:
    def waits() -> int:
        others, child = others_of(1)
        with others:
            child.wait(60)
            signal.pause()
        return 0

    assert in_children([waits]) == [LOST]
    assert "reparam: process 1 of 2 ends because another one has" in capfd.readouterr().err


def test_a_process_that_does_not_wait_goes_on() -> None:
    others, child = others_of(1)
    assert others.failed.wait(60) and child.returncode == 1
    others, child = others_of(0)
    assert child.wait(60) == 0 and not others.failed.is_set()
