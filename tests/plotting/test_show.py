"""`show`: a file and its name in a script, SVG under a notebook's cell."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reparam.plotting import show as module
from reparam.plotting.figures import comparison, losses
from reparam.plotting.show import show

PANELS = {"a": np.zeros((4, 8, 8)), "b": np.ones((4, 8, 8))}


def test_a_script_gets_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = []
    for words in ("first", "second"):
        assert show(comparison(PANELS), words) is None
        name, said = capsys.readouterr().out.strip().split(": ")
        with Image.open(tmp_path / name) as written:
            assert said == words and written.size[0] > 100
        names.append(name)
    assert len(set(names)) == 2


def test_a_notebook_gets_a_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "in_notebook", lambda: True)
    history = [
        {"epoch": i, "loss": 9.0 - i, "rate": 1.0, "distortion": 8.0 - i, "bound": i - 9.0} for i in (1, 2)
    ]
    found = show(losses(history), "a < b")
    assert found is not None
    text = found._repr_html_()
    assert text.startswith('<figure class="drawn"') and "<figcaption>a &lt; b</figcaption>" in text
    assert "var(--blue, #2f7fc8)" in text and "var(--blue)" not in text
