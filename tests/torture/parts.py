"""The parts of `make torture`: each takes a folder, random numbers, and how many cases or seconds it is to
run, and gives its tallies by name."""

import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from reparam import SpecError
from reparam.estimator.validation import KINDS
from reparam.specs.parse import parse

from . import bytes as spoilt_bytes, data, fuzz, grammar, headers, kills, memory, models
from .child import tally_of
from .forged import rows_of, used
from .outcome import Tally, outcome

Run = Callable[[Path, random.Random, int], Iterator[tuple[str, Tally]]]
File = tuple[str, bytes]
"""A name and a content."""


class Part(NamedTuple):
    """How a part is run, and what is wanted of each of its rows: cases, or seconds where `timed`."""

    run: Run
    wanted: Mapping[str, int]
    timed: bool = False


def run_kills(folder: Path, rng: random.Random, n: int) -> Iterator[tuple[str, Tally]]:
    """Trainings killed at steps and in writes; what a case is, is a kill."""
    kills.write_rows(folder)
    kills.prepare()
    kills.prepare_compiler(folder / "graphs")
    kills.in_children([lambda: outcome(*kills.command("plain", folder, folder / "first")).status])
    for kind in kills.SETTINGS:
        tally, started = Tally(), time.monotonic()
        while tally.cases < n and tally.ends["trainings"] < n:
            at_steps, in_writes, fault = kills.killed(kind, folder, rng)
            for end in ["at a step"] * at_steps + ["in a write"] * in_writes:
                tally.add(end)
            tally.ends["trainings"] += 1
            tally.faults += [fault] if fault else []
        tally.seconds = time.monotonic() - started
        yield f"SIGKILL: {kind}", tally


def run_bytes(
    name: str,
    spoil: Callable[[bytes, random.Random], Iterator[bytes]],
    folder: Path,
    rng: random.Random,
    n: int,
) -> Iterator[tuple[str, Tally]]:
    """Model files that are damaged: each is refused."""
    models.write_models(folder)
    files = [path.read_bytes() for path in sorted(folder.glob("*.safetensors"))]

    def check(content: bytes) -> tuple[str, str]:
        fault = spoilt_bytes.noticed(content, folder / "spoilt")
        return ("not refused", fault) if fault else ("refused", "")

    cases = chain.from_iterable(zip(*(spoil(file, rng) for file in files), strict=True))
    yield name, tally_of(islice(cases, n), check)


def forged(folder: Path, rng: random.Random) -> Iterator[tuple[str, File]]:
    """A kind of model, and a file of it with one value of the header or one literal of a spec replaced."""
    forges = (headers.damaged, headers.reworded)
    held = {(kind, f): f(folder / f"{kind}.safetensors", rng) for kind in models.KINDS for f in forges}
    while held:
        for key in list(held):
            if (case := next(held[key], None)) is None:
                del held[key]
            else:
                yield key[0], case


def run_headers(
    name: str,
    files: Callable[[Path, random.Random, int], Iterable[tuple[str, File]]],
    folder: Path,
    rng: random.Random,
    n: int,
) -> Iterator[tuple[str, Tally]]:
    """Headers that say what is wrong, with a right checksum, under every verb that reads a model."""
    models.write_models(folder)
    model, out = folder / "forged.safetensors", folder / "out"
    out.mkdir()

    def check(case: tuple[str, File]) -> tuple[str, str]:
        kind, (said, content) = case
        model.write_bytes(content)
        every = list(used(model, rows_of(folder, kind), out))
        fault = next((f"{kind}, {said}: {each.fault}" for each in every if each.fault), "")
        return "loads" if every[0].status == 0 else "refused", fault

    yield name, tally_of(islice(files(folder, rng, n), n), check)


def run_specs(folder: Path, rng: random.Random, n: int) -> Iterator[tuple[str, Tally]]:
    """Texts by the grammar: a spec that its text gives back, or a SpecError."""

    def check(pair: tuple[str, str]) -> tuple[str, str]:
        name, text = pair
        try:
            value = parse(text, KINDS[name])
            back = parse(repr(value), KINDS[name])
        except SpecError:
            return "refused", ""
        except Exception as error:
            return "an error", f"{text[:80]}: {type(error).__name__}: {error}"
        return "a spec", "" if back == value else f"{text[:80]}: another spec comes back"

    yield "texts of specs", tally_of(grammar.drawn(grammar.specs(), n, rng), check)


def run_data(
    name: str,
    spoil: Callable[[random.Random], Iterator[File]],
    model: str,
    folder: Path,
    rng: random.Random,
    n: int,
) -> Iterator[tuple[str, Tally]]:
    """Files of data under `score`; pictures in a folder, every other time with --skip-bad."""
    models.write_models(folder)
    case, pictures = folder / "case", spoil is data.pictures

    def check(numbered: tuple[int, File]) -> tuple[str, str]:
        i, (file, content) = numbered
        shutil.rmtree(case, ignore_errors=True)
        case.mkdir()
        (case / file).write_bytes(content)
        words = [case if pictures else case / file, *(["--skip-bad"] if pictures and i % 2 else [])]
        fitted = folder / f"{'codes' if file.endswith(('.npy', '.npz')) else model}.safetensors"
        found = outcome("score", fitted, *words, "-k", 1, "-o", folder / "scores.csv")
        return f"exit {found.status}", f"{file}: {found.fault}" if found.fault else ""

    yield name, tally_of(enumerate(islice(spoil(rng), n)), check)


def run_by_hand(folder: Path, rng: random.Random, n: int) -> Iterator[tuple[str, Tally]]:
    models.write_models(folder)
    place = folder / "by hand"
    place.mkdir()

    def check(path: Path) -> tuple[str, str]:
        model = folder / "images.safetensors"
        found = outcome("score", model, path, "-k", 1, "-o", folder / "scores.csv")
        return f"exit {found.status}", f"{path.name}: {found.fault}" if found.fault else ""

    yield "by hand", tally_of(islice(data.by_hand(place), n), check)


def run_memory(folder: Path, rng: random.Random, n: int) -> Iterator[tuple[str, Tally]]:
    """Each verb with little memory, of several sizes."""
    memory.write_data(folder)
    started, tallies = time.monotonic(), {verb: Tally() for verb in memory.VERBS}
    cases = [(verb, rng.randrange(2 << 20, 64 << 20)) for verb in memory.VERBS for _ in range(n)]
    for (verb, extra), found in zip(cases, memory.limited(cases, folder), strict=True):
        fault = f"{extra >> 20} MiB: {found.fault}" if found.fault else ""
        tallies[verb].add(f"exit {found.status}", fault)
    for verb, tally in tallies.items():
        tally.seconds = (time.monotonic() - started) / len(tallies)
        yield f"memory: {verb}", tally


def run_fuzzing(target: str, folder: Path, rng: random.Random, n: int) -> Iterator[tuple[str, Tally]]:
    if (guided := fuzz.fuzzed(target, folder, n)) is not None:
        yield f"fuzzing: {target}", guided


PARTS = {
    "kills": Part(run_kills, {f"SIGKILL: {kind}": 12 for kind in kills.SETTINGS}),
    "cuts": Part(partial(run_bytes, "cut short", spoilt_bytes.cut), {"cut short": 4000}),
    "flips": Part(partial(run_bytes, "a flipped bit", spoilt_bytes.flipped), {"a flipped bit": 10_000}),
    "headers": Part(
        partial(run_headers, "forged headers", lambda folder, rng, n: forged(folder, rng)),
        {"forged headers": 3000},
    ),
    "grammar": Part(
        partial(run_headers, "headers by a grammar", grammar.headers), {"headers by a grammar": 2000}
    ),
    "specs": Part(run_specs, {"texts of specs": 15_000}),
    "tables": Part(partial(run_data, "tables", data.tables, "table"), {"tables": 2500}),
    "arrays": Part(partial(run_data, "arrays", data.arrays, "table"), {"arrays": 500}),
    "pictures": Part(partial(run_data, "pictures", data.pictures, "images"), {"pictures": 500}),
    "hand": Part(run_by_hand, {"by hand": 22}),
    "memory": Part(run_memory, {f"memory: {verb}": 5 for verb in memory.VERBS}),
    **{
        f"fuzz-{target}": Part(partial(run_fuzzing, target), {f"fuzzing: {target}": seconds}, timed=True)
        for target, seconds in (("specs", 120), ("headers", 1800), ("readers", 1800))
    },
}
"""Every part. In all more than 100 kills, 4,000 files cut short, 10,000 flipped bits, 20,000 headers and
specs, 2,000 files of separated values (four of five tables), 1,000 of arrays and pictures, an hour of fuzzing
of headers and readers."""
