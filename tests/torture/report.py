"""docs/reliability.md: what is provoked, what happens, what is lost, and the counts of the last run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("page.md")
"""What does not depend on a run."""

PARTS = {
    "SIGKILL": "`reparam fit`, saving at every step, is killed and resumed until its end: cases are kills",
    "cut short": "model files up to a random byte",
    "a flipped bit": "model files with one bit changed",
    "forged headers": "a value of a header or a literal of a spec replaced and the checksum made right, then "
    "every verb that reads a model",
    "headers by a grammar": "one to three values of a header replaced by what JSON can say, or the text of "
    "one spec by the grammar of the specs, likewise with every verb",
    "texts of specs": "texts by the grammar of the specs, one part in thirty wrong",
    "tables": "csv, tsv and jsonl, plain and compressed: bytes changed, cut, repeated and put in",
    "arrays": "npy, npz, parquet and feather, likewise",
    "pictures": "png, jpeg, webp, bmp, gif, tiff and ppm, likewise, and under another's name",
    "by hand": "bombs, pipes, devices, circles of links, names that are no text, objects, dates",
    "fuzzing": "atheris, guided by the lines of reparam that an input reaches: values of a header with a "
    "right checksum, texts of specs, files of data (csv, tsv, jsonl, npy, npz, parquet, feather)",
    "memory": "a verb in a process that may allocate 2 to 64 MiB more than an idle one",
}
"""How each fault is provoked, by the beginning of its name."""


def written(parts: Sequence[Mapping[str, Any]], system: str) -> str:
    """The page, of what each part has found."""
    rows = {name: row for part in parts for name, row in part["rows"].items()}
    cases = sum(row["cases"] for row in rows.values())
    faults = sum(len(row["faults"]) for row in rows.values())
    minutes = sum(row["seconds"] for row in rows.values()) / 60
    how = "\n".join(f"- **{name}**: {words}." for name, words in PARTS.items())
    listed = [f"- {name}: `{fault[:300]}`" for name, row in rows.items() for fault in row["faults"][:5]]
    return "\n".join(
        [
            PAGE.read_text(encoding="utf-8"),
            "## The last run",
            "",
            f"{cases:,} cases in {minutes:.0f} minutes, one part after the other, seed "
            f"{several(parts, 'seed')}, commit {several(parts, 'commit')}, {faults} faults; {system}. "
            "*Wanted* is what a full run reaches.",
            "",
            "| provoked | cases | wanted | how they ended | faults |",
            "|---|---:|---:|---|---:|",
            *(f"| {name} | {line(row)} |" for name, row in rows.items()),
            "",
            *(["The first faults of each:", "", *listed, ""] if listed else []),
            "## How faults are provoked",
            "",
            how,
            "",
        ]
    )


def line(row: Mapping[str, Any]) -> str:
    """The cells of a row but the first."""
    cases, wanted = f"{row['cases']:,}", f"{row['wanted']:,}"
    if row["timed"]:
        cases, wanted = f"{cases} in {row['seconds'] / 60:.0f} min", f"{row['wanted'] / 60:.0f} min"
    ends = ", ".join(f"{count:,} {end}" for end, count in sorted(row["ends"].items()))
    return f"{cases} | {wanted} | {ends} | {len(row['faults'])}"


def several(parts: Sequence[Mapping[str, Any]], name: str) -> str:
    return " and ".join(dict.fromkeys(str(part[name]) for part in parts))
