"""Counts: shares of a row's total against scipy, and matrices that stay sparse."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse, stats

from reparam import (
    MLP,
    PIWAE,
    VAE,
    Auxiliary,
    Columns,
    DataError,
    Gaussian,
    Local,
    NegativeBinomial,
    Poisson,
    Share,
    SpecError,
    Training,
    ZeroInflated,
)
from reparam.cli.main import app
from reparam.data.load import load
from reparam.data.sparse import Sparse
from reparam.model.config import ModelConfig
from reparam.model.model import Model

SHARED = {
    "poisson": Poisson(rate=Local(Share())),
    "negative binomial": NegativeBinomial(mean=Local(Share())),
    "zero-inflated": ZeroInflated(NegativeBinomial(mean=Local(Share()))),
}
SHORT = Training(epochs=3, batch_size=50)


def counts(n: int = 200, d: int = 30) -> np.ndarray:
    """Two kinds of rows, of very different totals."""
    rng = np.random.default_rng(0)
    profile = rng.dirichlet(np.ones(d), 2)[np.arange(n) % 2]
    return rng.poisson(profile * rng.lognormal(4, 1, (n, 1))).astype(np.float32)


def model(likelihood, d: int = 6, has_missing: bool = False) -> Model:
    torch.manual_seed(0)
    net = MLP((8,))
    parts = ModelConfig((2,), net, net, Gaussian(), Gaussian(), likelihood, has_missing=has_missing)
    return Model((d,), parts).double()


@torch.no_grad()
@pytest.mark.parametrize("name", SHARED)
def test_log_probability_is_scipys(name: str) -> None:
    ours = model(SHARED[name])
    x = torch.tensor([[3.0, 0, 1, 0, 9, 2], [400, 0, 20, 7, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    z = torch.randn(1, 3, 2, dtype=torch.float64)
    head: Any = ours.likelihood
    raw = head.layer(z)[0].numpy()
    share = np.exp(raw[:, :6]) / np.exp(raw[:, :6]).sum(1, keepdims=True)
    mean = np.maximum(share * x.numpy().sum(1, keepdims=True), 1e-30)
    if name == "poisson":
        log_p = stats.poisson(mean).logpmf(x.numpy())
    else:
        r = 1 / (1e-4 + np.log(2))
        log_p = stats.nbinom(r, r / (r + mean)).logpmf(x.numpy())
    if name == "zero-inflated":
        gate = 1 / (1 + np.exp(-raw[:, 6:]))
        counted = np.log(1 - gate) + log_p
        log_p = np.where(x.numpy() == 0, np.logaddexp(np.log(gate), counted), counted)
    log_px = ours.decode(z, None, x).log_prob(x)[0]
    np.testing.assert_allclose(log_px, log_p.sum(1), rtol=1e-6, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("name", SHARED)
def test_given_the_total_probabilities_sum_to_one(name: str) -> None:
    ours, rows = model(SHARED[name]), torch.full((1, 6), 5.0, dtype=torch.float64)
    from reparam.distributions import elementwise_log_prob

    px = ours.decode(torch.randn(1, 1, 2, dtype=torch.float64), None, rows)
    each = torch.stack([elementwise_log_prob(px, torch.full_like(rows, i)) for i in range(400)])
    torch.testing.assert_close(each.exp().sum(0), torch.ones(1, 1, 6, dtype=torch.float64))


@torch.no_grad()
def test_means_add_up_as_the_row_does() -> None:
    ours = model(SHARED["poisson"], has_missing=True)
    x = torch.tensor([[3.0, 0, 1, 0, 9, 2], [40, torch.nan, 2, 7, torch.nan, 0]], dtype=torch.float64)
    mean = ours(x).px.mean[0]
    torch.testing.assert_close(torch.where(x.isnan(), 0.0, mean).sum(1), x.nansum(1))
    torch.testing.assert_close(ours.rebuild(x).mean[0].sum(1)[:1], x[:1].sum(1))


def test_gradients_reach_every_parameter() -> None:
    ours = model(SHARED["zero-inflated"])
    ours(torch.ones(4, 6, dtype=torch.float64)).bound.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in ours.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    "words", [{"objective": PIWAE(2, 2)}, {"labels": Auxiliary(2, network=MLP((8,)))}, {}]
)
def test_other_parts_read_the_total_too(words, tmp_path: Path) -> None:
    X = counts()
    vae = VAE(2, encoder=MLP((16,)), likelihood=SHARED["poisson"], training=SHORT, random_state=0, **words)
    vae.fit(X, np.arange(200) % 2)
    double = np.concatenate([X[:2], 2 * X[:2]])
    totals = vae.reconstruct(double).sum(1)
    np.testing.assert_allclose(totals, double.sum(1), rtol=1e-4)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.score_samples(X), vae.score_samples(X))
    np.testing.assert_allclose(again.sample(4, mean=True).sum(1), np.median(X.sum(1)), rtol=1e-4)


def test_groups_of_columns_have_totals_of_their_own() -> None:
    X = np.concatenate([counts(d=4), np.random.default_rng(0).normal(size=(200, 1)), counts(d=3)], 1)
    families = Columns((*[SHARED["poisson"]] * 4, Gaussian(), *[SHARED["negative binomial"]] * 3))
    vae = VAE(2, encoder=MLP((16,)), likelihood=families, training=SHORT, random_state=0).fit(X)
    rebuilt = vae.reconstruct(X)
    for part in (slice(0, 4), slice(5, 8)):
        np.testing.assert_allclose(rebuilt[:, part].sum(1), X[:, part].sum(1), rtol=1e-4, atol=1e-4)


def test_pictures_have_no_share() -> None:
    with pytest.raises(SpecError, match="is for vectors"):
        VAE(1, likelihood=SHARED["poisson"]).fit(np.ones((5, 8, 8)))


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_sparse_is_dense(validation: float) -> None:
    X = counts()
    training = Training(epochs=3, batch_size=50, validation=validation)
    vae = VAE(2, likelihood=SHARED["zero-inflated"], training=training, random_state=0)
    dense = vae.fit(X).score_samples(X)
    for matrix in (sparse.csr_matrix(X), sparse.csc_array(X)):
        np.testing.assert_array_equal(vae.fit(matrix).score_samples(matrix), dense)
        np.testing.assert_array_equal(vae.score_samples(X), dense)
        np.testing.assert_array_equal(vae.transform(matrix), vae.transform(X))
    assert vae.evaluate(matrix, k=5) == vae.evaluate(X, k=5)
    with pytest.raises(DataError, match="toarray"):
        vae.impute(matrix)


def test_defaults_of_a_sparse_matrix() -> None:
    X: Any = sparse.random(60, 9, 0.2, random_state=0, format="csr")
    for matrix, expected in (
        (sparse.csr_matrix(counts()), "NegativeBinomial"),
        (X, "Gaussian"),
        (X > 0, "Bernoulli"),
    ):
        vae = VAE(1, training=SHORT, random_state=0).fit(matrix * 1.0)
        assert type(vae.likelihood_).__name__ == expected and np.isfinite(vae.score(matrix * 1.0))


def test_a_matrix_is_never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    X: Any = sparse.random(5000, 2000, 0.001, random_state=0, format="csr")
    X.data = np.ceil(5 * X.data)
    read, largest = Sparse.__getitem__, []

    def watched(self: Sparse, rows: object) -> torch.Tensor:
        batch = read(self, rows)
        largest.append(len(batch))
        return batch

    monkeypatch.setattr(Sparse, "__getitem__", watched)
    training = Training(epochs=1, batch_size=500, validation=0.1)
    VAE(2, encoder=MLP((8,)), likelihood=SHARED["poisson"], training=training, random_state=0).fit(X)
    assert max(largest) < len(X.indptr) / 2


def test_a_refused_value_is_placed() -> None:
    X = sparse.lil_matrix((1500, 4))
    X[0], X[1203, 2] = 1, -1
    with pytest.raises(DataError, match=r"-1 in row 1203, column 2"):
        VAE(1, likelihood=SHARED["poisson"]).fit(X.tocsr())


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = sparse.csr_matrix(counts())
    sparse.save_npz(tmp_path / "a.npz", X)
    sparse.save_npz(tmp_path / "b.npz", X.tocsc())
    parts: dict[str, Any] = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    np.savez(tmp_path / "c.npz", **parts, genes=np.array(["a"] * 30), y=np.arange(200) % 2)
    for name in "abc":
        held = load(str(tmp_path / f"{name}.npz"))
        differing: Any = held.X != X
        assert sparse.issparse(held.X) and differing.nnz == 0
    assert held.y is not None and held.y.sum() == 100
    np.savez(tmp_path / "d.npz", **(parts | {"indices": X.indices + 99}))
    with pytest.raises(DataError, match="damaged"):
        load(str(tmp_path / "d.npz"))
    sparse.save_npz(tmp_path / "e.npz", X.tobsr())
    with pytest.raises(DataError, match="tocsr"):
        load(str(tmp_path / "e.npz"))
    (tmp_path / "f.h5ad").write_bytes(b"counts")
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(DataError, match="pip install anndata"):
        load(str(tmp_path / "f.h5ad"))
    cells = pd.DataFrame({"batch": ["a", "b"] * 100}, index=[f"cell{i}" for i in range(200)])
    annotated = SimpleNamespace(X=X.toarray(), layers={"counts": X.tocsc()}, obs=cells)
    monkeypatch.setitem(sys.modules, "anndata", SimpleNamespace(read_h5ad=lambda path: annotated))
    found = load(str(tmp_path / "f.h5ad"))
    assert (found.X != X).nnz == 0 and found.y is None
    told = load(str(tmp_path / "f.h5ad"), given=("batch",)).y
    pd.testing.assert_frame_equal(told, cells.reset_index(drop=True))
    assert load(str(tmp_path / "f.h5ad"), label="batch").y.tolist() == cells["batch"].tolist()
    with pytest.raises(DataError, match="no column 'donor', a covariate; it has batch"):
        load(str(tmp_path / "f.h5ad"), given=("donor",))


def test_the_shell(tmp_path: Path) -> None:
    sparse.save_npz(tmp_path / "a.npz", sparse.csr_matrix(counts()))
    data, run = str(tmp_path / "a.npz"), str(tmp_path / "run")
    for words in (
        [
            "fit",
            data,
            "--set",
            "likelihood=NegativeBinomial(mean=Local(Share()))",
            "--epochs",
            "2",
            "-o",
            run,
        ],
        ["evaluate", run, data, "-k", "5", "--json"],
        ["score", run, data, "-o", str(tmp_path / "s.csv")],
        ["encode", run, data, "-o", str(tmp_path / "z.csv")],
    ):
        app(words, standalone_mode=False)
    assert np.loadtxt(tmp_path / "s.csv", delimiter=",", skiprows=1).shape == (200, 2)


@pytest.mark.parametrize("count", [0, 3, 10_000, 1_000_000])
def test_large_counts_keep_their_probability(count: int) -> None:
    """scipy's in float64; float32 would be off by a nat at a million."""
    law = Poisson().distribution((1,), rate=torch.tensor([count * 1.001 + 0.1]))
    assert law.log_prob(torch.tensor([float(count)])).item() == pytest.approx(
        stats.poisson(float(law.mean)).logpmf(count), abs=2e-6 * max(1, abs(count) ** 0.5)
    )


def test_a_row_that_is_all_missing_has_a_typical_total() -> None:
    x = np.random.default_rng(0).poisson(20, (80, 4)).astype(float)
    x[::5] = np.nan
    vae = VAE(1, encoder=MLP((8,)), likelihood=SHARED["poisson"], training=SHORT, random_state=0).fit(x)
    assert np.isfinite(vae.history_[-1]["loss"]) and abs(vae.score_samples(x)[::5]).max() < 0.01
    assert vae.impute(x)[::5].sum(1) == pytest.approx(np.full(16, np.nanmedian(np.nansum(x, 1))), rel=0.01)
