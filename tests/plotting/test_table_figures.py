"""Figures of tables: what they measure, what they draw, and what they say about it."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from scipy.stats import ks_2samp
from scipy.stats.contingency import association as plain_v

from reparam import ELBO, VAE, Point, Training
from reparam.plotting import model_plots, style
from reparam.plotting.associations import association, associations
from reparam.plotting.score_figures import score_histogram, strangest, strangest_cells
from reparam.plotting.style import BLUE, ORANGE
from reparam.plotting.table_figures import bins, correlations, distance, marginals

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)


def table(n=200, seed=0):
    """Numbers that depend on a category, a count, a date, a key, a constant; with holes."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["oak", "ash", "elm"], n, p=[0.5, 0.3, 0.2])
    height = rng.normal(10, 1, n) + 5 * (kind == "oak")
    frame = pd.DataFrame(
        {
            "tree": [f"t{i}" for i in range(n)],
            "kind": kind,
            "height": height.round(1),
            "width": (height / 4 + rng.normal(0, 0.1, n)).round(2),
            "nests": rng.poisson(1.0, n),
            "planted": pd.Timestamp("2001-03-01") + pd.to_timedelta(rng.integers(0, 3000, n), unit="D"),
            "park": "north",
        }
    )
    frame.loc[frame.index % 10 == 3, "height"] = np.nan
    frame.loc[frame.index % 20 == 4, "kind"] = None
    return frame


@pytest.fixture(scope="module")
def fitted():
    frame = table()
    return VAE(3, training=Training(epochs=3), random_state=0).fit(frame), frame


def bars_of(axes) -> list[Any]:
    return list(axes.patches)


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


# associations


def test_numbers_have_pearsons_correlation_over_the_rows_where_both_are_known():
    a, b = pd.Series([1.0, 2, 3, np.nan, 5]), pd.Series([2.0, 1, np.nan, 7, 9])
    assert association(a, b) == pytest.approx(np.corrcoef([1, 2, 5], [2, 1, 9])[0, 1])
    dates = pd.Series(pd.date_range("2020-01-01", periods=5))
    assert association(a, dates) == pytest.approx(1.0)
    assert np.isnan(association(a, pd.Series([4.0] * 5)))


def test_categories_have_cramers_v():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 20_000)
    b = np.where(rng.random(20_000) < 0.4, a, rng.integers(0, 4, 20_000))
    joint = pd.crosstab(a, b).to_numpy()
    assert association(pd.Series(a.astype(str)), pd.Series(b.astype(str))) == pytest.approx(
        plain_v(joint, method="cramer"), abs=0.002
    )
    assert association(pd.Series(list("abab")), pd.Series(list("xyxy"))) == pytest.approx(1.0)


def test_a_category_and_a_number_have_the_correlation_ratio():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 20_000)
    number = pd.Series(group + rng.normal(size=20_000))
    both = [
        association(number, pd.Series(group.astype(str))),
        association(pd.Series(group.astype(str)), number),
    ]
    assert both == pytest.approx([np.sqrt(0.25 / 1.25)] * 2, abs=0.01)


def test_measures_do_not_grow_where_rows_are_few_and_independent():
    """Without their correction they would be 0.5 and more here."""
    rng = np.random.default_rng(0)
    pairs = [(rng.choice(list("abcdefgh"), 25), rng.choice(list("stuvwxyz"), 25)) for _ in range(40)]
    v = [association(pd.Series(a), pd.Series(b)) for a, b in pairs]
    eta = [association(pd.Series(a), pd.Series(rng.normal(size=25))) for a, _ in pairs]
    assert np.mean(v) < 0.25 and np.mean(eta) < 0.3


def test_every_pair_is_measured_once_and_the_matrix_is_symmetric():
    frame = table()[["kind", "height", "width", "nests"]]
    found = associations(frame)
    assert np.array_equal(found, found.T) and np.all(np.diag(found) == 1)
    assert found[0, 1] == association(frame["kind"], frame["height"]) > 0.8


# marginals and correlations


def test_the_distance_is_kolmogorov_smirnovs_or_total_variation():
    a, b = pd.Series([1.0, 2, 3, np.nan]), pd.Series([2.0, 3, 4, 5])
    assert distance(a, b) == ("KS", ks_2samp([1, 2, 3], [2, 3, 4, 5]).statistic)
    assert distance(pd.Series(["a", "a", "b", "b", None]), pd.Series(["a", "c"])) == ("TV", 0.5)
    assert np.isnan(distance(pd.Series([np.nan, np.nan]), b)[1])


def test_marginals_are_bars_or_histograms_with_the_share_of_missing_cells():
    real, drawn = table(), table(100, seed=1)
    names = ["kind", "height", "nests", "planted"]
    figure = marginals(real[names], drawn[names])
    assert titles(figure) == names
    assert figure.get_label() == figure.get_suptitle() == "marginals of 200 real and 100 drawn rows"
    kind, height, nests, planted = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["5 % missing", "10 % missing", "", ""]
    assert [text.get_text() for text in kind.get_yticklabels()] == ["oak", "ash", "elm"]
    shares = real["kind"].value_counts(normalize=True)
    assert [bar.get_width() for bar in bars_of(kind)[:3]] == pytest.approx(shares.tolist())
    assert [text.get_text() for text in nests.get_xticklabels()] == [
        f"{i}" for i in range(len(bars_of(nests)) // 2)
    ]
    assert bars_of(nests)[0].get_height() == pytest.approx((real["nests"] == 0).mean())
    first, second = (patch.get_data().values for patch in bars_of(height))
    assert first.sum() == pytest.approx(1) and 0.8 < second.sum() <= 1
    assert height.get_title(loc="right") == f"KS {distance(real['height'], drawn['height'])[1]:.2f}"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["real", "drawn"]
    figure.draw_without_rendering()
    assert any("200" in text.get_text() for text in planted.get_xticklabels())


def test_of_many_columns_those_that_differ_the_most_are_shown_in_their_order():
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(300, 15)), columns=[f"c{i}" for i in range(15)])
    figure = marginals(real, real + np.arange(15)[::-1])
    assert titles(figure) == [f"c{i}" for i in range(12)]
    assert str(figure.get_label()).endswith("the 12 of 15 columns that differ the most")


def test_rare_categories_are_one_bar():
    values = pd.Series([c for i, c in enumerate("abcdefghijk") for _ in range(20 - i)])
    (axes,) = marginals(values.to_frame("c"), values.to_frame("c")).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [*"abcdefg", "4 others"]
    assert sum(bar.get_width() for bar in bars_of(axes)[:8]) == pytest.approx(1)


def test_a_long_tail_is_counted_and_not_drawn():
    values = pd.Series([*np.linspace(0, 1, 99), 1000.0])
    (axes,) = marginals(values.to_frame("c"), values.to_frame("c")).axes
    assert axes.get_xlabel() == "1 % beyond" and axes.get_xlim()[1] < 20


def test_bins_of_whole_numbers_hold_whole_numbers():
    edges = bins(np.arange(100.0))
    assert np.all(edges % 1 == 0.5) and len(set(np.diff(edges))) == 1 and edges[0] < 0 and edges[-1] > 99
    assert bins(np.array([2.0, 2.0]))[-1] > 2


def test_correlations_show_real_drawn_and_the_difference_below_the_diagonal():
    names = ["kind", "height", "width"]
    real, drawn = table()[names], table(seed=1)[names].sample(frac=1, random_state=0).reset_index(drop=True)
    drawn["width"] = drawn["width"].sample(frac=1, random_state=1).to_numpy()
    figure = correlations(real, drawn)
    before, after, change, _bar = figure.axes
    assert titles(figure)[:2] == ["real", "drawn"]
    assert re.fullmatch(r"drawn . real, mean absolute 0\.\d\d", titles(figure)[2])
    found = [np.ma.filled(axes.images[0].get_array(), np.nan) for axes in (before, after, change)]
    expected = associations(real)
    assert np.allclose(found[0], np.stack([[expected[1, 0], np.nan], expected[2, :2]]), equal_nan=True)
    assert np.allclose(found[2], found[1] - found[0], equal_nan=True)
    assert [text.get_text() for text in before.get_yticklabels()] == ["height", "width"]
    assert [text.get_text() for text in before.get_xticklabels()] == ["kind", "height"]
    assert f"{expected[1, 0]:.2f}" in [text.get_text() for text in before.texts]
    assert {axes.images[0].get_clim() for axes in (before, after, change)} == {(-1, 1)}


# scores


def test_rows_under_the_threshold_are_counted_and_have_another_colour():
    scores = [-6.0, -5.5, *np.linspace(-3, -1, 98)]
    figure = score_histogram(scores, threshold=-4.9)
    (axes,) = figure.axes
    assert axes.texts[0].get_text() == "2 rows below −4.9 (2 %)"  # noqa: RUF001
    counts = {BLUE: 0.0, ORANGE: 0.0}
    for bar in bars_of(axes):
        colour = min(
            counts, key=lambda c: np.abs(np.array(to_rgb(c)) - np.array(bar.get_facecolor()[:3])).sum()
        )
        counts[colour] += bar.get_height()
    assert counts == {ORANGE: 2, BLUE: 98}
    assert score_histogram(scores).axes[0].texts[:] == []


def test_scores_far_to_the_left_are_counted():
    figure = score_histogram([-np.inf, -1e6, *np.linspace(-3, -1, 98)])
    assert figure.get_label() == "log p(x) of 100 rows; 2 further left"
    assert sum(bar.get_height() for bar in bars_of(figure.axes[0])) == 98
    assert score_histogram([-np.inf]).get_label() == "log p(x) of 1 row; 1 further left"
    assert sum(bar.get_height() for bar in bars_of(score_histogram([-2.0, -2.0]).axes[0])) == 2


def test_the_strangest_cells_are_those_far_under_the_median_of_their_column():
    cells = np.array([[-1.0, -50.0], [-9.0, -50.0], [-1.0, -51.0], [np.nan, -50.0]])
    found = strangest([-60.0, -70.0, -65.0, np.nan], cells, rows=3)
    assert found.rows.tolist() == [1, 2, 0]
    assert found.surprise.tolist() == [[8, 0], [0, 1], [0, 0]]
    assert found.cells.tolist() == [[True, False], [False, True], [True, False]]
    missing = strangest([-1.0, -2.0, -1.0], [[np.nan, -1.0], [np.nan, -np.inf], [np.nan, -1.0]], rows=1)
    assert not missing.cells[:, 0].any() and missing.cells[:, 1].all()


def test_a_strange_cell_shows_what_was_observed_and_what_was_expected():
    frame = pd.DataFrame({"kind": ["oak", "ash", "elm"], "height": [9.5, 60.0, np.nan], "nests": [0, 2, 1]})
    cells = np.array([[-1.0, -2.0, -1.0], [-1.0, -40.0, -5.0], [-4.0, np.nan, -1.0]])
    expected = pd.DataFrame({"kind": ["ash", "oak"], "height": [11.04, 9.0], "nests": [0.2, 1]})
    (axes,) = strangest_cells(
        frame.set_axis(["t1", "t2", "t3"]), [-4.0, -46.0, -5.0], cells, expected, rows=2
    ).axes
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert words[:3] == ["row", "t2", "t3"] and words[-3:] == ["log p(x)", "−46.0", "−5.0"]  # noqa: RUF001
    assert {"60.0", "expected 11.0", "2", "expected 0", "elm", "expected oak"} <= set(words)
    assert "expected ash" not in words and "\N{EM DASH}" in words and "9.5" not in words
    assert len(bars_of(axes)) == 3
    assert bars_of(axes)[1].get_alpha() > bars_of(axes)[2].get_alpha()


# of a model


def test_a_model_of_a_table_has_pictures_of_its_table(fitted):
    vae, frame = fitted
    drawn = dict(model_plots.pictures(vae, SimpleNamespace(X=frame, y=None)))
    assert list(drawn) == [
        "losses",
        "latent_map",
        "marginals",
        "correlations",
        "score_histogram",
        "strangest_cells",
    ]
    names = ["kind", "height", "width", "nests", "planted"]
    assert titles(drawn["marginals"]) == names
    assert drawn["latent_map"].axes[0].get_legend().get_title().get_text() in {"kind", "nests"}
    words = [text.get_text() for text in drawn["strangest_cells"].axes[0].texts]
    assert any(word.startswith("expected ") for word in words) and words[1].startswith("t")
    assert all(figure.get_label() for figure in drawn.values())


def test_a_strange_cell_is_found_and_its_value_inferred_from_the_others():
    frame = table(400)
    vae = VAE(2, training=Training(epochs=40), random_state=0).fit(frame)
    frame.loc[17, "width"] = 9.99
    figure = dict(model_plots.pictures(vae, SimpleNamespace(X=frame, y=None)))["strangest_cells"]
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert words[1] == "t17" and "9.99" in words
    (hope,) = [float(word.split()[1]) for word in words[words.index("9.99") :][1:2]]
    assert 2 < hope < 4.5


def test_columns_of_other_types_than_in_training_are_read_like_the_model_reads_them(fitted):
    vae, frame = fitted
    text = frame.assign(planted=frame["planted"].dt.strftime("%Y-%m-%d"), nests=frame["nests"].astype(object))
    drawn = dict(model_plots.pictures(vae, SimpleNamespace(X=text, y=None)))
    rights = [axes.get_title(loc="right").split()[0] for axes in drawn["marginals"].axes]
    assert rights == ["TV", "KS", "KS", "KS", "KS"]


def test_a_point_posterior_has_no_density_of_x():
    frame = table(60)[["height", "width"]]
    vae = VAE(2, posterior=Point(), objective=ELBO(beta=0), training=Training(epochs=1), random_state=0).fit(
        frame
    )
    drawn = dict(model_plots.pictures(vae, SimpleNamespace(X=frame, y=None)))
    assert drawn["score_histogram"].axes[0].get_xlabel() == "log p(x|z), nats per datum"


def test_polars_frames_have_the_same_pictures():
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(table(60)[["kind", "height"]])
    vae = VAE(2, training=Training(epochs=1), random_state=0).fit(frame)
    drawn = dict(model_plots.pictures(vae, SimpleNamespace(X=frame, y=None)))
    assert titles(drawn["marginals"]) == ["kind", "height"] and "strangest_cells" in drawn
