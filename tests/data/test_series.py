"""Time series: windows against a loop, Donut's bound and score against float64, the way through the shell."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import f1_score, precision_recall_curve

from reparam import (
    ELBO,
    L2,
    MLP,
    VAE,
    DataError,
    Decay,
    Gaussian,
    Given,
    Local,
    PriorShare,
    SpecError,
    Training,
)
from reparam.cli.main import app
from reparam.data.codecs.series import SeriesCodec
from reparam.evaluation.anomaly import adjusted, detection, reconstruction_log_prob, segments
from reparam.model.config import ModelConfig
from reparam.model.model import Model


def kpi(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """A day of 48 half hours, noise, a spike a moment after each 97th."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    label = (t % 97 == 96).astype(int)
    value = np.sin(2 * np.pi * t / 48) + 0.05 * rng.normal(size=n) + 3 * label
    return pd.DataFrame({"timestamp": 1_700_000_000 + 1800 * t, "value": value, "label": label})


SMALL = VAE(
    2,
    window=12,
    encoder=MLP((32,)),
    likelihood=Gaussian(scale=Local()),
    objective=(ELBO(), PriorShare(), L2(1e-4)),
    training=Training(epochs=60, batch_size=50, decay=Decay(0.9, 10), missing=0.02),
    random_state=0,
)


@pytest.fixture(scope="module")
def fitted() -> VAE:
    frame = kpi()
    return SMALL.fit(frame, frame.label)


def test_windows_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    kept = np.sort(rng.choice(200, 120, replace=False))
    frame = pd.DataFrame({"timestamp": 7 + 300 * kept, "value": rng.normal(size=120)})
    frame.loc[5, "value"] = np.nan
    held = dict(zip(frame.timestamp, frame.value, strict=True))
    expected = [[held.get(t - 300 * (8 - j), np.nan) for j in range(9)] for t in frame.timestamp]
    mixed = frame.sample(frac=1, random_state=0)
    codec = SeriesCodec.learn(frame, 9)
    np.testing.assert_array_equal(codec.encode(frame), np.asarray(expected, np.float32))
    np.testing.assert_array_equal(codec.encode(mixed), np.asarray(expected, np.float32)[mixed.index])


def test_dates_seconds_and_bare_values_are_alike() -> None:
    frame = kpi(50)
    dates = frame.assign(timestamp=pd.to_datetime(frame.timestamp, unit="s"))
    text = dates.assign(timestamp=dates.timestamp.astype(str))
    ours = SeriesCodec.learn(frame, 5).encode(frame)
    for other in (dates, text, frame.value.to_numpy()):
        torch.testing.assert_close(SeriesCodec.learn(other, 5).encode(other), ours, equal_nan=True)
    assert SeriesCodec.learn(dates, 5).step == SeriesCodec.learn(text, 5).step == 1800


@torch.no_grad()
def test_modified_elbo() -> None:
    """E_q [sum_known log p(x|z) + beta log p(z) - log q(z|x)], by quadrature over z in float64."""
    torch.manual_seed(0)
    net, g = MLP((8,)), Gaussian()
    model = Model(
        (6,), ModelConfig((1,), net, net, g, Gaussian(), Gaussian(scale=Local()), has_missing=True)
    ).double()
    for p in model.latents.top.parameters():
        p.uniform_(-0.3, 0.3)
    x = torch.randn(3, 6, dtype=torch.float64)
    x[0, :4], x[1, 2] = torch.nan, torch.nan
    z, weight = np.polynomial.hermite_e.hermegauss(40)
    trace = model(x, samples=20_000)
    q, p = trace.layers[0].q, trace.layers[0].p
    mu, sd, m, s = (t.numpy()[..., 0] for t in (q.mean, q.stddev, p.mean, p.stddev))
    value = np.zeros(3)
    for node, w in zip(z, weight / weight.sum(), strict=True):
        at = mu + sd * node
        px = model.decode(torch.as_tensor(at)[None, :, None])
        each = norm(px.mean[0].numpy(), px.stddev[0].numpy()).logpdf(x.numpy())
        beta = (~x.isnan()).double().mean(1).numpy()
        value += w * (np.nansum(each, 1) + beta * norm(m, s).logpdf(at) - norm(mu, sd).logpdf(at))
    loss = ELBO()(trace, 0) + PriorShare()(trace, 0)
    assert float(loss) == pytest.approx(-value.mean(), abs=0.05)
    whole = model(torch.zeros(2, 6, dtype=torch.float64))
    assert float(PriorShare()(whole, 0)) == 0
    matrices = [p for p in model.parameters() if p.dim() > 1]
    assert float(L2(0.5)(whole, 0)) == pytest.approx(0.5 * sum(float((w**2).sum()) for w in matrices))


@torch.no_grad()
def test_reconstruction_probability(fitted: VAE) -> None:
    """Of a whole window E_q log p(x_j|z) by quadrature; a missing point has none and is filled first."""
    x, model = fitted.codec_.encode(kpi())[50:54], fitted.model_.eval()
    q = model(x).layers[0].q
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    exact = 0.0
    for a, v in zip(nodes, weights, strict=True):
        for b, w in zip(nodes, weights, strict=True):
            px = model.decode((q.mean + q.stddev * torch.tensor([a, b], dtype=x.dtype))[None])
            each = norm(px.mean[0].double(), px.stddev[0].double()).logpdf(x.double())
            exact = exact + v * w / weights.sum() ** 2 * each
    np.testing.assert_allclose(reconstruction_log_prob(model, x, 20_000, 0), exact, atol=0.03, rtol=0.02)
    holed = x.clone()
    holed[:, 3:6] = torch.nan
    scores = reconstruction_log_prob(model, holed, 2000, 0).numpy()
    assert np.isnan(scores[:, 3:6]).all() and np.abs(scores - exact)[:, -1].max() < 0.5


def test_known_anomalies_are_missing_in_training(fitted: VAE) -> None:
    frame = kpi()
    blank = frame.assign(value=frame.value.mask(frame.label == 1))
    again = VAE(**SMALL.get_params(deep=False)).fit(blank)
    np.testing.assert_array_equal(fitted.score_samples(frame), again.score_samples(frame))


def test_spikes_are_found_in_a_fresh_process(fitted: VAE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.safetensors")
    vae, unseen = VAE.load(tmp_path / "m.safetensors"), kpi(seed=1)
    scores = vae.score_samples(unseen)
    assert detection(scores, unseen.label.to_numpy()).f1 > 0.9
    np.testing.assert_array_equal(scores, fitted.score_samples(unseen))
    assert vae.transform(unseen).shape == (600, 2) and vae.sample(4).shape == (4, 12)
    gap = unseen.drop(index=range(200, 230)).assign(value=lambda f: f.value.mask(f.index == 300))
    scores = vae.score_samples(gap)
    assert len(scores) == 570 and np.flatnonzero(np.isnan(scores)).tolist() == [270]
    filled = vae.impute(gap)
    assert abs(filled.value.loc[300] - np.sin(2 * np.pi * 300 / 48)) < 0.5 and filled.notna().all().all()


def test_hidden_cells_have_their_share() -> None:
    from reparam.training.step import Loss

    vae = VAE(1, likelihood=Gaussian(), training=Training(epochs=1, missing=0.3), random_state=0)
    X = np.random.default_rng(0).normal(size=(400, 5))
    vae.fit(X)
    assert vae.config_.model.has_missing and np.isfinite(vae.score(X))
    loss = Loss(vae.model_, (ELBO(),), {}, vae.training_)
    torch.manual_seed(0)
    assert loss.mask(torch.zeros(1000, 20)).isnan().float().mean() == pytest.approx(0.3, abs=0.02)


def test_learning_rate_decays_by_epoch() -> None:
    training = Training(learning_rate=1e-3, decay=Decay(0.75, 10))
    assert [training.rate(0, e) for e in (0, 9, 10, 25)] == pytest.approx([1e-3, 1e-3, 7.5e-4, 5.625e-4])


def test_segments_and_best_f1_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        labels = (np.convolve(rng.random(80) < 0.08, np.ones(5), "same") > 0).astype(int)
        labels[-1] = 1
        scores = np.round(rng.normal(size=80) - labels, 1)
        for delay in (None, 0, 2, 7):
            best, at = -1.0, None
            for threshold in np.unique(scores):
                alarm = (scores <= threshold).astype(int)
                if delay is not None:
                    for start, stop in segments(labels):
                        alarm[start:stop] = alarm[start : min(stop, start + delay + 1)].any()
                f1 = f1_score(labels, alarm, zero_division=0)
                best, at = max((best, at), (f1, threshold), key=lambda pair: pair[0])
            found = detection(scores, labels, delay)
            assert found.f1 == pytest.approx(best)
            assert found.f1 == pytest.approx(
                2 * found.precision * found.recall / (found.precision + found.recall)
            )
    precision, recall, _ = precision_recall_curve(labels, adjusted(-scores, labels, 7))
    assert found.pr_auc == pytest.approx(-np.sum(np.diff(recall) * precision[:-1]))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: f.drop(columns="value"), "lacks the column 'value'"),
        (lambda f: f.assign(value="high"), "holds text"),
        (lambda f: f.assign(timestamp=f.timestamp.where(f.index != 3, f.timestamp[4])), "fall in one step"),
        (lambda f: f.assign(timestamp=f.timestamp.where(f.index != 3, 1)), "check column 'timestamp'"),
        (lambda f: f.assign(timestamp="noon"), "has no valid time in row 0"),
    ],
)
def test_refusals(fitted: VAE, change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted.score_samples(change(kpi()))


def test_refusals_of_a_fit() -> None:
    frame = kpi(50)
    with pytest.raises(DataError, match="a time and a value"):
        VAE(1, window=5).fit(frame.rename(columns={"value": "load"}))
    with pytest.raises(DataError, match="0 or 1"):
        VAE(1, window=5).fit(frame, frame.value)
    with pytest.raises(SpecError, match="2 or more"):
        VAE(1, window=1).fit(frame)
    with pytest.raises(SpecError, match="anomalies"):
        VAE(1, window=5, labels=Given(2)).fit(frame, frame.label)


def test_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    kpi().to_csv(tmp_path / "kpi.csv", index=False)
    words = ["fit", tmp_path / "kpi.csv", "--window", 12, "--label", "label", "--epochs", 40, "--json"]
    app([*map(str, [*words, "--latent-dim", 2, "-o", tmp_path / "run"])], standalone_mode=False)
    capsys.readouterr()
    run, data = str(tmp_path / "run"), str(tmp_path / "kpi.csv")
    app(["evaluate", run, data, "--label", "label", "-k", "5", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)["detection"]
    assert found["delay"] == 7 and found["segments"]["f1"] >= found["points"]["f1"] > 0.8
    app(["score", run, data, "-o", str(tmp_path / "s.csv")], standalone_mode=False)
    scores = pd.read_csv(tmp_path / "s.csv")
    assert list(scores.columns) == ["timestamp", "score"] and (scores.timestamp == kpi().timestamp).all()


def test_a_moment_is_scored_apart_from_those_that_follow(fitted: VAE) -> None:
    frame = kpi(300, seed=1)
    frame.loc[[5, 250], "value"] = np.nan
    whole, head = fitted.score_samples(frame), fitted.score_samples(frame[:150])
    np.testing.assert_allclose(whole[:150], head, rtol=1e-4, atol=1e-4)


def test_a_moment_without_a_score_parts_no_segments_and_joins_none() -> None:
    labels = np.array([0, 0, 1, 1, 0, 1, 1, 0, 0, 0])
    scores = -np.array([0, 0, 0.9, 0.1, 0, 0.1, 0.1, 0.2, 0.1, 0.1])
    known = detection(scores, labels, delay=0)
    scores[4] = np.nan
    assert detection(scores, labels, delay=0) == known
    scores[[2, 5]] = np.nan
    assert detection(scores, labels, delay=0).f1 < known.f1


def test_the_last_moments_are_held_out_whatever_their_order() -> None:
    frame = kpi(200)
    model = VAE(1, window=8, training=Training(epochs=2, validation=0.2), random_state=0)
    forth = model.fit(frame).history_[-1]["validation"]
    assert model.fit(frame[::-1]).history_[-1]["validation"] == forth
