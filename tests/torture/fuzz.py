"""Fuzzing guided by coverage: `python -m tests.torture.fuzz TARGET FOLDER SECONDS`, with Google's atheris.

The targets: `headers`, a model file with some values of its header replaced and a right checksum; `specs`,
the text of an argument; `readers`, the content of a file of data. FOLDER gets the inputs that lead to new
lines of reparam, and `found.json`: the seconds, the cases by their end, and the faults. What stands there is
gone on with, until SECONDS in all. Modules of reparam are imported in functions, because only what is
imported under atheris's eyes guides it.
"""

import json
import os
import random
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .outcome import Tally

TARGETS = ("headers", "specs", "readers")
EVERY = 2.0
"""Seconds between two writes of what was found."""
LONGEST = {"headers": 200, "specs": 400, "readers": 4000}
"""The bytes of an input, at most."""


def fuzzed(target: str, folder: Path, seconds: float) -> "Tally | None":
    """What a target found in so many seconds, in another process; None where atheris is not installed."""
    from .outcome import Tally

    words = [sys.executable, "-m", __name__, target, str(folder), str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 300)
    if "No module named 'atheris'" in done.stderr:
        return None
    file, tally = folder / "found.json", Tally()
    if file.is_file():
        found = json.loads(file.read_text())
        tally.ends.update(found["ends"])
        tally.cases, tally.faults = sum(found["ends"].values()), list(found["faults"].values())
        tally.seconds = found["seconds"]
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line or "SUMMARY" in line]
        tally.faults.append(f"exit status {done.returncode}: {' '.join(said)[:200]}")
    return tally


def replace_text(file: Path, text: str) -> None:
    """Write a file that is whole at any time."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


class Watched:
    """A case of a target: its end is counted, and an error that is none of reparam's is a fault."""

    def __init__(self, run: Callable[[bytes], str], folder: Path, seconds: float) -> None:
        from reparam.errors import ReparamError
        from reparam.memory import is_out_of_memory

        file = folder / "found.json"
        held: dict[str, Any] = {"seconds": 0.0, "ends": {}, "faults": {}}
        held |= json.loads(file.read_text()) if file.is_file() else {}
        self.run, self.file, self.begun = run, file, time.monotonic() - held["seconds"]
        self.seconds = seconds
        self.expected, self.is_out_of_memory = ReparamError, is_out_of_memory
        self.ends: Counter[str] = Counter(held["ends"])
        self.faults: dict[str, str] = held["faults"]
        self.written = 0.0

    def __call__(self, data: bytes) -> None:
        try:
            self.ends[self.run(data)] += 1
        except (self.expected, OSError):
            self.ends["refused"] += 1
        except Exception as error:
            if self.is_out_of_memory(error):
                self.ends["refused"] += 1
            else:
                self.add(error, data)
        now = time.monotonic() - self.begun
        if now >= min(self.seconds, self.written + EVERY):
            replace_text(self.file, json.dumps({"seconds": now, "ends": self.ends, "faults": self.faults}))
            self.written = now
        if now >= self.seconds:
            os._exit(0)

    def add(self, error: Exception, data: bytes) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "reparam" in f.filename]
        place = f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
        self.ends["an error"] += 1
        if place not in self.faults:
            self.faults[place] = f"{place}: {str(error)[:150]}"
            self.file.with_name(f"fault-{len(self.faults)}").write_bytes(data)


def headers(folder: Path) -> Callable[[bytes], str]:
    """One to three values of a header replaced, by junk, a number, a text or another of its values."""
    import atheris

    from reparam import VAE
    from reparam.serialization.header import UNSIGNED

    from . import models
    from .headers import JUNK, assembled, changed, leaves, split, value_at

    place = folder / "models"
    place.mkdir(exist_ok=True)
    models.write_models(place)
    held = []
    for kind in models.KINDS:
        outer, header, weights = split(place / f"{kind}.safetensors")
        header["sha256"] = UNSIGNED
        held.append((outer, header, weights, list(leaves(header))))

    def run(data: bytes) -> str:
        source = atheris.FuzzedDataProvider(data)
        outer, header, weights, places = held[source.ConsumeIntInRange(0, len(held) - 1)]
        for _ in range(source.ConsumeIntInRange(1, 3)):
            at = source.PickValueInList(places)
            with suppress(KeyError, IndexError, TypeError):  # an earlier change has removed the place
                other = value_at(header, source.PickValueInList(places))
                value, remove = replacement(source, JUNK, other), source.ConsumeProbability() < 0.1
                header = changed(header, at, value, remove)
        text = json.dumps(header, sort_keys=True)
        (folder / "model").write_bytes(assembled(outer, text, weights))
        VAE.load(folder / "model")
        return "loads"

    return run


def replacement(source: Any, junk: Sequence[Any], other: Any) -> Any:
    """A value in the place of a header's own, as the input says; `other` is another one of the header."""
    match source.ConsumeIntInRange(0, 5):
        case 0:
            return source.PickValueInList(list(junk))
        case 1:
            return source.ConsumeIntInRange(-(1 << 62), 1 << 62)
        case 2:
            return source.ConsumeIntInRange(-2, 9)
        case 3:
            return source.ConsumeFloat()
        case 4:
            return source.ConsumeUnicodeNoSurrogates(40)
        case _:
            return other


def specs(folder: Path) -> Callable[[bytes], str]:
    """The text of an argument, which its first byte chooses."""
    from reparam.estimator.validation import KINDS
    from reparam.specs.parse import parse

    names = sorted(KINDS)

    def run(data: bytes) -> str:
        name = names[data[0] % len(names)] if data else names[0]
        value = parse(data[1:].decode(errors="replace"), KINDS[name])
        if parse(repr(value), KINDS[name]) != value:
            raise AssertionError(f"another value comes back of {value!r}")
        return "a spec"

    return run


def readers(folder: Path) -> Callable[[bytes], str]:
    """A file whose ending its first byte chooses."""
    from reparam import load

    endings = sorted({name.partition(".")[2] for name, _ in sound()})

    def run(data: bytes) -> str:
        ending = endings[data[0] % len(endings)] if data else endings[0]
        path = folder / f"file.{ending}"
        path.write_bytes(data[1:])
        load(str(path))
        return "read"

    return run


def sound() -> Iterator[tuple[str, bytes]]:
    """Names and contents of sound files of each kind."""

    from .data import written
    from .models import frame

    table = frame().head(8)
    text = table.to_csv(index=False)
    yield "t.csv", text.encode()
    yield "t.tsv", text.replace(",", "\t").encode()
    yield "t.jsonl", table.astype({"date": str}).to_json(orient="records", lines=True).encode()
    X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    yield "a.npy", written(np.save, X)
    yield "a.npz", written(np.savez, X)
    yield "a.parquet", written(lambda file, f: f.to_parquet(file), table[["real", "text"]])
    yield "a.feather", written(lambda file, f: f.to_feather(file), table[["real", "text"]])


def seeds(target: str, folder: Path) -> None:
    """The first inputs of a target."""
    folder.mkdir(parents=True, exist_ok=True)
    if target == "headers":
        rng = random.Random(0)
        first = [rng.randbytes(60) for _ in range(50)]
    elif target == "specs":
        from reparam import VAE
        from reparam.estimator.validation import KINDS
        from reparam.recipes.recipes import RECIPES

        held = [each.arguments() for each in RECIPES.values() if isinstance(each.model, VAE)]
        first = [
            bytes([sorted(KINDS).index(name)]) + repr(value).encode()
            for arguments in held
            for name, value in arguments.items()
            if name in KINDS
        ]
    else:
        files = list(sound())
        endings = sorted({name.partition(".")[2] for name, _ in files})
        first = [bytes([endings.index(name.partition(".")[2])]) + content for name, content in files]
    for i, content in enumerate(first):
        (folder / f"seed-{i}").write_bytes(content)


def main(target: str, folder: Path, seconds: float) -> None:
    import atheris

    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["reparam"]):
        import reparam
        import reparam.data.load
        import reparam.estimator.vae
        import reparam.recipes  # noqa: F401

    folder = folder.absolute()
    seeds(target, folder / "corpus")
    run = {"headers": headers, "specs": specs, "readers": readers}[target](folder)
    options = ["-timeout=60", "-rss_limit_mb=6000", f"-max_len={LONGEST[target]}", "-seed=1", "-verbosity=0"]
    atheris.Setup(
        [sys.argv[0], str(folder / "corpus"), *options, f"-artifact_prefix={folder}/"],
        Watched(run, folder, seconds),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
