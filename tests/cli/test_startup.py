"""The start of a command. What it must not import takes about as long as the work of the verb itself."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from reparam import VAE, Training

COMPILER = {"torch._dynamo", "torch._inductor", "sympy"}
FIGURES = {"matplotlib", "skimage"}
LIBRARIES = {"torch", "sklearn", "scipy", "pandas"}
STATISTICS = {"scipy.stats._stats_py", "sklearn.linear_model", "reparam.recipes.recipes"}

UNWANTED = {
    "--help": LIBRARIES | FIGURES,
    "show RUN": LIBRARIES | FIGURES,
    "fit DATA -o out --epochs 1": COMPILER | STATISTICS,
    "score RUN DATA": COMPILER | FIGURES | STATISTICS,
    "impute RUN DATA -o full.csv": COMPILER | FIGURES | STATISTICS,
    "sample RUN -n 3 -o new.csv": COMPILER | FIGURES | STATISTICS,
}
"""The modules that a command must not import; RUN is a fitted table, DATA its file."""

CODE = """
import json, sys
from reparam.cli import start
try:
    start()
except SystemExit as end:
    assert not end.code, end.code
json.dump(sorted(sys.modules), open("modules.json", "w"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with RUN and DATA."""
    folder = tmp_path_factory.mktemp("imports")
    table = pd.DataFrame({"size": [1.0, 2.5, None, 4.0] * 3, "colour": ["red", "blue", "blue", "red"] * 3})
    table.to_csv(folder / "DATA.csv", index=False)
    VAE(2, training=Training(epochs=1), random_state=0).fit(table).save(folder / "RUN.safetensors")
    return folder


@pytest.mark.parametrize("words", UNWANTED)
def test_a_command_imports_only_what_it_needs(words: str, folder: Path) -> None:
    names = {"RUN": "RUN.safetensors", "DATA": "DATA.csv"}
    command = [sys.executable, "-c", CODE, *(names.get(word, word) for word in words.split())]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    imported = set(json.loads((folder / "modules.json").read_text()))
    assert not imported & UNWANTED[words]


def test_a_lazy_module_is_whole_when_it_is_used() -> None:
    code = """
import sys
from reparam.cli.startup import begin
begin()
import sklearn.base
assert "scipy.stats._stats_py" not in sys.modules
import scipy.stats
from scipy.stats import norm
assert norm.ppf(0.5) == 0 and scipy.stats.norm is norm
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_explorer_starts_without_the_recipes() -> None:
    """They import half of scikit-learn; their citation is looked up where it is asked for."""
    code = "import sys, reparam.web.server; assert 'reparam.recipes' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
