"""Each thing that the page is for, with models of five kinds of data, whoever answers it."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("reparam.web.server", reason="the server of the page is not in this checkout")
pytest.importorskip("playwright.sync_api")

from reparam import FSQ, MLP, VAE, Conv, Dataset, Training
from reparam.cli.run_folder import attach_samples
from reparam.web.answers import Answers

from . import page_models
from .browser import needs_chromium, opened, until
from .driving import LOOP, can, drag, frame, over_http, state

pytestmark = needs_chromium
SLOW = pytest.mark.slow
KINDS = ["plane", *(pytest.param(name, marks=SLOW) for name in ("digits", "table", "colours", "series"))]
Visit = Callable[..., Any]


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def places(page: Any) -> Iterator[tuple[float, float]]:
    """Places all over the map, from its middle."""
    box = frame(page)
    for reach in np.linspace(0.02, 0.45, 12):
        for turn in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            x, y = 0.5 + reach * np.cos(turn), 0.5 + reach * np.sin(turn)
            yield box["x"] + box["width"] * x, box["y"] + box["height"] * y


def codes(page: Any) -> np.ndarray:
    """The codes of all rows, as the page holds them."""
    held = page.evaluate("(({mean, L}) => [Array.from(mean), L])(window.reparam.store.codes[0])")
    return np.array(held[0]).reshape(-1, held[1])


def over_a_datum(page: Any) -> tuple[float, float]:
    """Moves the pointer to a row of the data."""
    for place in places(page):
        page.mouse.move(*place)
        if page.evaluate("window.reparam.state.hover?.index >= 0"):
            return place
    raise AssertionError("no row of the data is under the pointer")


@pytest.mark.parametrize("name", KINDS)
def test_the_map(visit: Visit, name: str) -> None:
    fitted = page_models.MODELS[name]()
    page = visit(name, more="&layers=")
    n, L = len(fitted.data.X), fitted.vae.latent_dim_
    assert state(page, "loaded") == n
    assert "of" in page.locator(".foot").inner_text()  # n of n rows: nothing is left out silently
    place = over_a_datum(page)
    page.locator(".tip:not([hidden]) small").wait_for()
    page.mouse.click(*place)
    until(page, "s.datum?.index >= 0 && s.layer.posterior?.ends.length === 4")
    shown = state(page, "layer.posterior")
    assert shown["index"] == state(page, "datum.index") and np.shape(shown["ends"]) == (4, L)
    np.testing.assert_allclose(np.mean(shown["ends"], 0), codes(page)[shown["index"]], atol=1e-4)
    for layer, key in (("Decoder field", "field"), ("Aggregate posterior", "density"), ("Prior", "prior")):
        button(page, layer).click()
        until(page, f"s.layer.{key} > 10")
    names = page.get_by_label("Colour by").locator("option").all_inner_texts()
    for colour in [c for c in names if c != "class"][:3]:
        page.get_by_label("Colour by").select_option(label=colour)
        page.locator(".ramp, .legend li").first.wait_for()
    button(page, "Lasso").click()
    drag(page, LOOP)
    until(page, "s.selection.length > 20")
    assert page.locator(".selection").inner_text().startswith(f"{state(page, 'selection.length'):,}")
    with page.expect_download() as caught:
        button(page, "csv").click()
    header, *lines = caught.value.path().read_text().splitlines()
    assert header.endswith(f"z{L - 1}") and len(lines) == state(page, "selection.length")
    button(page, "clear").click()
    until(page, "s.selection.length === 0")
    if L > 2:
        for plane in ("pca", "turned", "axes"):
            page.get_by_label("Projection").select_option(plane)
            until(page, f"s.projection === '{plane}'")
    button(page, "Path").click()
    drag(page, [(0.2, 0.2), (0.8, 0.3), (0.7, 0.8)])
    strip = page.locator(".strip")
    strip.locator(".tile").nth(15).wait_for()
    with page.expect_download() as caught:
        strip.get_by_role("button", name="csv of codes").click()
    path = np.loadtxt(caught.value.path(), delimiter=",", skiprows=1, ndmin=2)
    assert path.shape == (16, L)
    if name != "table":
        with page.expect_download() as caught:
            strip.get_by_role("button", name="GIF").click()
        assert caught.value.path().read_bytes()[:6] == b"GIF89a"
    assert state(page, "error") == ""


@pytest.mark.parametrize("name", KINDS)
def test_the_sliders(visit: Visit, name: str) -> None:
    fitted = page_models.MODELS[name]()
    page = visit(name, view="sliders")
    L = fitted.vae.latent_dim_
    kl = np.array(state(page, "kl"))
    order = page.locator(".slider > input").evaluate_all("all => all.map((one) => one.id)")
    shown = [int(each[1:]) for each in order if each.startswith("z")]
    assert len(shown) == L and (np.diff(kl[shown]) <= 1e-6).all()  # by what they say, in nats
    assert page.locator("details .slider").count() == (kl < 0.01).sum()
    first = page.locator(".slider > input").first
    first.focus()
    page.keyboard.press("PageUp")
    until(page, "s.z.some((v) => v > 0.5)")
    page.locator("button[aria-label^=strip]").first.click()
    page.locator(".slider .tile").nth(8).wait_for()
    moved = state(page, "z")
    button(page, "reset").click()
    until(page, "s.z.every((v) => v === 0)")
    button(page, "undo").click()
    until(page, f"JSON.stringify(s.z) === {json.dumps(moved, separators=(',', ':'))!r}")
    button(page, "random").click()
    until(page, "s.z.every((v) => v !== 0)")
    if fitted.vae.classes_ is not None:
        assert page.locator(".classes .tile").count() == 10
        page.locator(".classes .names button").nth(4).click()
        until(page, "s.y === 4")
    page.wait_for_timeout(300)
    assert "z=" in page.evaluate("window.reparam.store.toHash()")
    page.get_by_role("button", name="this code as A").click()
    button(page, "reset").click()
    page.get_by_role("button", name="this code as B").click()
    for path in ("linear", "spherical"):
        page.get_by_label("Path", exact=True).select_option(path)
        button(page, "interpolate").click()
        page.locator(".between .strip .tile").nth(11).wait_for()
    assert state(page, "error") == ""


@pytest.mark.parametrize("name", ["plane", pytest.param("table", marks=SLOW)])
def test_the_difference_of_two_selections_is_a_slider_that_is_kept(visit: Visit, name: str) -> None:
    page = visit(name)
    button(page, "Box").click()
    n = page_models.MODELS[name]().data.X.shape[0]
    for left, right, letter in ((0.02, 0.5, "A"), (0.5, 0.98, "B")):
        before = [-1, *state(page, "selection")][-1]
        drag(page, [(left, 0.02), (right, 0.98)])
        until(page, f"s.selection.length > 0 && s.selection.length < {n} && s.selection.at(-1) !== {before}")
        mean = codes(page)[state(page, "selection")].mean(0)
        button(page, f"mean as {letter}").click()
        np.testing.assert_allclose(state(page, letter.lower()), mean, atol=1e-4)
    button(page, "Sliders").click()
    page.get_by_label("Name of the direction").fill("across")
    page.get_by_role("button", name="as a slider").click()
    until(page, "s.directions[0]?.name === 'across'")
    page.get_by_label("across", exact=True).fill("1")
    difference = np.subtract(state(page, "a"), state(page, "b"))
    np.testing.assert_allclose(state(page, "z"), difference, atol=1e-4)
    button(page, "undo").click()
    until(page, "s.directions[0].amount === 0 && s.z.every((v) => v === 0)")
    page.reload()
    until(page, "s.ready && s.directions[0]?.name === 'across'", 60)


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW) for name in ("digits", "colours")])
def test_a_picture_is_dropped_on_the_page(visit: Visit, name: str) -> None:
    from PIL import Image

    page = visit(name, view="datum")
    file = io.BytesIO()
    Image.new("RGB", (30, 30), (0, 255, 0)).save(file, "PNG")
    page.evaluate(
        """(text) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const held = new DataTransfer();
          held.items.add(new File([bytes], "green.png", { type: "image/png" }));
          window.drop = () => document.querySelector(".paper")?.dispatchEvent(
            new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(file.getvalue()).decode(),
    )
    until(page, "(window.drop(), s.datum?.x)")  # until the page listens
    until(page, "Number.isFinite(s.datum.log_px)")
    expected = [0.587] if name == "digits" else [0, 1, 0]
    np.testing.assert_allclose(state(page, "datum.x")[: len(expected)], expected, atol=0.01)
    assert page.locator(".pair canvas").count() == 3  # the reconstruction, the datum, and its unlikely pixels


@pytest.mark.parametrize("name", [pytest.param("table", marks=SLOW)])
def test_a_row_of_a_table_is_pasted(visit: Visit, name: str) -> None:
    page = visit(name, view="datum")
    until(page, "Number.isFinite(s.datum?.log_px)")
    page.evaluate(
        """() => {
          const held = new DataTransfer();
          held.setData("text", "5.5\\t\\tpea\\t4");
          document.querySelector(".fields").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: held, bubbles: true, cancelable: true }));
        }"""
    )
    until(page, "s.datum.x[0] === 5.5 && s.datum.x[3] === 4 && s.datum.imputations === 6")
    assert page.locator("select#c2").input_value() == "2"
    assert page.locator(".guesses th").all_inner_texts() == ["weight"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW) for name in ("plane", "colours")])
def test_what_is_erased_of_a_picture_is_filled(visit: Visit, name: str) -> None:
    page = visit(name, view="datum")
    page.get_by_label("Row of the data").fill("5")
    page.keyboard.press("Tab")
    until(page, "s.datum?.index === 5 && Number.isFinite(s.datum.log_px) && s.datum.percentile >= 0")
    if not can(page, "impute"):
        return
    page.get_by_role("button", name="erase to guess").click()
    box = page.locator(".paper").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, "s.datum.imputations === 6")
    assert page.locator(".verdict .tiles canvas").count() == 6


@pytest.mark.parametrize("name", [pytest.param("plane", marks=SLOW), pytest.param("colours", marks=SLOW)])
def test_the_views_of_the_whole_model(visit: Visit, name: str) -> None:
    page = visit(name, view="samples")
    page.locator(".grid .tile").first.wait_for()
    before = page.locator(".grid canvas").first.evaluate("c => c.toDataURL()")
    page.get_by_label("Temperature").fill("0.1")
    button(page, "draw again").click()
    end = "document.querySelector('.grid canvas').toDataURL()"
    until(page, f"{end} !== {before!r}")
    for view, mark in {"Anomalies": ".anomalies li", "Training": ".chart", "Model": ".facts"}.items():
        button(page, view).click()
        page.locator(mark).first.wait_for(timeout=30_000)
    assert state(page, "error") == ""


def test_two_fingers_zoom_and_one_moves(visit: Visit) -> None:
    page = visit("plane", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.locator(".frame").scroll_into_view_if_needed()
    box = frame(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *at: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(at)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = state(page, "layer.camera.scale")
    fingers("touchStart", (x - 20, y), (x + 20, y))
    fingers("touchMove", (x - 40, y), (x + 40, y))
    fingers("touchMove", (x - 60, y), (x + 60, y))
    fingers("touchEnd")
    until(page, f"s.layer.camera.scale > {2 * before}")
    place = state(page, "layer.camera.x")
    fingers("touchStart", (x, y))
    fingers("touchMove", (x + 30, y))
    fingers("touchMove", (x + 60, y))
    fingers("touchEnd")
    until(page, f"s.layer.camera.x < {place}")
    assert page.evaluate("visualViewport.scale") == 1  # the page itself is not enlarged


@contextmanager
def page_of(browser: Any, vae: VAE, data: Dataset, view: str) -> Iterator[Any]:
    """The page of one model at a view, which has to stay without errors."""
    faults: list[str] = []
    with over_http(Answers({"m": vae}, data)) as address, opened(browser, faults) as page:
        page.goto(f"{address}#view={view}")
        until(page, "s.ready", 60)
        yield page
    assert not faults


def test_samples_by_epoch_are_a_film(browser: Any) -> None:
    vae, data = copy(page_models.plane().vae), page_models.plane().data
    attach_samples(vae, {epoch: np.asarray(data.X[:10]) * epoch / 8 for epoch in (1, 4, 8)})
    with page_of(browser, vae, data, "training") as page:
        page.get_by_text("Samples after epoch 8").wait_for()
        page.get_by_label("Epoch", exact=True).fill("1")
        page.get_by_text("Samples after epoch 4").wait_for()
        assert page.locator(".film canvas").count() == 10
        page.get_by_role("button", name="play").click()
        page.get_by_text("Samples after epoch 8").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"latent_dim": (2, 3)}, ["Layer 1 of 2: vector of 2", "Layer 2 of 2: vector of 3"]),
        ({"latent_dim": ((2, 4, 4),)}, ["Layer 1 of 1: maps of 2 x 4 x 4"]),
        ({"latent_dim": 6, "posterior": FSQ((4, 4, 4))}, ["Layer 1 of 1: codes: 6, one of 64 each"]),
    ],
)
def test_layers_are_shown_as_what_they_are(browser: Any, parts: dict[str, Any], words: list[str]) -> None:
    X = page_models.plane().data.X[:100, None]
    maps = "maps" in words[0]
    network = Conv((4,)) if maps else MLP((16,))
    vae = VAE(**parts, encoder=network, training=Training(epochs=1), random_state=0).fit(X)
    with page_of(browser, vae, Dataset("data", X), "sliders") as page:
        titles = page.locator("h3").all_inner_texts()
        shown = [title.replace("\N{MULTIPLICATION SIGN}", "x") for title in titles]
        assert shown[: len(words)] == words
        assert page.locator(".maps svg").count() == (2 if maps else 0)
