"""The explorer of a model in one file that works without a server and without a network."""

import base64
import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.load import as_dataset
from ..data.stream import taken
from ..serialization.atomic import replace_file
from ..web.answers import Answers
from ..web.bundle import STATIC, bundle
from ..web.model_answers import ModelAnswers
from ..web.wire import Arrays, Info, pack
from .onnx import Said, check_extra
from .page_contents import contents, graphs_in, rows_in

if TYPE_CHECKING:
    from .. import VAE

LARGEST = 15_000_000
"""The most bytes of a page, as far as leaving out rows of the data can keep to it."""
MEASURED = 500
"""Rows from which the bytes of all rows are estimated."""
VENDOR = STATIC / "vendor"
RUNTIME = {"onnxruntime": "onnxruntime.mjs.gz", "wasm": "onnxruntime.wasm.gz"}
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""What the browser lets the page do: nothing that reaches outside of it."""


def export_page(
    vae: "VAE",
    file: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    name: str = "model",
    said: Said | None = None,
) -> Path:
    """Write the explorer of a model as one HTML file, and return its path.

    The file holds the model as ONNX graphs, each of which has given torch's numbers on random and extreme
    rows, and onnxruntime for browsers (5 MB). It shows what needs no Python: of X, a `Dataset` or rows with
    labels y, the map and the least likely rows; codes, decoded codes, samples, and log p(x) of a row.
    Where all rows of X would make more than 15 MB, evenly spaced ones are held (the last ones of a series),
    and the page and `said` tell how many. SpecError where ONNX lacks an operation of the encoder or decoder.
    """
    return write_page(Answers({name: vae}, as_dataset(X, y)), file, said=said)


def write_page(answers: Answers, file: str | Path, *, said: Said | None = None) -> Path:
    """As `export_page`, of one model or of two that are compared, each with its data."""
    check_extra()
    parts = [graphs_in(asked, said) for asked in answers.models]
    room = LARGEST - len(page_text(pack(joined([arrays for arrays, _ in parts]), {})))
    models = list[Info]()
    for asked, (arrays, graphs) in zip(answers.models, parts, strict=True):
        small = with_fewer_rows(asked, room // len(parts))
        total, n = (each.view.n if each.view else 0 for each in (asked, small))
        if total > n and said is not None:
            said(f"{total - n} of {total} rows are left out: with all, the page would have more than 15 MB")
        more, info = contents(small, graphs)
        arrays |= more
        info["model"] |= {
            "models": [each.name for each in answers.models],
            "running": False,
            "n_total": total,
        }
        models.append(info)
    file = Path(file)
    text = page_text(pack(joined([arrays for arrays, _ in parts]), {"models": models}))
    replace_file(file, text.encode())
    return file


def joined(parts: list[Arrays]) -> Arrays:
    """The arrays of several models, `0.weights` and so on."""
    return {f"{i}.{name}": array for i, arrays in enumerate(parts) for name, array in arrays.items()}


def with_fewer_rows(asked: ModelAnswers, room: int) -> ModelAnswers:
    """The same with as many rows of its data as take that many bytes of a page."""
    if asked.view is None:
        return asked
    some = with_rows(asked, min(asked.view.n, MEASURED))
    arrays, info = rows_in(some)
    each = len(encoded(pack(arrays, info))) / min(asked.view.n, MEASURED)
    return with_rows(asked, min(asked.view.n, max(1, int(room / each))))


def with_rows(asked: ModelAnswers, n: int) -> ModelAnswers:
    """The same with n rows of its data, evenly spaced; of a series the last n."""
    assert asked.view is not None
    total, data = asked.view.n, asked.view.dataset
    if n == total:
        return asked
    if asked.vae.window_ is not None:
        rows = np.arange(total - n, total)
    else:
        rows = np.unique(np.linspace(0, total - 1, n).astype(int))
    y, keys = (None if held is None else taken(held, rows) for held in (data.y, data.keys))
    return ModelAnswers(asked.name, asked.vae, replace(data, X=taken(data.X, rows), y=y, keys=keys))


def encoded(data: bytes) -> str:
    """Compressed, as text."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def page_text(held: bytes) -> str:
    """The page: its modules, its style and onnxruntime with what the models hold."""
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    parts = {name: base64.b64encode((VENDOR / file).read_bytes()).decode() for name, file in RUNTIME.items()}
    licences = [path.read_text(encoding="utf-8") for path in sorted(VENDOR.glob("LICENSE.*"))]
    notices = gzip.decompress((VENDOR / "NOTICES.onnxruntime.gz").read_bytes()).decode("utf-8")
    plain = "\n\n".join([*licences, notices])
    blocks = [("text/plain", "licences", plain)]
    blocks += [
        ("application/gzip", name, data) for name, data in (parts | {"contents": encoded(held)}).items()
    ]
    scripts = [
        f'<script type="{kind}" id="reparam-{name}">{escaped(data)}</script>' for kind, name, data in blocks
    ]
    scripts.append(f'<script type="module">\n{escaped(bundle("page_file.js"))}</script>')
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    text = text.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{policy}')
    for name in ("style.css", "page.css"):
        style = (STATIC / name).read_text(encoding="utf-8")
        text = text.replace(f'<link rel="stylesheet" href="static/{name}">', f"<style>\n{style}</style>")
    return text.replace('<script type="module" src="static/page.js"></script>', "\n".join(scripts))


def escaped(text: str) -> str:
    """Text that may stand in a script element."""
    return re.sub(r"<(?=/script|!--)", r"\\x3c", text, flags=re.I)
