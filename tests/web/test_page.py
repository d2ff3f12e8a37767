"""The page in a real browser: clicks, drags, touch and keys; what it says is `window.reparam.state`."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("reparam.web.server", reason="the server of the page is not in this checkout")
pytest.importorskip("playwright.sync_api")

from reparam.serialization.atomic import locked
from reparam.web.answers import Answers
from reparam.web.run_history import RunHistory

from . import page_models
from .browser import needs_chromium, opened, until
from .driving import LOOP, can, drag, frame, over_http, state

pytestmark = needs_chromium


def test_map_decodes_under_the_pointer_selects_and_shows_a_posterior(visit: Callable[..., Any]) -> None:
    page = visit("digits")
    assert state(page, "loaded") == 900 and len(state(page, "kl")) == 10
    box = frame(page)
    page.mouse.move(box["x"] + 6, box["y"] + 40)
    until(page, "s.hover?.z?.length === 10 && s.lastDecodeMs > 0")
    page.locator(".tip canvas").wait_for()
    page.get_by_role("button", name="Lasso", exact=True).click()
    drag(page, LOOP)
    until(page, "s.selection.length > 50")
    page.get_by_role("button", name="Box", exact=True).click()
    drag(page, [(0.0, 0.0), (0.5, 0.5)])
    until(page, "s.selection.length > 0 && s.selection.length < 900")
    with page.expect_download() as caught:
        page.get_by_role("button", name="csv", exact=True).click()
    lines = caught.value.path().read_text().splitlines()
    assert len(lines) == len(state(page, "selection")) + 1 and lines[0].startswith("row,class,log_p,z0")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    with page.expect_download() as caught:  # as over plain HTTP from another machine
        page.get_by_role("button", name="copy ids").click()
    assert list(map(int, caught.value.path().read_text().split())) == state(page, "selection")
    page.locator(".frame").focus()
    page.keyboard.press("Escape")
    assert state(page, "selection") == []
    page.get_by_label("Projection").select_option("pca")
    until(page, "s.projection === 'pca'")
    assert "projection=pca" in page.evaluate("window.reparam.store.toHash()")


def test_points_are_drawn_again_only_when_they_change(visit: Callable[..., Any]) -> None:
    """A million points take a second without a graphics card, and the pointer must not wait for them."""
    page = visit("plane")
    page.evaluate("""() => {
      window.drawn = 0;
      const own = WebGL2RenderingContext.prototype.drawArrays;
      WebGL2RenderingContext.prototype.drawArrays = function (...of) { window.drawn++; own.apply(this, of); };
    }""")
    box = frame(page)
    drawn = []
    for x in (6, 26, 46):
        page.evaluate("window.reparam.state.lastDecodeMs = 0")
        page.mouse.move(box["x"] + x, box["y"] + 40)
        until(page, "s.hover?.z?.length === 2 && s.lastDecodeMs > 0")
        drawn.append(page.evaluate("window.drawn"))
    assert drawn[0] == drawn[2]
    page.mouse.wheel(0, -100)
    until(page, f"window.drawn > {drawn[2]}")
    asked = "import('/static/store.js').then((m) => [1, 2, 3, 6, 7, 10].map((n) => m.stage(n, 10)))"
    if page.url.startswith("http") and page.evaluate("document.querySelector('script[src]') !== null"):
        assert page.evaluate(asked) == [1, 1, 2, 2, 3, 10]


def test_keys_alone_reach_a_datum(visit: Callable[..., Any]) -> None:
    page = visit("plane")
    page.locator(".frame").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, "s.hover !== null")
    for _ in range(30):
        page.keyboard.press("Enter")
        if state(page, "z").count(0) < 2:
            break
    page.keyboard.press("b")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    until(page, "s.selection.length > 0")


def test_sliders_move_undo_and_every_class(visit: Callable[..., Any]) -> None:
    page = visit("digits", view="sliders")
    first = page.locator(".slider input").first
    first.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    until(page, "s.z.some((v) => Math.abs(v) > 0.03)")
    undo = page.get_by_role("button", name="undo", exact=True)
    while undo.is_enabled():  # quick keys are one step, slow ones several
        undo.click()
    until(page, "s.z.every((v) => v === 0)")
    page.locator(".classes .names button").nth(7).click()
    until(page, "s.y === 7")
    page.get_by_role("button", name="random", exact=True).click()
    until(page, "s.z.some((v) => v !== 0)")
    page.get_by_role("button", name="this code as A").click()
    page.get_by_role("button", name="reset", exact=True).click()
    page.get_by_role("button", name="this code as B").click()
    page.get_by_label("Path", exact=True).select_option("spherical")
    page.get_by_role("button", name="interpolate").click()
    strip = page.locator(".between .strip .tile")
    strip.nth(11).wait_for()
    with page.expect_download() as caught:
        page.get_by_role("button", name="GIF").click()
    from PIL import Image

    with Image.open(caught.value.path()) as film:
        assert getattr(film, "n_frames", 1) == 22
    page.get_by_label("Name of the direction").fill("style")
    page.get_by_role("button", name="as a slider").click()
    until(page, "s.directions[0]?.name === 'style'")
    before = state(page, "z")
    page.get_by_label("style", exact=True).fill("1")
    until(page, "s.directions[0].amount === 1")
    assert np.allclose(np.subtract(state(page, "z"), before), state(page, "a"), atol=1e-5)


def test_a_drawn_digit_is_scored_and_erased(visit: Callable[..., Any]) -> None:
    page = visit("digits", view="datum")
    box = page.locator(".paper").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.9, steps=12)
    page.mouse.up()
    until(page, "s.datum?.probabilities?.length === 10 && Number.isFinite(s.datum.log_px)")
    assert abs(sum(state(page, "datum.probabilities")) - 1) < 1e-4
    assert 0 <= state(page, "datum.percentile") <= 100
    if not can(page, "impute"):
        assert page.get_by_role("button", name="erase to guess").count() == 0
        return
    whole = state(page, "datum.log_px")
    page.get_by_role("button", name="erase to guess").click()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    until(page, "s.datum.imputations === 6 && s.datum.percentile === undefined")
    assert state(page, "datum.log_px") != whole


def test_a_blank_field_of_a_table_is_guessed(visit: Callable[..., Any]) -> None:
    page = visit("table", view="datum")
    until(page, "Number.isFinite(s.datum?.log_px)")
    page.get_by_label("size", exact=True).fill("8.1")
    page.keyboard.press("Tab")
    until(page, "s.datum.x[0] === 8.1 && Number.isFinite(s.datum.log_px)")
    page.get_by_label("sort", exact=True).select_option("lentil")
    page.get_by_label("weight", exact=True).fill("12")
    page.keyboard.press("Tab")
    until(page, "s.datum.x[1] === 12 && s.datum.unlikely?.[0] < 0.05 && s.datum.unlikely[1] < 0.05")
    page.get_by_label("blank size").click()
    until(page, "s.datum.imputations === 6 && s.datum.unlikely?.[0] === null")
    assert page.locator(".field.blank .spread").count() >= 1
    assert page.locator(".guesses tbody tr").count() == 6


def test_covariates_change_what_is_decoded_and_come_with_a_row(visit: Callable[..., Any]) -> None:
    page = visit("conditional", view="sliders")
    page.get_by_label("sex", exact=True).select_option("f")
    until(page, "s.covariates[1] === 0")
    height = "+document.querySelector('.stage .card dd')?.textContent"
    until(page, f"{height} > 100")
    female = page.evaluate(height)
    page.get_by_label("sex", exact=True).select_option("m")
    until(page, f"{height} > {female + 4}")
    page.get_by_role("button", name="Your datum", exact=True).click()
    until(page, "s.datum?.index === 0")
    page.get_by_label("Row of the data").fill("7")
    page.keyboard.press("Tab")
    until(page, "s.datum?.index === 7 && Number.isFinite(s.datum.log_px)")
    assert state(page, "covariates")[0] == page_models.conditional().data.y["age"][7]


def test_a_picture_in_colours_is_read_from_a_file(visit: Callable[..., Any]) -> None:
    from PIL import Image

    page = visit("colours", view="datum")
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (255, 0, 0)).save(file, "PNG")
    page.get_by_label("A picture file").set_input_files(
        {"name": "red.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    until(page, "s.datum?.x?.length === 192 && Number.isFinite(s.datum.log_px)")
    assert state(page, "datum.x")[:3] == [1, 0, 0]


def test_a_window_of_a_series(visit: Callable[..., Any]) -> None:
    page = visit("series", view="datum")
    until(page, "s.datum?.x?.length === 24 && s.datum.mean?.length === 3")
    slider = page.get_by_label("Last step of the window")
    slider.fill("335")
    until(page, "s.datum.index === 335 && s.datum.mean?.length === 3")
    if not can(page, "impute"):
        return
    until(page, "Number.isFinite(s.datum.log_px)")
    page.locator("canvas.curve").first.hover(position={"x": 200, "y": 40})
    page.mouse.down()
    page.mouse.up()
    until(page, "s.datum.imputations === 6")


@pytest.mark.parametrize("name", ["digits", "table", "series"])
def test_the_other_views_show_something(visit: Callable[..., Any], name: str) -> None:
    page = visit(name, view="samples")
    page.locator(".grid .tile").first.wait_for()
    for view, mark in {"Anomalies": ".anomalies li", "Training": ".chart", "Model": ".facts"}.items():
        page.get_by_role("button", name=view, exact=True).click()
        page.locator(mark).first.wait_for(timeout=30_000)
    page.get_by_text("Auto-Encoding Variational Bayes").wait_for()
    assert state(page, "error") == ""


def test_a_training_is_followed_while_it_runs(browser: Any, tmp_path: Path) -> None:
    fitted, faults = page_models.plane(), list[str]()
    rows = fitted.vae.history_
    file = tmp_path / "history.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    answers = Answers({"run": fitted.vae}, run=RunHistory(tmp_path))
    with locked(tmp_path), over_http(answers) as address, opened(browser, faults) as page:
        page.goto(f"{address}#view=training")
        page.get_by_text("3 epochs, running").wait_for()
        with file.open("a") as more:
            more.write(json.dumps(rows[3]) + "\n")
            more.write(json.dumps(rows[-1] | {"epoch": 5, "validation": rows[-1]["bound"]}) + "\n")
            more.write(json.dumps(rows[-1] | {"epoch": 6, "validation": rows[-1]["bound"]}) + "\n")
        page.get_by_text("6 epochs, running").wait_for()
        assert "held out" in page.locator(".chart figcaption").first.inner_text()
    assert not faults


def test_two_models_share_a_selection(visit: Callable[..., Any]) -> None:
    page = visit("digits", "plane", view="compare")
    assert page.locator(".frame").count() == 2
    assert page.locator(".frame").nth(1).locator(".axis").all_inner_texts() == ["z0", "z1"]
    drag(page, LOOP, which=1)
    until(page, "s.selection.length > 50")


def test_touch_on_a_phone(visit: Callable[..., Any]) -> None:
    page = visit(
        "plane", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = frame(page)
    page.touchscreen.tap(box["x"] + 20, box["y"] + 20)
    until(page, "s.z.some((v) => v !== 0)")


def test_the_state_comes_back_from_the_address(visit: Callable[..., Any]) -> None:
    page = visit("plane", view="sliders", more="&z=0.5,-1.25")
    assert state(page, "z") == [0.5, -1.25] and state(page, "view") == "sliders"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_have_contrast(visit: Callable[..., Any], theme: str) -> None:
    page = visit("plane", viewport={"width": 900, "height": 700}, color_scheme=theme)
    names = ["--ink", "--soft", "--accent", "--warn", "--paper", "--card", "--wash", "--on-accent"]
    script = (
        "n => n.map(k => getComputedStyle(document.querySelector('.reparam')).getPropertyValue(k).trim())"
    )
    colour = dict(zip(names, page.evaluate(script, names), strict=True))

    def light(name: str) -> float:
        c = np.array(list(base64.b16decode(colour[name][1:].upper()))) / 255
        return float(
            np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        )

    pairs = [(a, b) for a in ("--ink", "--soft", "--warn") for b in ("--paper", "--card", "--wash")]
    for a, b in [*pairs, ("--on-accent", "--accent")]:
        low, high = sorted([light(a), light(b)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{a} on {b}"


AXE = Path(__file__).parents[2] / ".venv/js/node_modules/axe-core/axe.min.js"


@pytest.mark.skipif(not AXE.is_file(), reason="there is no axe-core: make check-js")
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["plane", pytest.param("table", marks=pytest.mark.slow)])
def test_every_view_is_accessible(visit: Callable[..., Any], name: str, theme: str) -> None:
    """WCAG 2.1 AA as far as axe-core sees it: names, contrast, order of headings."""
    page = visit(name, color_scheme=theme, bypass_csp=True)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate("window.reparam.store.set({selection: [1, 2, 3]})")
    marks = {"Map": ".selection", "Sliders": ".slider", "Your datum": "h2", "Samples": ".tile"}
    marks |= {"Anomalies": ".anomalies li", "Training": ".chart", "Model": "pre + h3 + pre"}
    for view, mark in marks.items():
        page.get_by_role("button", name=view, exact=True).click()
        page.locator(mark).first.wait_for()
        found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']})")
        faults = [(each["id"], each["nodes"][0]["html"][:100]) for each in found["violations"]]
        assert not faults, view


def test_a_server_that_is_gone_is_told(browser: Any) -> None:
    fitted, faults = page_models.plane(), list[str]()
    with over_http(Answers({"m": fitted.vae}, fitted.data)) as address, opened(browser, faults) as page:
        page.goto(address)
        until(page, "s.ready")
        page.route("**/api/v1/**", lambda route: route.abort())
        box = frame(page)
        page.mouse.click(box["x"] + 6, box["y"] + 40)
        page.get_by_role("alert").get_by_text("the server does not answer").wait_for()
    assert all("Failed to load resource" in fault for fault in faults), faults
