"""The table of docs/do/deployment.md, which recipes become ONNX graphs: `python tools/onnx_recipes.py`.

Each recipe is trained for one epoch on digits and exported, as tests/export/test_onnx.py does.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from sklearn.base import clone

from reparam import SpecError
from reparam.export.onnx import export_onnx
from reparam.recipes import RECIPES
from tests.recipes.test_recipes import BRIEF, NAMES, digits

PAGE = Path(__file__).parents[1] / "docs/do/deployment.md"
BEGIN, END = "<!-- written by tools/onnx_recipes.py -->", "<!-- end -->"
GRAPHS = ("encoder", "decoder", "look")


def row(name: str) -> str:
    """The largest difference of each graph from torch, or what ONNX lacks."""
    published = RECIPES[name].model
    training = replace(published.training or BRIEF, epochs=1, batch_size=50)
    vae = clone(published).set_params(training=training, random_state=0).fit(*digits(name))
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = export_onnx(vae, folder).difference
        except SpecError as error:
            return f"| {name} | {error} | | |"
    cells = [f"{found[graph]:.0e}" if graph in found else "none" for graph in GRAPHS]
    return f"| {name} | {' | '.join(cells)} |"


def table() -> str:
    head = [f"| recipe | {' | '.join(GRAPHS)} |", "|---|---|---|---|"]
    rows = []
    for name in sorted(NAMES):
        rows.append(row(name))
        print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join([*head, *rows])


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
