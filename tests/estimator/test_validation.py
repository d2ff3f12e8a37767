"""What the Python face gives back, and what it refuses: in one line, with the cure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from reparam import (
    ELBO,
    MLP,
    VAE,
    Auxiliary,
    Bernoulli,
    Beta,
    DataError,
    Enumerated,
    FormatError,
    Gaussian,
    Given,
    LogNormal,
    Mixture,
    Network,
    SpecError,
    Training,
    load,
)
from reparam.cli import write_results as sinks
from reparam.tensors import Shape, numel
from tests.models import people

SHORT = Training(epochs=2)
SMALL: dict[str, Any] = {"latent_dim": 2, "encoder": MLP((8,)), "training": SHORT, "random_state": 0}
X = np.random.default_rng(0).normal(size=(60, 4))
HOLED = np.where(np.arange(240).reshape(60, 4) == 5, np.nan, X)
Y = np.repeat(["a", "b"], 30)
SOME = np.where(np.arange(60) % 3 == 0, "-1", Y)
TABLE = people()
TWICE = pd.concat([TABLE, TABLE[["sex"]]], axis=1)


def small(**words: Any) -> VAE:
    return VAE(**SMALL | words)


@pytest.fixture(scope="module")
def models() -> dict[str, VAE]:
    return {
        "plain": small().fit(X),
        "given": small(labels=Given(2)).fit(X, Y),
        "some": small(labels=Enumerated(2, MLP((8,)))).fit(X, SOME),
        "table": small().fit(TABLE),
        "polars": small().fit(pl.from_pandas(TABLE)),
    }


FITS: dict[str, tuple[Callable[[], Any], str]] = {
    "prior": (lambda: small(prior=Bernoulli()).fit(X), "VAE.prior takes Gaussian | .* not Bernoulli"),
    "beta": (lambda: small(posterior=Beta()).fit(X), "VAE.posterior takes Gaussian | .* not Beta"),
    "log-normal": (lambda: small(posterior=LogNormal()).fit(X), "not LogNormal"),
    "bernoulli": (lambda: small(posterior=Bernoulli()).fit(X), "not Bernoulli"),
    "component": (lambda: Mixture(Bernoulli(), 2), "Mixture"),
    "labels": (lambda: small(labels=10).fit(X, Y), "labels takes Auxiliary | .* not 10"),
    "a class": (
        lambda: small(labels=Auxiliary).fit(X, Y),
        r"not the class Auxiliary; write Auxiliary\(\.\.\.",
    ),
    "a class of modules": (
        lambda: small(encoder=nn.Linear).fit(X),
        r"not the class Linear; write Wrap\(Linear\(\.\.\.",
    ),
    "a function": (
        lambda: small(encoder=lambda n: nn.Identity()).fit(X),
        r"class Mine\(Network\) with encoder",
    ),
    "a latent size in words": (
        lambda: small(latent_dim="two").fit(X),
        r"^VAE.latent_dim takes a whole number, or one per layer such as \(8, 16\), not 'two'$",
    ),
    "a share of a latent": (lambda: small(latent_dim=2.5).fit(X), r"such as \(8, 16\), not 2.5$"),
    "seed": (lambda: small(random_state=-1).fit(X), "random_state takes a whole number from 0"),
    "y with None": (lambda: small(labels=Given(2)).fit(X, [None, *Y[1:]]), "y has no label in row 0"),
    "all unlabelled": (lambda: small(labels=Enumerated(2)).fit(X, np.full(60, -1)), "every row of y is -1"),
    "infinity": (lambda: small().fit(TABLE.assign(height=np.inf)), "column 'height' holds inf"),
    "text in an array": (lambda: small().fit(TABLE.to_numpy(object)), "X holds text: give a frame"),
    "text in lists": (lambda: small().fit([["a", 1], ["b", 2]]), "X holds text: give a frame"),
    "no rows": (lambda: small().fit(TABLE[:0]), r"the table has shape \(0, 11\)"),
    "columns of one name": (lambda: small().fit(TWICE), "two columns are called 'sex'; rename one"),
    "support": (lambda: small(likelihood={"height": Bernoulli()}).fit(TABLE), "in row 1, column 'height'"),
    "words": (lambda: small(likelihood={"sex": Gaussian()}).fit(TABLE), r"'sex' .* Use Categorical\(2\)"),
    "ranks": (lambda: small(likelihood={"size": Gaussian()}).fit(TABLE), r"Use DiscretizedLogistic\(3\)"),
    "a word": (lambda: small(likelihood={"sex": "g"}).fit(TABLE), r"likelihood\['sex'\] takes Gaussian"),
}


@pytest.mark.parametrize("fault", FITS)
def test_a_fit_that_is_refused(fault: str) -> None:
    make, message = FITS[fault]
    with pytest.raises((SpecError, DataError), match=message) as caught:
        make()
    assert "\n" not in str(caught.value) and "np." not in str(caught.value)


REAL = np.round(X[:, 0], 1)


@pytest.mark.parametrize("y", [REAL, REAL.astype(object), pd.Series(REAL), list(REAL)], ids=type)
@pytest.mark.parametrize("labels", [Given(3), Auxiliary(3), Enumerated(3)], ids=repr)
def test_real_numbers_are_no_classes(labels: Any, y: Any) -> None:
    with pytest.raises(DataError) as caught:
        small(labels=labels).fit(X, y)
    assert str(caught.value) == (
        "y holds real numbers, e.g. -2.3, and labels are classes: bin them with "
        "pandas.cut(y, 3, labels=False), or leave y out and keep it as a column of X"
    )


def test_the_cures_for_real_numbers_work() -> None:
    binned = pd.cut(REAL, 3, labels=False)
    assert small(labels=Given(3)).fit(X, binned).classes_.tolist() == [0, 1, 2]
    assert small().fit(np.c_[X, REAL]).transform(np.c_[X, REAL]).shape == (60, 2)


def test_whole_numbers_as_floats_are_classes() -> None:
    with pytest.raises(DataError, match=r"y has 3 classes; labels=Given\(2\) says 2. Use Given\(3\)"):
        small(labels=Given(2)).fit(X, np.arange(60) % 3 * 1.0)


class Pairs(Dataset[Any]):
    """A user's own torch Dataset."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int) -> Any:
        return X[i], i % 2


HELD = TensorDataset(torch.from_numpy(X), torch.arange(60))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (HELD, r"X is a torch TensorDataset: .* tensor \(dataset.tensors\[0\]\), and labels separately as y"),
        (DataLoader(HELD), r"X is a torch DataLoader: .* \(loader.dataset.tensors\[0\]\), .*reparam.stream"),
        (DataLoader(Pairs()), "X is a torch DataLoader: pass its rows as one array or tensor, and labels"),
        (Pairs(), "X is a torch Dataset: pass its rows as one array or tensor, and labels .*reparam.stream"),
        (Subset(HELD, [0]), "X is a torch Subset: pass its rows"),
        (load("digits:test"), "X is a Dataset: pass its rows, data.X, and labels separately, data.y"),
    ],
    ids=["tensors", "loader", "loader of one's own", "one's own", "subset", "ours"],
)
def test_what_holds_rows_is_not_rows(held: Any, message: str, models: dict[str, VAE]) -> None:
    for use in (small().fit, small(window=4).fit, models["plain"].transform, models["plain"].impute):
        with pytest.raises(DataError, match=message) as caught:
            use(held)
        assert "\n" not in str(caught.value)


def test_columns_may_be_called_X_and_y() -> None:
    table = pd.DataFrame(X[:, :2], columns=["X", "y"])
    assert small().fit(table).transform(table).shape == (60, 2)


USES: dict[str, tuple[str, Callable[[VAE], Any], str]] = {
    "prior": ("plain", lambda v: v.refit_prior(X, Bernoulli()), "refit_prior takes Gaussian"),
    "n_samples": ("plain", lambda v: v.score_samples(X, n_samples=0), "n_samples takes .* 1 or more, not 0"),
    "impute": ("plain", lambda v: v.impute(X, n_samples=0), "n_samples takes a whole number of 1 or more"),
    "draws": ("plain", lambda v: v.impute(X, draws=0), "draws takes a whole number of 1 or more, not 0"),
    "k": ("plain", lambda v: v.evaluate(X, k=0), "k takes a whole number of 1 or more, not 0"),
    "a share": ("plain", lambda v: v.sample(cast(Any, 2.5)), "n takes a whole number of 1 or more, not 2.5"),
    "less than none": ("plain", lambda v: v.sample(-1), "n takes a whole number of 1 or more, not -1"),
    "seed": ("plain", lambda v: v.sample(random_state=-1), "random_state takes a whole number from 0"),
    "dim": ("plain", lambda v: v.traverse(X[0], 7), "dim=7: the latents are 0 to 1"),
    "steps": ("plain", lambda v: v.interpolate(X[0], X[1], n=-1), "n takes a whole number of 2 or more"),
    "holes": ("plain", lambda v: v.transform(HOLED), "contains NaN. The first is in row 1, column 1"),
    "labels": ("given", lambda v: v.sample(2, label=["a", "b", "c"]), r"label has shape \(3,\): give one"),
    "a number": ("given", lambda v: v.sample(2, label=np.int64(3)), "3 is not a class of this model"),
    "a word": (
        "some",
        lambda v: v.evaluate(X, np.full(60, "z")),
        r"'z' is not a class of this model: \['a', 'b'\]",
    ),
    "unlabelled": ("some", lambda v: v.sample(2, label="-1"), "'-1' is not a class of this model"),
    "twice": ("table", lambda v: v.score_samples(TWICE), "two columns are called 'sex'; rename one"),
    "no date": ("table", lambda v: v.score_samples(TABLE.assign(born="hello")), "'born' holds 'hello'"),
    "given no date": (
        "table",
        lambda v: v.sample(given={"born": "hello"}),
        "'born' holds dates, not 'hello'",
    ),
    "given nothing": ("table", lambda v: v.sample(given={"sex": ""}), "no value is given for column 'sex'"),
    "given NaN": ("table", lambda v: v.sample(given={"height": np.nan}), "no value is given for .* 'height'"),
    "given a half": (
        "table",
        lambda v: v.sample(given={"children": "2.5"}),
        "'children' holds whole numbers",
    ),
    "given too few": (
        "table",
        lambda v: v.sample(given={"children": -1}),
        "has -1 in row 0, column 'children'",
    ),
    "given 1e400": (
        "table",
        lambda v: v.sample(given={"children": "1e400"}),
        "'children' holds numbers up to",
    ),
    "given unknown": ("table", lambda v: v.sample(given={"sex": "x"}), "its values are female, male"),
    "given a level": ("table", lambda v: v.sample(given={"grade": 9}), "its values are 1, 2, 3, 4, 5"),
    "given an array": ("plain", lambda v: v.sample(given={"1": "x"}), "column '1' holds numbers"),
    "given no pairs": (
        "plain",
        lambda v: v.sample(given=cast(Any, ["1"])),
        "given takes columns and their values",
    ),
}


@pytest.mark.parametrize("fault", USES)
def test_a_use_that_is_refused(fault: str, models: dict[str, VAE]) -> None:
    model, make, message = USES[fault]
    with pytest.raises((SpecError, DataError), match=message) as caught:
        make(models[model])
    assert "\n" not in str(caught.value) and "np." not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "said", "held"),
    [
        ("height", "900", 900.0),
        ("height", -5, -5.0),
        ("children", "40", 40),
        ("income", 0.01, 0.01),
        ("sex", "male", "male"),
        ("smokes", "True", True),
        ("grade", "3", 3),
        ("size", "M", "M"),
        ("born", "2031-05-05", pd.Timestamp("2031-05-05")),
    ],
)
@pytest.mark.filterwarnings("ignore:only about")
def test_what_is_given_comes_back(column: str, said: Any, held: Any, models: dict[str, VAE]) -> None:
    drawn = models["table"].sample(3, given={column: said})
    assert drawn[column].tolist() == [held] * 3 and drawn[column].dtype == TABLE[column].dtype
    assert models["polars"].sample(3, given={column: said})[column].to_list() == [held] * 3


@pytest.mark.filterwarnings("ignore:only about")
def test_what_is_given_to_an_array_comes_back(models: dict[str, VAE]) -> None:
    assert models["plain"].sample(2, given={"1": 50.1})[:, 1].tolist() == [50.1, 50.1]


def test_a_given_value_of_no_probability(models: dict[str, VAE], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reparam.evaluation.imputation.log_prob_of",
        lambda px, x, mask: torch.full(px.batch_shape, -torch.inf),
    )
    with pytest.raises(DataError, match="height=9 has probability 0 in this model"):
        models["table"].sample(given={"height": 9})


def test_rows_of_any_kind_are_walked_between(models: dict[str, VAE]) -> None:
    table, labelled, plain = models["table"], models["given"], models["plain"]
    rows = table.interpolate(TABLE.iloc[0], TABLE.iloc[[1]], 3)
    ends = table.inverse_transform(table.transform(TABLE[:2]))
    pd.testing.assert_frame_equal(rows.iloc[[0, 2]].reset_index(drop=True), ends, rtol=1e-4)
    assert len(table.traverse(TABLE.iloc[0], 1, 3)) == 3
    assert models["polars"].traverse(pl.from_pandas(TABLE)[0], 1, 3).height == 3
    walked = labelled.interpolate(X[0], X[1], 3, label="a")
    np.testing.assert_allclose(walked[0], labelled.reconstruct(X[:1], ["a"])[0], rtol=1e-4)
    assert labelled.traverse(X[0], 1, 5, label="b").shape == (5, 4)
    np.testing.assert_array_equal(plain.interpolate(X[:1], X[1], 3), plain.interpolate(X[0], X[1], 3))


def test_polars_in_polars_out(models: dict[str, VAE], tmp_path: Path) -> None:
    vae, rows = models["polars"], pl.from_pandas(TABLE)[:4]
    vae.save(tmp_path / "m")
    for model in (vae, VAE.load(tmp_path / "m")):
        for held in (
            model.sample(2),
            model.impute(rows),
            model.reconstruct(rows),
            *model.impute(rows, draws=2),
        ):
            assert isinstance(held, pl.DataFrame)


def test_an_empty_row_is_filled(models: dict[str, VAE]) -> None:
    empty = pd.DataFrame([[None] * TABLE.shape[1]], columns=TABLE.columns)
    filled = models["table"].impute(empty)
    assert filled[models["table"].codec_.names()].notna().all().all()


def test_numbers_far_apart_are_no_levels() -> None:
    table = pd.DataFrame({"a": np.tile([1, 10**12], 30), "b": X[:, 0]})
    assert not any("Logistic" in repr(f) for f in small().fit(table).likelihood_.families)  # type: ignore[attr-defined]


def test_terms_may_stand_in_a_list() -> None:
    assert small(objective=[ELBO()]).fit(X).objective_ == (ELBO(),)


def test_unlabelled_rows_are_no_mistakes(models: dict[str, VAE]) -> None:
    vae, known = models["some"], SOME != "-1"
    assert vae.classes_ is not None and vae.classes_.tolist() == ["a", "b"]
    assert vae.evaluate(X, SOME).accuracy == (vae.predict(X)[known] == Y[known]).mean()
    assert vae.evaluate(X, np.full(60, -1)).accuracy is None


def test_a_warm_start_is_of_the_same_model() -> None:
    vae = small(warm_start=True, labels=Given(2)).fit(X, Y).fit(X, Y)
    assert [row["epoch"] for row in vae.history_] == [1, 2, 3, 4]
    assert [row["step"] for row in vae.history_] == [1, 2, 3, 4]
    with pytest.raises(DataError, match="needs y"):
        vae.fit(X)
    with pytest.raises(SpecError, match="another latent_dim, likelihood: undo the change"):
        vae.set_params(latent_dim=4, likelihood=Gaussian()).fit(X, Y)


class Flat(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_out, self.layer = n_out, nn.Linear(n_in, n_out)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.layer(x if extra is None else torch.cat((x, extra), -1)).tanh()


@dataclass(frozen=True, repr=False)
class Mine(Network):
    width: int = 5

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        return Flat(numel(event) + extra, self.width)

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        return nn.Linear(sum(map(numel, seen)), n)


@dataclass(frozen=True, repr=False)
class MyGaussian(Gaussian):
    """A family of one's own."""


@pytest.mark.parametrize(
    "words", [{"encoder": Mine(7)}, {"posterior": MyGaussian()}, {"prior": MyGaussian()}]
)
def test_parts_of_your_own(words: dict[str, Any], tmp_path: Path) -> None:
    vae = small(**words).fit(X)
    vae.save(tmp_path / "m")
    again = VAE.load(tmp_path / "m", specs=[Mine, MyGaussian])
    np.testing.assert_array_equal(vae.score_samples(X), again.score_samples(X))
    with pytest.raises(FormatError, match="unknown name M"):
        VAE.load(tmp_path / "m")


def test_polars_reach_a_file(models: dict[str, VAE], tmp_path: Path) -> None:
    sinks.write(tmp_path / "s.csv", models["polars"].sample(2))
    assert len(pd.read_csv(tmp_path / "s.csv")) == 2
