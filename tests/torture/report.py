"""docs/reliability.md: what is provoked, what happens, what is lost, and the counts of the last run."""

from collections.abc import Mapping
from pathlib import Path

from .outcome import Tally

PAGE = Path(__file__).with_name("page.md")
"""What does not depend on a run."""

PARTS = {
    "SIGKILL": "`reparam fit`, saving at every step, is killed and resumed until its end: cases are kills",
    "cut short": "model files up to a random byte",
    "a flipped bit": "model files with one bit changed",
    "forged headers": "a value of a header or a literal of a spec replaced and the checksum made right, then "
    "every verb that reads a model",
    "texts of specs": "texts by the grammar of the specs, one part in thirty wrong",
    "tables": "csv, tsv and jsonl, plain and compressed: bytes changed, cut, repeated and put in",
    "arrays": "npy, npz, parquet and feather, likewise",
    "pictures": "png, jpeg, webp, bmp, gif, tiff and ppm, likewise, and under another's name",
    "by hand": "bombs, pipes, devices, circles of links, names that are no text, objects, dates",
    "fuzzing": "atheris, guided by the lines of reparam that an input reaches: values of a header with a "
    "right checksum, texts of specs, files of data (csv, tsv, jsonl, npy, npz, parquet, feather)",
    "memory": "a verb in a process that may allocate 24 to 200 MiB more than an idle one",
}
"""How each fault is provoked, by the beginning of its name."""


def written(found: Mapping[str, Tally], seconds: float, number: int, system: str) -> str:
    """The page."""
    rows = [
        f"| {name} | {tally.cases:,} | {ends(tally)} | {len(tally.faults)} |" for name, tally in found.items()
    ]
    cases, faults = (sum(n) for n in zip(*((t.cases, len(t.faults)) for t in found.values()), strict=True))
    how = "\n".join(f"- **{name}**: {words}." for name, words in PARTS.items())
    listed = [f"- {name}: `{fault[:300]}`" for name, tally in found.items() for fault in tally.faults[:5]]
    return "\n".join(
        [
            PAGE.read_text(encoding="utf-8"),
            "## The last run",
            "",
            f"{cases:,} cases in {seconds / 60:.0f} minutes, one process, seed {number}, {faults} faults; "
            f"{system}.",
            "",
            "| provoked | cases | how they ended | faults |",
            "|---|---:|---|---:|",
            *rows,
            "",
            *(["The first faults of each:", "", *listed, ""] if listed else []),
            "## How faults are provoked",
            "",
            how,
            "",
        ]
    )


def ends(tally: Tally) -> str:
    return ", ".join(f"{count:,} {end}" for end, count in sorted(tally.ends.items()))
