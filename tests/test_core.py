"""What works without any extra, and what is said where one is missing.

`make test-core` runs this file in an environment without extras. Elsewhere their packages are hidden from
the processes that this file starts, so it holds there too. It needs pytest and the dependencies alone.
"""

import json
import subprocess
import sys
from pathlib import Path

TABLES = ["polars", "openpyxl"]
TRACKERS = ["lightning_fabric", "pytorch_lightning", "tensorboard", "wandb", "mlflow"]
ONNX = ["onnx", "onnxscript", "onnxruntime"]
PAGES = ["fastapi", "uvicorn", "anywidget", "huggingface_hub"]
EXTRAS = [*TABLES, *TRACKERS, *ONNX, *PAGES]
HIDE = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {EXTRAS} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def alone(code: str, folder: Path, *words: str) -> tuple[int, str, str]:
    """Python code in a process that finds no package of an extra: its status, stdout and stderr."""
    command = [sys.executable, "-c", HIDE + code, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def test_arrays_need_no_extra(tmp_path: Path) -> None:
    code = """
import numpy as np, reparam
for name in reparam.__all__:
    getattr(reparam, name)
X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
vae = reparam.VAE(2, training=reparam.Training(epochs=2), random_state=0).fit(X)
scores = vae.score_samples(X)
assert scores.shape == (64,) and np.isfinite(scores).all()
assert str(vae.evaluate(X))
vae.save("model.safetensors")
again = reparam.VAE.load("model.safetensors")
assert (again.score_samples(X) == scores).all() and again.transform(X).shape == (64, 2)
assert again.sample(5).shape == (5, 3)
np.save("X.npy", X)
assert (reparam.load("X.npy").X == X).all() and len(reparam.stream("X.npy")) == 64
assert reparam.load("digits:test").X.shape == (360, 8, 8)
absent = [name for name in EXTRAS if name in sys.modules]
assert not absent, absent
"""
    assert alone(f"EXTRAS = {EXTRAS}{code}", tmp_path) == (0, "", "")


MISSING = [
    ("to_polars(None)", "a model that was fitted on polars frames", "polars"),
    ("reparam.VAE(1, training=two).fit([[0.0], [1.0], [3.0]])", "devices=2", "devices"),
    ("Tracker('csv', Path('.'))", "--log csv", "trackers"),
    ("Tracker('wandb', Path('.'))", "--log wandb", "trackers"),
    ("export_onnx(None, '.')", "an export to ONNX", "onnx"),
    ("reparam.load('rows.xlsx')", "an .xlsx file", "excel"),
    ("import_module('reparam.web.server')", "this command", "web"),
    ("import_module('reparam.web.widget')", "the explorer in a notebook", "notebook"),
    ("reparam.VAE.from_pretrained('user/name')", "the model hub", "hub"),
]
"""Code, what it asks for, and the extra that holds it."""


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = f"""
import numpy as np, reparam
from importlib import import_module
from pathlib import Path
Path("rows.xlsx").write_bytes(b"PK")
from reparam.data.codecs.table import to_polars
from reparam.data.codecs.choose import from_header
from reparam.export.onnx import export_onnx
from reparam.training.loggers import Tracker

two = reparam.Training(devices=2, epochs=1)
for words in {[code for code, *_ in MISSING]}:
    try:
        eval(words)
    except reparam.ReparamError as error:
        print(error)
"""
    status, out, err = alone(code, tmp_path)
    assert (status, err) == (0, "")
    assert out.splitlines() == [f"{need} needs pip install 'reparam[{extra}]'" for _, need, extra in MISSING]


def test_the_command_line_needs_no_extra(tmp_path: Path) -> None:
    """csv, parquet and pictures are read, and a table is written."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"u": rng.normal(size=40), "kind": rng.choice(["a", "b"], 40)})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (6, 6), np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    commands = [
        *(["fit", data, "-o", f"run-{data}", "--epochs", "1", "--json"] for data in ("rows.csv", "pictures")),
        ["score", "run-rows.csv", "rows.parquet", "-o", "scores.csv"],
    ]
    code = f"""
from reparam.cli import start
for words in {commands}:
    sys.argv[1:] = words
    try:
        start()
    except SystemExit as end:
        assert not end.code, words
"""
    status, out, err = alone(code, tmp_path)
    fits = [json.loads(line)["model"] for line in out.splitlines() if line.startswith("{")]
    assert (status, fits) == (0, ["run-rows.csv", "run-pictures"]), err
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 41
