"""The report says in words what the figures are, names every picture, and needs nothing from elsewhere."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reparam import ELBO, VAE, Auxiliary, Given, Point, Training
from reparam.evaluation.evaluate import Estimate, Evaluation
from reparam.plotting import style
from reparam.plotting.html_elements import data_table, notice
from reparam.plotting.html_report import page
from reparam.plotting.report_style import CSS, DARK, LIGHT
from reparam.plotting.report_words import headline, summary

pytestmark = pytest.mark.filterwarnings("error")
RNG = np.random.default_rng(0)
EMPTY = {"br", "meta", "wbr", "path", "use", "rect", "image"}


class Page(HTMLParser):
    """The tree of a page, read once."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.images, self.ids, self.links = [], [], [], [], []
        self.words, self.text = [], text
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        self.ids += [held["id"]] if "id" in held else []
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag in ("svg", "img"):
            self.images.append(held.get("aria-label") or held.get("alt") or "")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def report(vae, X, y=None, k=5):
    result = vae.evaluate(X, y if vae.classes_ is not None else None, k)
    read = Page(page(vae, SimpleNamespace(X=X, y=y), result, "a <model> & data"))
    assert read.open == []
    assert len(set(read.ids)) == len(read.ids)
    assert all(re.match(r"data:image/png;base64,|#", link) for link in read.links)
    assert {link[1:] for link in read.links if link[0] == "#"} <= set(read.ids)
    assert set(re.findall(r"url\(#(.*?)\)", read.text)) <= set(read.ids)
    assert "http" not in read.text and "a &lt;model&gt; &amp; data" in read.text
    assert all(re.match(r"[A-Z][\w ]+: .{10,}", words) for words in read.images), read.images
    return read


@pytest.fixture(scope="module")
def images():
    X = RNG.random((60, 6, 5))
    vae = VAE(3, labels=Auxiliary(2), training=Training(epochs=2), random_state=0)
    y = np.arange(60) % 2
    return vae.fit(X, y), X, y


@pytest.fixture(scope="module")
def read(images):
    return report(*images)


def test_a_model_of_images_has_fit_latent_samples_and_model(read):
    assert [h for h in read.headings if "warning" not in h] == [
        "Fit",
        "Use of the latent",
        "Samples",
        "Model",
    ]
    kinds = [words.partition(":")[0] for words in read.images]
    assert {"Line charts", "Line chart", "Histogram", "Bar chart", "Scatter plot", "Images"} == set(kinds)
    assert kinds.count("Images") == 5
    assert {"log-likelihood", "accuracy", "KL (rate)", "z1", "standard deviation"} <= set(read.words)


def test_a_model_of_a_table_has_columns_too():
    kind = RNG.choice(["oak", "ash & elm"], 80)
    frame = pd.DataFrame(
        {"kind": kind, "height<m>": RNG.normal(size=80) + (kind == "oak"), "nests": RNG.poisson(1, 80)}
    )
    frame.loc[::9, "height<m>"] = np.nan
    read = report(VAE(2, training=Training(epochs=2), random_state=0).fit(frame), frame)
    assert [h for h in read.headings if "warning" not in h][-2:] == ["Columns", "Model"]
    assert {"ash & elm", "height<m>", "distance", "pair"} <= set(read.words)
    kinds = [words.partition(":")[0] for words in read.images]
    assert {"Histograms and bar charts", "Heat maps", "Table"} <= set(kinds)


@pytest.mark.parametrize(
    ("vae", "X", "y"),
    [
        (VAE(2, posterior=Point(), objective=ELBO(beta=0)), RNG.normal(size=(40, 4)), None),
        (VAE(2, labels=Given(2)), RNG.random((40, 4, 4)), np.arange(40) % 2),
        (VAE(0, labels=Given(2)), RNG.random((40, 4, 4)), np.arange(40) % 2),
        (VAE((1, 2)), RNG.normal(size=(40, 4)), None),
        (VAE(1), RNG.normal(size=(40, 4)), RNG.normal(size=40)),
        (VAE(2, window=4), pd.DataFrame({"timestamp": range(40), "value": RNG.normal(size=40)}), None),
    ],
    ids=["point", "given", "no latent", "layers", "line", "series"],
)
def test_every_kind_of_model_has_a_report(vae, X, y):
    vae.set_params(training=Training(epochs=1), random_state=0).fit(X, y if vae.labels else None)
    assert report(vae, X, y).headings[-1] == "Model"


def test_colours_of_figures_are_those_of_the_page(read):
    drawn = read.text[read.text.index("<svg") :]
    for colour in (style.INK, style.FAINT, style.BLUE, style.ORANGE):
        assert f": {colour}" not in drawn
    used = set(re.findall(r"var\(--([a-z-]+)\)", read.text)) - {"width"}
    for sheet in (LIGHT, DARK):
        assert used <= set(re.findall(r"--([a-z-]+):", sheet))
    assert re.search(r"@media screen and \(prefers-color-scheme: dark\)", CSS) and "@media print" in CSS


def test_the_same_report_is_the_same_page(images, read):
    assert report(*images).text == read.text


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough_to_read(sheet):
    """WCAG 2.2: 4.5 for text, 3 for marks."""
    colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", sheet))

    def light(name):
        parts = np.array([int(colour[name][i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722] + 0.05

    def contrast(a, b):
        return max(light(a), light(b)) / min(light(a), light(b))

    assert min(contrast(name, "page") for name in ("ink", "strong", "muted")) >= 4.5
    assert min(contrast(name, "note") for name in ("ink", "strong")) >= 4.5
    assert min(contrast(name, "page") for name in ("blue", "orange", "purple", "red", "note-edge")) >= 3


# words


def evaluation(**changes):
    usual: dict[str, Any] = {
        "n": 1200,
        "k": 50,
        "log_likelihood": Estimate(-85.5, 0.25),
        "bits_per_dim": None,
        "elbo": -90.0,
        "rate": 12.3,
        "distortion": 77.7,
        "active_units": 4,
        "ess": 20.0,
        "accuracy": None,
        "warnings": (),
        "rate_by_dimension": (4.0, 4.0, 4.2, 0.1, 0.0),
        "active_by_kl": 4,
    }
    return Evaluation(**(usual | changes))


@pytest.mark.parametrize(
    ("changes", "latent_dim", "first", "second"),
    [
        (
            {},
            5,
            "On 1,200 rows the mean log-likelihood is -85.50 ± 0.25 nats per datum, the importance-weighted "
            "bound of 50 samples and its standard error.",
            "4 of 5 latent dimensions are active, with a KL of 12.30 nats per datum; no warning applies.",
        ),
        (
            {
                "n": 1,
                "k": 1,
                "log_likelihood": Estimate(-3.0, None),
                "rate": 0.01,
                "active_by_kl": 0,
                "warnings": ("posterior collapse: KL is 0.01 nats per datum. Warm the KL up",),
            },
            5,
            "On 1 row the mean log-likelihood is -3.00 nats per datum, the importance-weighted bound of 1 "
            "sample.",
            "None of the 5 latent dimensions is active, with a KL of 0.01 nats per datum; one warning: "
            "posterior collapse.",
        ),
        (
            {"log_likelihood": None, "rate": None, "rate_by_dimension": None, "active_by_kl": None},
            4,
            "On 1,200 rows the mean reconstruction term is 77.70 nats per datum; the posterior is a point, "
            "so there is no log-likelihood.",
            "All 4 latent dimensions are active; no warning applies.",
        ),
        (
            {"rate_by_dimension": None, "warnings": ("w" * 200, "x" * 200)},
            4,
            None,
            "The KL of the latent is 12.30 nats per datum; 2 warnings.",
        ),
        ({"rate_by_dimension": (12.3,), "active_by_kl": 1}, 1, None, None),
        ({}, 0, None, "The model has no latent; no warning applies."),
    ],
)
def test_a_summary_is_two_sentences(changes, latent_dim, first, second):
    found = summary(evaluation(**changes), latent_dim)
    assert len(found) == 2 and all(sentence.endswith(".") for sentence in found)
    plain = [sentence.replace("\N{MINUS SIGN}", "-") for sentence in found]
    assert first in (None, plain[0]) and second in (None, plain[1])


def test_a_headline_is_what_is_wrong_without_its_cure():
    assert (
        headline("2 of 5 latent dimensions have collapsed. Use fewer")
        == "2 of 5 latent dimensions have collapsed"
    )
    assert headline("effective sample size 4.5 of 50, Pareto k 0.90: raise k") == (
        "effective sample size 4.5 of 50, Pareto k 0.90"
    )


def test_warnings_stand_in_one_box():
    assert notice([]) == ""
    box = notice(["a < b", "c"])
    assert (
        box.startswith('<aside class="warnings"><h2>2 warnings</h2>')
        and "<li>a &lt; b.</li><li>c.</li>" in box
    )


def test_cells_are_escaped_and_numbers_have_minus_signs():
    made = data_table(["a<b", "n"], [["x_y", "-1.5"], ["<i>", "2"]], "what & why", {1})
    assert '<th scope="col">a&lt;b</th><th scope="col" class="number">n</th>' in made
    assert "x_<wbr>y" in made and "&lt;i&gt;" in made and "\N{MINUS SIGN}1.5" in made
    assert "<caption>what &amp; why</caption>" in made
