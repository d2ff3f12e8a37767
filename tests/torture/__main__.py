"""Run the parts and write what happened: `python -m tests.torture [PART ...] --share 0.1 -o FILE.md`.

What a part has found is kept in a folder as soon as it ends, and the page is made of what stands there: a
part can be run again by its name, and a run that is stopped loses only the part that it was at.
"""

import argparse
import json
import math
import platform
import random
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch

from .parts import PARTS, Part
from .report import written


def run_part(name: str, part: Part, share: float, folder: Path, number: int) -> list[str]:
    """Run a part, keep its tallies in the folder, and give its faults."""
    n = max(math.ceil(share * wanted) for wanted in part.wanted.values())
    rng, rows = random.Random(f"{number} {name}"), {}
    with tempfile.TemporaryDirectory() as scratch:
        place = folder / name if part.timed else Path(scratch)
        place.mkdir(exist_ok=True)
        for row, tally in part.run(place, rng, n):
            rows[row] = vars(tally) | {"wanted": part.wanted[row], "timed": part.timed}
    (folder / f"{name}.json").write_text(json.dumps({"rows": rows, "seed": number, "commit": commit()}))
    return [f"{row}: {fault}" for row, tally in rows.items() for fault in tally["faults"]]


def commit() -> str:
    """The short name of the commit, with a + where files differ from it."""
    words = ["git", "describe", "--always", "--abbrev=7", "--dirty=+", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[], metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases and the time of a full run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("build/torture"))
    parser.add_argument("-o", "--output", type=Path, default=None)
    words = parser.parse_args()
    if unknown := set(words.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words.folder.mkdir(parents=True, exist_ok=True)
    system = f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    faults = []
    for name in words.parts or PARTS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = run_part(name, PARTS[name], words.share, words.folder, words.seed)
        print("\n".join(found or [f"{name}: no fault"]), file=sys.stderr, flush=True)
        faults += found
        held = [words.folder / f"{each}.json" for each in PARTS]
        text = written([json.loads(path.read_text()) for path in held if path.is_file()], system)
        if words.output:
            words.output.write_text(text, encoding="utf-8")
    if not words.output:
        print(text)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
