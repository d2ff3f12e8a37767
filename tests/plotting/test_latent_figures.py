"""Maps and rates of codes: distances, legends, captions."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy.spatial.distance import pdist

from reparam.plotting import figures, style
from reparam.plotting.latent_figures import IN_A_COLUMN, OTHERS, UNLABELLED, principal_plane, rates

pytestmark = pytest.mark.filterwarnings("error")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)


def entries(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_principal_components_keep_distances_within_a_plane():
    plane = RNG.normal(size=(40, 2)) * [3, 1]
    turned = plane @ np.linalg.qr(RNG.normal(size=(6, 2)))[0].T + 5
    points, shares = principal_plane(turned)
    assert np.allclose(pdist(points), pdist(plane))
    assert shares.sum() == pytest.approx(1) and shares[0] > shares[1]
    assert np.cov(points.T)[0, 1] == pytest.approx(0, abs=1e-9)


def test_shares_of_variance_are_those_of_the_covariance():
    Z = RNG.normal(size=(500, 4)) @ np.diag([4, 3, 2, 1])
    values = np.linalg.eigvalsh(np.cov(Z.T))[::-1]
    assert np.allclose(principal_plane(Z)[1], values[:2] / values.sum())


def test_codes_that_do_not_vary_have_no_shares():
    points, shares = principal_plane(np.ones((5, 3)))
    assert np.all(points == 0) and np.isnan(shares).all()
    assert principal_plane(np.ones((1, 3)))[0].shape == (1, 2)


@pytest.mark.parametrize(
    ("y", "names", "holes"),
    [
        (np.arange(30) % 3, ["0", "1", "2"], False),
        (np.arange(30) % 4 - 1, ["0", "1", "2"], True),  # -1 is not labelled
        (np.where(np.arange(30) % 2, 4.0, np.nan), ["4"], True),
        (np.array(["cat", "dog"] * 15), ["cat", "dog"], False),
        (np.array(["cat", None, "dog"] * 10, dtype=object), ["cat", "dog"], True),
        (np.arange(30) % 2 == 0, ["False", "True"], False),
        (np.array([f"c{i:02}" for i in range(30)]), [f"c{i:02}" for i in range(30)], False),
    ],
)
def test_classes_have_a_legend_outside_the_map(y, names, holes, tmp_path):
    figure = figures.latent_map(RNG.normal(size=(30, 2)), y, ("z3", "z8"), "a map", "kind")
    (plane,) = figure.axes  # no colour bar
    assert (plane.get_title(loc="left"), plane.get_xlabel(), plane.get_ylabel()) == ("a map", "z3", "z8")
    assert plane.get_aspect() == 1 and len(np.asarray(plane.collections[0].get_offsets())) == 30
    assert entries(figure) == names + [UNLABELLED] * holes
    figure.savefig(tmp_path / "map.png")
    legend = plane.get_legend()
    assert legend.get_title().get_text() == "kind"
    assert legend.get_window_extent().x0 >= plane.get_window_extent().x1
    assert vars(legend)["_ncols"] == 1 + (len(names) > IN_A_COLUMN)


def test_a_point_has_the_colour_of_its_class_in_the_legend():
    (plane,) = figures.latent_map([[0, 0], [1, 0], [2, 0], [3, 0]], ["a", "b", "a", "c"]).axes
    colours: Any = plane.collections[0].get_facecolor()
    points = np.asarray(plane.collections[0].get_offsets())
    marks = [to_rgb(line.get_color()) for line in plane.get_legend().get_lines()]
    assert np.allclose(
        [to_rgb(each) for each in colours], [marks["abc".index("abac"[int(x)])] for x, _ in points]
    )


def test_rare_classes_are_grey_where_there_are_too_many():
    y = np.array([f"c{i}" for i in range(80)] + [f"c{i}" for i in range(60)])
    figure = figures.latent_map(RNG.normal(size=(140, 2)), y)
    assert len(entries(figure)) == 61 and entries(figure)[-1] == OTHERS and "c79" not in entries(figure)


@pytest.mark.parametrize(
    "y", [RNG.normal(size=30), np.arange(30), np.full(30, 0.5), [np.nan, *RNG.normal(size=29)]]
)
def test_a_quantity_has_a_colour_bar(y, tmp_path):
    figure = figures.latent_map(RNG.normal(size=(30, 2)), y, name="size")
    assert figure.axes[0].get_legend() is None and figure.axes[1].get_ylabel() == "size"
    figure.savefig(tmp_path / "map.png")


@pytest.mark.parametrize("y", [None, np.full(30, np.nan)])
def test_a_map_without_labels_has_neither(y):
    (plane,) = figures.latent_map(RNG.normal(size=(30, 2)), y).axes
    assert plane.get_legend() is None


def test_rates_are_largest_first_with_the_inactive_in_grey():
    figure = rates([0.5, 0.001, 2.0, float("nan")])
    (axes,) = figure.axes
    bars: list[Any] = list(axes.patches)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["z3", "z1", "z2"]
    assert [bar.get_height() for bar in bars] == [2.0, 0.5, 0.001]
    assert bars[0].get_facecolor() == bars[1].get_facecolor() != bars[2].get_facecolor()
    assert figure.get_label() == "KL of each latent dimension, largest first; 1 of 3 below 0.01 nats"
    assert rates([1.0] * 50).axes[0].get_xlabel() == "rank"
