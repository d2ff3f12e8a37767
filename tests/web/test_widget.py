"""The page in a notebook: a widget answers over its channel, and says what is selected."""

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget")
pytest.importorskip("playwright.sync_api")

from reparam import VAE
from reparam.web.wire import pack, unpack

from . import page_models
from .browser import chromium, needs_chromium, opened, until
from .notebook_host import host_of


@needs_chromium
def test_a_cell_shows_the_page_and_gives_a_selection_back() -> None:
    vae, data = page_models.plane()
    widget: Any = vae.explore(data.X, data.y)
    faults: list[str] = []
    with host_of(widget) as address, chromium() as browser, opened(browser, faults) as page:
        page.goto(address)
        until(page, "s.ready && s.loaded === 600")
        box = page.locator(".frame").bounding_box()
        assert box["height"] == 480 and page.evaluate("document.body.scrollHeight") < 900
        page.mouse.move(box["x"] + 6, box["y"] + 40)
        until(page, "s.hover?.z?.length === 2 && s.lastDecodeMs > 0")
        page.get_by_role("button", name="Box", exact=True).click()
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 5, steps=4)
        page.mouse.up()
        until(page, "s.selection.length > 0")
        chosen = page.evaluate("window.reparam.state.selection")
        end = time.monotonic() + 10
        while widget.selection != chosen:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert not faults


def test_questions_and_errors_over_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, data = page_models.plane()
    widget: Any = vae.explore(data)
    said: list[Any] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: said.append((content, buffers)))
    z = np.zeros((2, 2), np.float32)
    widget.answer({"id": 7, "verb": "decode"}, [memoryview(pack({"z": z}, {}))])
    content, (blob,) = said[0]
    assert content == {"id": 7}
    np.testing.assert_allclose(unpack(blob)[0]["x"][..., 0], vae.inverse_transform(z))
    widget.answer({"id": 8, "verb": "decode"}, [memoryview(pack({"z": z[:, :1]}, {}))])
    assert said[1][0]["id"] == 8 and "codes of 2 numbers" in said[1][0]["error"] and said[1][1] is None


def test_models_and_evaluations_show_themselves() -> None:
    vae, data = page_models.plane()
    shown = vae._repr_mimebundle_()["text/html"]
    assert "8 by 8" in shown and "8 epochs, bound" in shown and "Gaussian(" in shown
    assert "VAE, not fitted" in VAE(3, likelihood=page_models.PIXELS)._repr_html_()
    found = vae.evaluate(data.X[:50], k=5)._repr_html_()
    assert "50 rows, k = 5" in found and str(vae.evaluate(data.X[:50], k=5).log_likelihood) in found
