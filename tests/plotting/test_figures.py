"""Every figure says what it shows: panels, tiles, orientation and words; `plot` writes what applies."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageSequence
from scipy.stats import norm

from reparam import Bernoulli, Beta, Categorical, ContinuousBernoulli, DiscretizedLogistic, Gaussian
from reparam.plotting import figures, model_plots as gallery, style
from reparam.plotting.mosaic import is_picture, picture, shade

pytestmark = pytest.mark.filterwarnings("error")
RNG = np.random.default_rng(0)
EVENTS = [(7, 5), (1, 6, 9), (3, 5, 8), (8, 5, 3), (4, 6, 1)]


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)  # faster; nothing here counts dots


@pytest.fixture
def undrawn(monkeypatch):
    """Files have their names and endings, and no picture in them."""

    def encoded(drawn):
        return "gif" if isinstance(drawn, style.Animation) else "png", bytes(2000)

    monkeypatch.setattr(gallery, "encoded", encoded)


def words(axes):
    """The title, the labels of the columns and those of the rows."""
    ticks = [[t.get_text() for t in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels())]
    return axes.get_title(loc="left"), *ticks


def tiles(axes):
    """Rows and columns of the mosaic, read off its extent."""
    left, right, bottom, top = axes.images[0].get_extent()
    return round(bottom - top), round(right - left)


def shades(axes):
    """The pixel at the centre of every tile."""
    rows, columns = tiles(axes)
    mosaic = np.asarray(axes.images[0].get_array())
    height, width = mosaic.shape[0] // rows, mosaic.shape[1] // columns
    return mosaic[height // 2 :: height, width // 2 :: width]


def row(epoch, **changes):
    bound = -100.0 / epoch
    terms = {"ELBO": -bound, "CrossEntropy": 1.0 / epoch}
    numbers = {
        "epoch": epoch,
        "loss": 1.0,
        "bound": bound,
        "rate": 5.0,
        "distortion": -bound - 5.0,
        "seconds": 1.0,
    }
    return {**numbers, "validation": bound - 1.0, "terms": terms, **changes}


class Model:
    """A linear decoder that keeps the contract of the estimator."""

    def __init__(self, latent_dim=2, event=(6, 5), classes=None, scale=1.0, top=None):
        self.latent_dim_, self.event_, self.scale = latent_dim, event, scale
        self.likelihood_ = SimpleNamespace(top=top)
        self.classes_ = None if classes is None else np.asarray(classes)
        self.history_ = [row(epoch) for epoch in range(1, 4)]
        self.samples_ = RNG.random((3, 4 if classes is None else len(classes), *event)) * scale
        self.weights = RNG.normal(size=(latent_dim, int(np.prod(event)))) / 4

    def transform(self, X, y=None):
        return (np.asarray(X).reshape(len(X), -1) / self.scale - 0.5) @ self.weights.T

    def inverse_transform(self, Z, label=None):
        assert (label is None) == (self.classes_ is None)
        return self.scale * np.clip(np.asarray(Z) @ self.weights + 0.5, 0, 1).reshape(-1, *self.event_)

    def sample(self, n, label=None, mean=False):
        assert mean
        return self.inverse_transform(RNG.normal(size=(n, self.latent_dim_)), label)

    def reconstruct(self, X, y=None):
        return np.asarray(X)


@pytest.mark.parametrize("event", EVENTS)
def test_a_picture_is_height_by_width_with_colour_last(event):
    x = RNG.normal(size=event)
    image = picture(x, event)
    assert is_picture(event)
    assert image.shape == {3: (5, 8, 3)}.get(event[0], (8, 5, 3) if event[-1] == 3 else image.shape[:2])
    assert image.min() >= 0 and image.max() <= 1
    assert np.array_equal(image, picture(x.ravel(), event))


@pytest.mark.parametrize("event", [(), (784,), (1, 784), (2, 4, 4), (1, 1, 5), (3, 4, 4, 4)])
def test_what_is_not_a_picture(event):
    assert not is_picture(event)


@pytest.mark.parametrize("event", EVENTS)
def test_a_grid_holds_every_image_once_and_in_order(event):
    images = np.ones((7, *event)) * np.linspace(0, 0.6, 7).reshape(-1, *[1] * len(event))
    figure = figures.image_grid(images, 3, "seven", ["a", "b", "c"], [0, 1, 2])
    (axes,) = figure.axes
    assert words(axes) == ("seven", ["0", "1", "2"], ["a", "b", "c"])
    assert tiles(axes) == (3, 3) and len(axes.images) == 1
    expected = [*np.round(255 * np.linspace(0, 0.6, 7)), 255, 255]  # the empty places are white
    assert np.allclose(shades(axes)[..., 0].ravel(), expected, atol=1)


def test_a_grid_is_about_square_and_a_missing_pixel_is_tinted():
    images = np.full((10, 4, 4), np.nan)
    axes = figures.image_grid(images).axes[0]
    assert tiles(axes) == (3, 4)
    assert len(set(shades(axes)[0, 0, :3].tolist())) == 3


def test_losses_has_a_panel_a_term_and_held_out_rows_beside_the_bound():
    figure = figures.losses([row(epoch) for epoch in range(1, 6)])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["negative ELBO", "cross-entropy (weighted)", "KL (rate)", "reconstruction (distortion)"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 1, 1, 1]
    assert {axes.get_ylabel() for axes in figure.axes} == {"nats per datum"}
    assert np.allclose(np.asarray(figure.axes[0].lines[1].get_ydata())[0], 101.0)
    assert figure.axes[0].get_title(loc="right") == "20"


def test_the_held_out_bound_is_a_line_where_it_is_computed_now_and_then():
    rows = [row(epoch) | {"stopped": epoch == 4} for epoch in range(1, 6)]
    for skipped in (1, 3):
        rows[skipped]["validation"] = None
    lines = figures.losses(rows).axes[0].lines
    held_out = next(line for line in lines if line.get_label() == "held out")
    assert np.asarray(held_out.get_xdata()).tolist() == [1, 3, 5]
    assert [np.asarray(line.get_xdata()).tolist() for line in lines if line.get_linestyle() == "--"] == [
        [4, 4]
    ]


def test_the_bound_has_its_own_panel_where_no_term_is_it():
    figure = figures.losses([row(epoch, terms={"ELBO": 3.0, "MMD": 0.1}) for epoch in (1, 2)])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "negative ELBO",
        "maximum mean discrepancy (weighted)",
        "negative bound",
        "KL (rate)",
        "reconstruction (distortion)",
    ]
    assert [len(axes.lines) for axes in figure.axes] == [1, 1, 2, 1, 1]
    assert figure.axes[1].get_ylabel() == "no unit"


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_an_autoencoder_has_no_rate_and_no_bound(nothing):
    history = [row(epoch, rate=nothing, bound=nothing, validation=nothing) for epoch in (1, 2)]
    titles = [axes.get_title(loc="left") for axes in figures.losses(history).axes]
    assert titles == ["negative ELBO", "cross-entropy (weighted)", "reconstruction (distortion)"]
    assert isinstance(figures.losses([]), Figure)


def test_samples_by_epoch_is_a_row_an_epoch_and_a_column_a_label():
    axes = figures.samples_by_epoch(RNG.random((3, 4, 5, 5)), [1, 2, 3], list("abcd")).axes[0]
    assert words(axes)[1:] == (list("abcd"), ["epoch 1", "epoch 2", "epoch 3"])
    assert tiles(axes) == (3, 4)


def test_the_first_dimension_grows_right_and_the_second_up():
    def decode(Z):
        assert Z.shape == (25, 2)
        return np.stack(
            [np.broadcast_to(0.5 + z[:, None, None] / 4, (len(z), 4, 4)) for z in (*Z.T, Z[:, 0])], axis=1
        )

    axes = figures.manifold(decode, side=5).axes[0]
    assert words(axes)[1] == ["−1.64", "−0.60", "0.00", "0.60", "1.64"]  # noqa: RUF001
    assert words(axes)[2] == words(axes)[1][::-1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z1", "z2")
    red, green, *_ = np.moveaxis(shades(axes).astype(int), -1, 0)
    assert np.all(np.diff(red, axis=1) > 0) and np.all(np.diff(red, axis=0) == 0)
    assert np.all(np.diff(green, axis=0) < 0) and np.all(np.diff(green, axis=1) == 0)


def test_a_traversal_moves_one_dimension_and_keeps_the_others():
    seen = []

    def decode(Z):
        seen.append(Z)
        return np.zeros((len(Z), 3, 4))

    axes = figures.traversals(decode, [7.0, 8.0, 9.0], [2, 0], steps=3, span=2).axes[0]
    assert words(axes)[1:] == (["−2.00", "0.00", "2.00"], ["z3", "z1"])  # noqa: RUF001
    assert seen[0].tolist() == [[7, 8, -2], [7, 8, 0], [7, 8, 2], [-2, 8, 9], [0, 8, 9], [2, 8, 9]]


def test_a_sweep_moves_every_dimension_there_and_back_through_the_priors_quantiles(tmp_path):
    seen = []

    def decode(Z):
        seen.append(Z)
        return np.ones((len(Z), 4, 4)) * norm.cdf(Z.max(1))[:, None, None]

    film = figures.sweep(decode, [-9.0, -8.0, -7.0], [2, 0], steps=3)
    shares = norm.cdf(seen[0].reshape(3, 2, 3))
    assert np.allclose(shares[:, 0, 2], [0.02, 0.5, 0.98]) and np.allclose(shares[:, 1, 0], [0.02, 0.5, 0.98])
    assert np.all(seen[0].reshape(3, 2, 3)[:, :, 1] == -8)
    ending, content = figures.encoded(film)
    (tmp_path / "sweep.gif").write_bytes(content)
    with Image.open(tmp_path / "sweep.gif") as gif:
        assert (ending, gif.format, getattr(gif, "n_frames", 1), gif.info["loop"]) == ("gif", "GIF", 4, 0)
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    assert np.array_equal(frames[1], frames[3]) and not np.array_equal(frames[0], frames[2])
    assert frames[0].mean() < frames[1].mean() < frames[2].mean()


def test_reconstructions_stand_below_their_inputs():
    X = np.linspace(0, 0.5, 8).reshape(8, 1, 1) * np.ones((8, 4, 4))
    axes = figures.reconstructions(X, X + 0.5, columns=3).axes[0]
    assert words(axes)[2] == ["data", "reconstruction"] * 2
    grid = shades(axes)[..., 0].astype(int)
    assert grid.shape == (4, 3) and np.allclose(grid[1::2] - grid[::2], 127.5, atol=1)


def test_interpolation_and_comparison():
    axes = figures.interpolation(RNG.random((2, 3, 4, 5)), "from a to b").axes[0]
    assert words(axes) == ("from a to b", ["0.00", "0.50", "1.00"], []) and tiles(axes) == (2, 3)
    panels = figures.comparison({"autoencoder": RNG.random((9, 4, 5)), "VAE": RNG.random((7, 3, 4, 5))}).axes
    assert [words(axes)[0] for axes in panels] == ["autoencoder", "VAE"]
    assert [tiles(axes) for axes in panels] == [(3, 3), (3, 3)]


def data(event=(6, 5), labels=(0, 1), n=40):
    return SimpleNamespace(X=RNG.random((n, *event)), y=np.asarray(labels)[np.arange(n) % len(labels)])


def names(paths):
    assert all(path.stat().st_size > 1000 for path in paths)
    return {path.stem for path in paths}


ALWAYS = {"losses", "samples", "samples_by_epoch", "traversals", "traversal", "interpolation"}
OF_DATA = {"latent_map", "reconstructions"}


@pytest.mark.parametrize(
    ("model", "rows", "expected"),
    [
        (Model(), data(), ALWAYS | OF_DATA | {"manifold"}),
        (Model(), None, ALWAYS | {"manifold"}),
        (Model(5, (3, 6, 5)), SimpleNamespace(X=RNG.random((30, 3, 6, 5)), y=None), ALWAYS | OF_DATA),
        (Model(2, classes=["a", "b"]), data(labels=["a", "b"]), ALWAYS | OF_DATA | {"manifold", "classes"}),
        (Model(3, classes=[0, 1, 2]), None, ALWAYS | {"classes"}),
        (Model(3, classes=[0, 1]), SimpleNamespace(X=data().X, y=None), ALWAYS | OF_DATA | {"classes"}),
        (Model(1), data(), ALWAYS | OF_DATA - {"latent_map"}),
        (Model(3, (30,)), data((30,)), {"losses", "latent_map"}),
        (Model(0, classes=[0, 1]), data(), {"losses", "samples", "samples_by_epoch"}),
    ],
    ids=[
        "plane",
        "no data",
        "colour",
        "labels",
        "labels without data",
        "labels without y",
        "line",
        "table",
        "no latent",
    ],
)
def test_plot_writes_what_applies(model, rows, expected, tmp_path, undrawn):
    written = gallery.plot({"model": model}, rows, tmp_path / "figures")
    assert names(written) == expected
    assert {path.parent for path in written} == {tmp_path / "figures"}
    assert all((path.suffix == ".gif") == (path.stem == "traversal") for path in written)


@pytest.mark.parametrize(
    ("model", "rows"), [(Model(2, classes=[0, 1]), data()), (Model(3, (30,)), data((30,)))]
)
def test_every_figure_is_encoded(model, rows, tmp_path):
    assert names(gallery.plot({"model": model}, rows, tmp_path))


def test_several_models_get_a_folder_each_and_a_comparison(tmp_path, undrawn):
    models = {"beta=4": Model(), "runs/ae": Model(3), "labels": Model(3, classes=[0, 1])}
    written = gallery.plot(models, None, tmp_path)
    assert {path.parent.name for path in written[:-1]} == {"beta=4", "runs_ae", "labels"}
    assert written[-1] == tmp_path / "comparison.png"
    mixed = gallery.plot({"a": Model(1), "b": Model(1, (30,))}, None, tmp_path)
    assert "comparison" not in names(mixed)


def test_traversals_are_of_active_dimensions_and_say_what_is_left_out():
    model = Model(4)
    model.weights *= np.array([0.01, 3.0, 1.0, 5.0])[:, None]
    axes = dict(gallery.pictures(model, data()))["traversals"].axes[0]
    title, _, rows = words(axes)
    assert rows == ["z4", "z2", "z3"]
    assert " ".join(title.split()) == (
        "traversals of 3 active dimensions, largest variance of the mean first; 1 inactive left out"
    )
    model.weights *= 1e-3
    title, _, rows = words(dict(gallery.pictures(model, data()))["traversals"].axes[0])
    assert len(rows) == 3 and title == "traversals: none of 4 latent dimensions is active"
    title, _, rows = words(dict(gallery.pictures(Model(12), None))["traversals"].axes[0])
    assert len(rows) == 10 and title == "traversals of the first 10 of 12 latent dimensions"


def test_a_map_of_more_than_two_dimensions_shows_principal_components():
    axes = dict(gallery.pictures(Model(4), data()))["latent_map"].axes[0]
    assert axes.get_xlabel() == "first principal component"
    assert re.fullmatch(
        r"posterior means, first two principal components \(\d+ % of their variance\)",
        axes.get_title(loc="left"),
    )
    axes = dict(gallery.pictures(Model(2), data()))["latent_map"].axes[0]
    assert (axes.get_xlabel(), axes.get_title(loc="left")) == ("z1", "posterior means in the latent plane")


def test_labels_that_a_model_is_conditional_on_are_given_to_it():
    class Conditional(Model):
        labels_ = SimpleNamespace(observed=True)

        def transform(self, X, y=None):
            assert len(X) == len(y)
            return super().transform(X)

        def reconstruct(self, X, y=None):
            return super().reconstruct(X) + 0 * y[:, None, None]

    model = Conditional(3, classes=[0, 1])
    assert {"latent_map", "reconstructions"} <= set(dict(gallery.pictures(model, data())))
    unlabelled = SimpleNamespace(X=data().X, y=None)
    assert {"latent_map", "reconstructions"}.isdisjoint(dict(gallery.pictures(model, unlabelled)))


@pytest.mark.parametrize(("scale", "rows"), [(255.0, data()), (255.0, None), (1.0, data())])
def test_pixels_of_any_plain_range_are_seen(scale, rows):
    model = Model(scale=scale)
    rows = rows and SimpleNamespace(X=rows.X * scale, y=None)
    mosaic = np.asarray(dict(gallery.pictures(model, rows))["samples"].axes[0].images[0].get_array())
    assert np.mean((mosaic > 20) & (mosaic < 235)) > 0.2


def test_white_is_the_top_of_the_family():
    """Dark pictures of 0 to 255 are not stretched where the likelihood knows what white is."""
    model = Model(scale=100.0, top=255.0)
    mosaic = np.asarray(dict(gallery.pictures(model, None))["samples"].axes[0].images[0].get_array())
    assert 30 < np.median(mosaic[mosaic < 255]) < 70
    assert shade([[0.0, 255.0]], 255.0, []).tolist() == [[0.0, 1.0]]
    assert shade([[-1.0, 1.0]], None, [-1.0, 1.0]).tolist() == [[0.0, 1.0]]
    assert shade([[0.2, 1.3]], None, [0.2, 1.3]).max() > 1  # clipped when it is drawn


@pytest.mark.parametrize(
    "family",
    [Bernoulli(grey="expected"), Beta(), ContinuousBernoulli(), Categorical(4), DiscretizedLogistic()],
)
def test_a_family_refuses_what_is_whiter_than_white(family):
    assert family.support_error(np.array([[family.top + 1.0]])) is not None
    assert family.support_error(np.array([[family.top if family.top > 1 else 0.99]])) is None
    assert Gaussian().top is None


def test_samples_are_a_class_a_column_and_long_runs_are_thinned():
    model = Model(3, classes=["cat", "dog"])
    model.samples_ = RNG.random((90, 2, 6, 5))
    drawn = dict(gallery.pictures(model, None))
    assert words(drawn["samples"].axes[0])[1] == ["cat", "dog"] and tiles(drawn["samples"].axes[0]) == (10, 2)
    assert words(drawn["classes"].axes[0])[1] == ["cat", "dog"] and tiles(drawn["classes"].axes[0]) == (8, 2)
    _, labels, epochs = words(drawn["samples_by_epoch"].axes[0])
    assert labels == ["cat", "dog"] and len(epochs) == 20
    assert (epochs[0], epochs[-1]) == ("epoch 1", "epoch 90")


def test_pyplot_is_never_imported():
    code = "import sys, reparam.plotting.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
    )
