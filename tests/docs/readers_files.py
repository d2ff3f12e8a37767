"""Small files under the names that pages of the documentation use for data of the reader's own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import sparse

RNG = np.random.default_rng(0)


def people(n: int = 200) -> pd.DataFrame:
    age, sex = RNG.uniform(5, 18, n).round(1), RNG.choice(["f", "m"], n)
    height = 70 + 5 * age + 8 * (sex == "m") + RNG.normal(0, 2, n)
    return pd.DataFrame(
        {"age": age, "sex": sex, "height": height.round(1), "weight": (0.4 * height).round(1)}
    )


def birds(n: int = 120) -> pd.DataFrame:
    kind = RNG.integers(3, size=n)
    known = np.where(RNG.random(n) < 0.5, np.array(["adelie", "gentoo", "chinstrap"])[kind], None)
    return pd.DataFrame(
        {"bill": 40 + 6 * kind + RNG.normal(size=n), "mass": RNG.normal(size=n), "species": known}
    )


def counts() -> np.ndarray:
    return RNG.poisson(RNG.gamma(2.0, size=(120, 25)))


def series(n: int, labelled: bool) -> pd.DataFrame:
    value = np.sin(np.arange(n) / 20) + RNG.normal(0, 0.1, n)
    label = np.isin(np.arange(n) // 5, (n // 10, n // 5 - 10)).astype(int)
    value += 4 * label
    frame = pd.DataFrame({"timestamp": 60 * np.arange(n), "value": value})
    return frame.assign(label=label) if labelled else frame


def photos(folder: Path) -> None:
    for kind in ("cats", "dogs"):
        (folder / kind).mkdir(parents=True)
        for i in range(10):
            pixels = RNG.integers(0, 255, size=(60, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{i}.png")


def shards(folder: Path) -> None:
    folder.mkdir()
    for i in range(2):
        people().to_parquet(folder / f"{i}.parquet")


def annotated(path: Path) -> None:
    """Cells as an AnnData file; a module that reads it stands in for the package, which is large."""
    with path.open("wb") as file:
        np.savez(file, X=counts(), batch=np.array(["A", "B"] * 60))
    (path.parent / "anndata.py").write_text(
        "from types import SimpleNamespace\n"
        "import numpy as np, pandas as pd\n"
        "from scipy.sparse import csr_matrix\n"
        "def read_h5ad(path):\n"
        "    held = np.load(path)\n"
        "    obs = pd.DataFrame({'batch': held['batch']})\n"
        "    return SimpleNamespace(X=csr_matrix(held['X']), layers={}, obs=obs)\n"
    )


FILES: dict[str, Callable[[Path], object]] = {
    "people.csv": lambda path: people().to_csv(path, index=False),
    "birds.csv": lambda path: birds().to_csv(path, index=False),
    "kpi.csv": lambda path: series(400, labelled=False).to_csv(path, index=False),
    "new.csv": lambda path: series(400, labelled=True).to_csv(path, index=False),
    "cpu4.csv": lambda path: series(9_000, labelled=True).to_csv(path, index=False),
    "cells.npz": lambda path: sparse.save_npz(path, sparse.csr_matrix(counts())),
    "cells.h5ad": annotated,
    "photos": photos,
    "more-photos": photos,
    "shards": shards,
}
"""What makes the file or folder, by its name."""
