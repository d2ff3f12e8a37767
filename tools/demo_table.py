"""The table of the demo: scikit-learn's wines with a fifth of the cells removed, which are then filled.

`demo_table.py make TABLE.csv` writes it; `demo_table.py check FILLED.csv` compares the filled cells with the
true ones, in standard deviations of their columns.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine


def wines() -> tuple[pd.DataFrame, np.ndarray]:
    """The table, and where its cells are removed."""
    bunch = load_wine(as_frame=True)
    frame = bunch.data.assign(cultivar=bunch.target.map(lambda i: "ABC"[i]))
    frame = frame.rename(columns={"od280/od315_of_diluted_wines": "od_ratio"})
    return frame, np.random.default_rng(0).random(frame.shape) < 0.2


def make(path: Path) -> None:
    frame, hidden = wines()
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.mask(hidden).to_csv(path, index=False)
    print(f"{path}: {len(frame)} wines, {frame.shape[1]} columns, {hidden.sum()} cells missing")


def check(path: Path) -> None:
    frame, hidden = wines()
    filled = pd.read_csv(path)
    numbers = frame.columns[:-1]
    holes = hidden[:, :-1]
    spread = frame[numbers].std()
    off = (((filled[numbers] - frame[numbers]) / spread).to_numpy()[holes] ** 2).mean() ** 0.5
    mean = frame[numbers].mask(holes).mean()
    plain = (((mean - frame[numbers]) / spread).to_numpy()[holes] ** 2).mean() ** 0.5
    right = (filled.cultivar == frame.cultivar)[hidden[:, -1]].mean()
    print(
        f"filled cells are off by {off:.2f} standard deviations (column means: {plain:.2f}); "
        f"{right:.0%} of the missing cultivars are right"
    )


if __name__ == "__main__":
    verb, path = sys.argv[1:]
    {"make": make, "check": check}[verb](Path(path))
