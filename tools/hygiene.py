"""What no file may have: spaces at a line's end, marks of a merge, no last newline, more than 1 MiB.

python tools/hygiene.py FILE ...: prints each fault, and its exit status is 1 where there is one.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

LARGEST = 1 << 20
MARKS = (b"<<<<<<< ", b">>>>>>> ")


def faults(path: Path) -> Iterator[str]:
    """What is wrong with a file, a line of text each; of files with zero bytes, the size alone."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        yield f"{path}: {len(data):,} bytes; the most is {LARGEST:,}"
    if b"\0" in data:
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if line != line.rstrip():
            yield f"{path}:{number}: spaces at the end of the line"
        if line.startswith(MARKS):
            yield f"{path}:{number}: the mark of a merge"
    if data and (not data.endswith(b"\n") or data.endswith(b"\n\n")):
        yield f"{path}: end the file with one newline"


def main(paths: list[str]) -> int:
    found = [fault for path in paths if Path(path).is_file() for fault in faults(Path(path))]
    print("".join(f"{fault}\n" for fault in found), end="")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
