"""Run all parts for a while and write what happened: `python -m tests.torture --seconds 600 -o FILE.md`."""

import argparse
import itertools
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings

from reparam import SpecError
from reparam.estimator.validation import KINDS
from reparam.specs.parse import parse

from . import bytes as spoilt_bytes, data, fuzz, headers, kills, memory, models
from .forged import rows_of, used
from .outcome import Outcome, Tally, outcome
from .report import written
from .specs import specs

SHARES = {
    "kills": 0.40,
    "cuts": 0.02,
    "flips": 0.04,
    "headers": 0.08,
    "specs": 0.04,
    "tables": 0.05,
    "arrays": 0.03,
    "pictures": 0.03,
    "by hand": 0.02,
    "memory": 0.17,
    "fuzzing": 0.12,
}
"""The share of the time of each part."""


def until(seconds: float) -> Iterator[int]:
    """Numbers from 0, until so many seconds have passed."""
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())


def add(tally: Tally, found: Outcome, case: str) -> None:
    tally.add(f"exit {found.status}", found.fault, lambda: case)


def run_kills(place: Path, rng: random.Random, seconds: float) -> Iterator[tuple[str, Tally]]:
    """Trainings killed at steps and in writes; what a case is, is a kill."""
    kills.write_rows(place)
    kills.prepare()
    kills.prepare_compiler(place / "graphs")
    kills.in_children([lambda: outcome(*kills.command("plain", place, place / "first")).status])
    tallies = {kind: Tally() for kind in kills.SETTINGS}
    for kind, _ in zip(itertools.cycle(tallies), until(seconds), strict=False):
        at_steps, in_writes, fault = kills.killed(kind, place, rng)
        for end, times in (("at a step", at_steps), ("in a write", in_writes)):
            for _ in range(times):
                tallies[kind].add(end)
        tallies[kind].ends["trainings"] += 1
        if fault:
            tallies[kind].faults.append(fault)
    return iter(tallies.items())


def run_bytes(
    spoil: Callable[[bytes, random.Random], Iterator[bytes]], place: Path, rng: random.Random, seconds: float
) -> Tally:
    tally = Tally()
    files = [path.read_bytes() for path in sorted(place.glob("*.safetensors"))]
    cases = zip(*(spoil(file, rng) for file in files), strict=True)
    for each, _ in zip(itertools.chain.from_iterable(cases), until(seconds), strict=False):
        fault = spoilt_bytes.noticed(each, place / "spoilt")
        tally.add("refused" if not fault else "not refused", fault, lambda: "a byte")
    return tally


def run_headers(place: Path, rng: random.Random, seconds: float) -> Tally:
    """Every value of every header replaced, and every literal of every spec, with a right checksum."""
    tally = Tally()
    forges = {
        (kind, forge.__name__): forge(place / f"{kind}.safetensors", rng)
        for kind in models.KINDS
        for forge in (headers.damaged, headers.reworded)
    }
    model, out = place / "forged.safetensors", place / "out"
    out.mkdir(exist_ok=True)
    for (kind, forge), _ in zip(itertools.cycle(forges), until(seconds), strict=False):
        with suppress(StopIteration):
            name, content = next(forges[kind, forge])
            model.write_bytes(content)
            every = list(used(model, rows_of(place, kind), out))
            fault = next((each.fault for each in every if each.fault), "")
            tally.add("loads" if every[0].status == 0 else "refused", fault, lambda n=name: n)  # type: ignore[misc]
    model.unlink(missing_ok=True)
    return tally


def run_specs(number: int, seconds: float) -> Tally:
    """Texts by the grammar: a spec that its text gives back, or a SpecError."""
    tally = Tally()
    for batch in until(seconds):

        @seed(number * 1000 + batch)
        @settings(
            max_examples=500,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(specs())
        def check(pair: tuple[str, str]) -> None:
            name, text = pair
            try:
                value = parse(text, KINDS[name])
                back = parse(repr(value), KINDS[name])
                tally.add("a spec", "" if back == value else "another spec comes back", lambda: text[:80])
            except SpecError:
                tally.add("refused")
            except Exception as error:
                tally.add("an error", f"{type(error).__name__}: {error}", lambda: text[:80])

        check()
    return tally


def run_data(
    spoil: Callable[[random.Random], Iterator[tuple[str, bytes]]],
    model: str,
    place: Path,
    rng: random.Random,
    seconds: float,
) -> Tally:
    tally, case = Tally(), place / "case"
    for (name, content), i in zip(spoil(rng), until(seconds), strict=False):
        shutil.rmtree(case, ignore_errors=True)
        case.mkdir()
        (case / name).write_bytes(content)
        pictures = spoil is data.pictures
        words = [case, "--skip-bad"] if pictures and i % 2 else [case if pictures else case / name]
        fitted = place / f"{'codes' if name.endswith(('.npy', '.npz')) else model}.safetensors"
        found = outcome("score", fitted, *words, "-k", 1, "-o", place / "scores.csv")
        add(tally, found, name)
    return tally


def run_by_hand(place: Path, model: Path) -> Tally:
    tally = Tally()
    place.mkdir()
    for path in data.by_hand(place):
        add(tally, outcome("score", model, path, "-k", 1, "-o", place / "scores.csv"), path.name)
    return tally


def run_memory(place: Path, rng: random.Random, seconds: float) -> Iterator[tuple[str, Tally]]:
    (place / "out").mkdir(exist_ok=True)
    memory.write_data(place)
    tallies = {verb: Tally() for verb in memory.VERBS}
    for verb, _ in zip(itertools.cycle(tallies), until(seconds), strict=False):
        extra = rng.randrange(24 << 20, 200 << 20)
        found = memory.limited(verb, extra, place)
        tallies[verb].add(f"exit {found.status}", found.fault, lambda v=verb, e=extra: f"{v}, {e >> 20} MiB")  # type: ignore[misc]
    return iter(tallies.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=None)
    words = parser.parse_args()
    torch.set_num_threads(1)
    started, rng = time.monotonic(), random.Random(words.seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = Path(folder)
        for name in ("models", "kills", "memory"):
            (place / name).mkdir()
        models.write_models(place / "models")
        time_of = {name: share * words.seconds for name, share in SHARES.items()}
        for kind, tally in run_kills(place / "kills", rng, time_of["kills"]):
            found[f"SIGKILL: {kind}"] = tally
        held = place / "models"
        found["cut short"] = run_bytes(spoilt_bytes.cut, held, rng, time_of["cuts"])
        found["a flipped bit"] = run_bytes(spoilt_bytes.flipped, held, rng, time_of["flips"])
        found["forged headers"] = run_headers(held, rng, time_of["headers"])
        found["texts of specs"] = run_specs(words.seed, time_of["specs"])
        found["tables"] = run_data(data.tables, "table", held, rng, time_of["tables"])
        found["arrays"] = run_data(data.arrays, "table", held, rng, time_of["arrays"])
        found["pictures"] = run_data(data.pictures, "images", held, rng, time_of["pictures"])
        found["by hand"] = run_by_hand(place / "by hand", held / "images.safetensors")
        for verb, tally in run_memory(place / "memory", rng, time_of["memory"]):
            found[f"memory: {verb}"] = tally
        for target in fuzz.TARGETS:
            seconds = time_of["fuzzing"] / len(fuzz.TARGETS)
            if (guided := fuzz.fuzzed(target, place / f"fuzz-{target}", seconds)) is not None:
                found[f"fuzzing: {target}"] = guided
    system = f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    text = written(found, time.monotonic() - started, words.seed, system)
    if words.output:
        words.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    faults = [f"{name}: {fault}" for name, tally in found.items() for fault in tally.faults]
    print("\n".join(faults) or "no fault", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
