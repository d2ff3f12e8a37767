"""Build the wheel and the sdist, check them, and use them in fresh environments, for `make release-check`.

Run by a Python that has `build` and `twine`. Needs the package index: torch of constraints.txt and every
extra of `all` are installed. Environments are made in a temporary folder; `dist/` keeps what was built.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
TABLE = "size,kind\n" + "".join(f"{i % 7 + i / 50},{'ab'[i % 2]}\n" for i in range(60))
PICTURES = """
from pathlib import Path
import numpy as np, pandas as pd
from PIL import Image
pd.read_csv("rows.csv").to_parquet("rows.parquet")
Path("pictures").mkdir()
for i in range(3):
    Image.fromarray(np.full((6, 6), 40 * i, np.uint8)).save(f"pictures/{i}.png")
"""


def call(*words: object, cwd: Path = ROOT) -> None:
    """Run a command; one that fails ends the check."""
    print("$", *words, flush=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(list(map(str, words)), cwd=cwd, env=clean, check=True)


def build() -> tuple[Path, Path]:
    """The wheel and the sdist in `dist/`."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    call(sys.executable, "-m", "build")
    wheel, sdist = (next((ROOT / "dist").glob(form)) for form in ("*.whl", "*.tar.gz"))
    call(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def environment(folder: Path, what: str, *, pinned: bool = True) -> Path:
    """A new environment with `what` installed; its Python. Not `pinned`: all but torch as pip chooses, as for
    users, since mlflow asks for an older pandas than constraints.txt has."""
    call(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    torch = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
    call(python, "-m", "pip", "install", "--quiet", torch, "-c", CONSTRAINTS)
    call(python, "-m", "pip", "install", "--quiet", *(("-c", CONSTRAINTS) if pinned else (torch,)), what)
    call(python, "-m", "pip", "check")
    return python


def use(python: Path, folder: Path, data: list[str]) -> None:
    """The command line on each kind of DATA."""
    folder.mkdir()
    (folder / "rows.csv").write_text(TABLE)
    command = python.parent / "reparam"
    call(command, "--version", cwd=folder)
    call(python, "-m", "reparam", "--help", cwd=folder)
    call(python, "-c", PICTURES, cwd=folder)
    for name in data:
        call(command, "fit", name, "-o", f"run-{name}", "--epochs", 1, cwd=folder)
    call(command, "score", "run-rows.csv", "rows.csv", "-o", "scores.csv", cwd=folder)


def main() -> None:
    wheel, sdist = build()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        bare = environment(place / "bare", str(wheel))
        use(bare, place / "bare-use", ["digits", "rows.csv", "rows.parquet", "pictures"])
        use(environment(place / "sdist", str(sdist)), place / "sdist-use", ["rows.csv"])
        full = environment(place / "all", f"{wheel}[all]", pinned=False)
        use(full, place / "all-use", ["rows.csv"])
        frame = "import pandas as pd; pd.read_csv('rows.csv').to_excel('rows.xlsx', index=False)"
        call(full, "-c", frame, cwd=place / "all-use")
        call(full.parent / "reparam", "fit", "rows.xlsx", "-o", "x", "--epochs", 1, cwd=place / "all-use")
    print("release-check: passed")


if __name__ == "__main__":
    main()
