"""A clock that jumps changes neither a training nor when it is saved."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reparam import threads
from reparam.cli.pause import TimedPause
from reparam.stopwatch import Stopwatch
from reparam.threads import Crowd
from reparam.training.update import Update
from tests.cli.helpers import fit

YEAR = 365 * 86400.0


class Clock:
    """The time, in the place of time.time and time.monotonic."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e6
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_stopwatch_never_goes_back(clock: Clock) -> None:
    watch = Stopwatch()
    read = []
    for jump in (2.0, -YEAR, 3.0, YEAR):
        clock.now += jump
        read.append(watch.read())
    assert read == [2.0, 2.0, 5.0, 5.0 + YEAR]


@pytest.mark.parametrize(("jump", "due"), [(-YEAR, [False, False, True]), (YEAR, [True, False, True])])
def test_checkpoints_go_on_after_a_jump(jump: float, due: list[bool], clock: Clock) -> None:
    """One at once where the clock goes forwards, and then every 60 seconds as before."""
    saved: list[float] = []
    pause, found = TimedPause(60.0, lambda: saved.append(clock.now)), []
    assert pause.wanted() == (True, False)
    pause(stop=False)
    for step in (jump, 30.0, 31.0):
        clock.now += step
        found.append(pause.wanted()[0])
        if found[-1]:
            pause(stop=False)
    assert found == due
    assert len(saved) == 1 + sum(found)


def test_busy_processors_are_noticed_after_a_jump(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd, switches = Crowd(), 0
    monkeypatch.setattr(threads, "involuntary_switches", lambda: switches)
    for seconds in (-YEAR, 1.0, 1.5):
        with crowd.watched():
            clock.now += seconds
            switches += 1000
    assert "other processes use the processors" in str(crowd.notice(2))


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_a_training_ends_with_the_same_bits_whatever_the_clock_does(
    jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    words: tuple[Any, ...] = ("--epochs", 3, "--set", "encoder=MLP((8,))", "--set", "training.batch_size=10")
    assert fit(tmp_path / "x.npy", *words, "-o", tmp_path / "quiet") == 0
    take, clock = Update.__call__, Clock(monkeypatch)

    def jumping(update: Update, epoch: int) -> bool:
        clock.now += jump if update.step == 8 else 0.1
        return take(update, epoch)

    monkeypatch.setattr(Update, "__call__", jumping)
    assert fit(tmp_path / "x.npy", *words, "-o", tmp_path / "jumped") == 0
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("quiet", "jumped")]
    assert files[0] == files[1]
    rows = (tmp_path / "jumped/history.jsonl").read_text().splitlines()
    seconds = [json.loads(row)["seconds"] for row in rows]
    assert seconds == sorted(seconds) and seconds[0] >= 0
