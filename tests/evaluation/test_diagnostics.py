"""Each diagnosis twice: the sickness provoked, and absent."""

import numpy as np
import pytest
import torch

from reparam import ELBO, MLP, VAE, VQ, DivergedError, Fixed, Gaussian, Shared, Training
from reparam.evaluation import diagnostics as doctor
from reparam.training import divergence

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(600, 6))


def warnings_of(vae: VAE, rows: np.ndarray = X) -> str:
    return "; ".join(vae.evaluate(rows, k=20).warnings)


def fitted(latent_dim=2, epochs=60, rows: np.ndarray = X, **parts) -> VAE:
    training = parts.pop("training", Training(epochs=epochs, learning_rate=3e-3))
    net = parts.pop("encoder", MLP((32,)))
    return VAE(latent_dim, encoder=net, training=training, random_state=0, **parts).fit(rows)


@pytest.fixture(scope="module")
def healthy() -> VAE:
    return fitted()


def test_the_healthy_model_is_left_in_peace(healthy: VAE) -> None:
    words = warnings_of(healthy)
    for sickness in (
        "collapse",
        "too large",
        "scale too",
        "differs from",
        "never used",
        "over-fitting",
        "diverged",
    ):
        assert sickness not in words, words


def test_collapse_of_all() -> None:
    assert "posterior collapse: KL is 0.0" in warnings_of(fitted(objective=ELBO(beta=50.0), epochs=20))


def test_collapse_of_a_rung() -> None:
    sick = doctor.of_latent((12.0, 0.01), 6, 8)
    assert "layer 2 of 2" in sick[0] and "free_per='layer'" in sick[0]
    assert doctor.of_latent((12.0, 3.0), 7, 8) == ()
    ladder = fitted((2, 2), epochs=40)
    assert "layer" not in warnings_of(ladder)
    with torch.no_grad():
        for net in (ladder.model_.latents.q[1], ladder.model_.latents.p[0]):
            for weight in net.parameters():
                weight.zero_()
    assert "KL of layer 2 of 2 is below 0.1 nats" in warnings_of(ladder)


def test_a_latent_far_too_large() -> None:
    assert "dimensions are active. latent_dim=" in warnings_of(fitted(20, epochs=150))
    assert "4 of 6 latent dimensions have collapsed" in doctor.of_latent((9.0,), 2, 6)[0]


@pytest.mark.parametrize(
    ("scale", "words"), [(30.0, "decoder scale too large"), (0.005, "decoder scale too small")]
)
def test_a_scale_that_is_off(scale: float, words: str) -> None:
    assert words in warnings_of(fitted(likelihood=Gaussian(scale=Fixed(scale)), epochs=20))


def test_a_scale_that_is_right(healthy: VAE) -> None:
    assert healthy.likelihood_ == Gaussian(scale=Shared())
    assert "decoder scale" not in warnings_of(healthy)
    assert "decoder scale" not in warnings_of(fitted(likelihood=Gaussian(scale=Fixed(0.15))))


def test_prior_and_codes_apart() -> None:
    apart = fitted(objective=ELBO(beta=0.001), epochs=20)
    assert "refit_prior" in warnings_of(apart)
    assert apart.evaluate(X, k=2).prior_auc > 0.7


def test_dead_codes() -> None:
    two = np.sign(rng.normal(size=(600, 1))) * np.ones((1, 4)) + 0.01 * rng.normal(size=(600, 4))
    words = warnings_of(fitted(8, epochs=5, rows=two, posterior=VQ(codes=32)), two)
    assert "of 32 codes are never used" in words
    assert doctor.of_codes(30, 32, 5000) == doctor.of_codes(3, 32, 100) == ()


def test_over_fitting() -> None:
    few = rng.normal(size=(60, 20))
    training = Training(epochs=300, validation=0.5, learning_rate=3e-3)
    sick = fitted(10, rows=few, training=training, encoder=MLP((128,)))
    assert "over-fitting: since epoch" in "; ".join(doctor.of_history(sick.history_))
    well = fitted(training=Training(epochs=40, validation=0.2, learning_rate=3e-3))
    assert doctor.of_history(well.history_) == ()


def test_an_exploding_loss() -> None:
    rows = [{"epoch": i, "bound": bound} for i, bound in enumerate((-100.0, -90.0, -85.0, -4e4), 1)]
    assert "training diverged" in doctor.of_history(rows)[0] and doctor.of_history(rows[:3]) == ()


def test_a_loss_that_is_no_number_is_traced_to_its_batch_layer_and_column() -> None:
    wild = X.copy()
    wild[70, 4] = 1e17
    row = r"batch \d+ becomes non-finite in .*; 1 of \d+ rows are the cause; column 4 holds 1e\+17"
    with pytest.raises(DivergedError, match=row), pytest.warns(UserWarning, match="half the learning rate"):
        fitted(rows=wild, epochs=2, likelihood=Gaussian(scale=Fixed(1e-3)))
    rate = r"after epoch \d+: batch \d+ becomes non-finite in \S+; the weights .* Lower learning_rate"
    with pytest.raises(DivergedError, match=rate), pytest.warns(UserWarning, match="half the learning rate"):
        fitted(training=Training(epochs=30, learning_rate=1e4))


def test_the_first_nonfinite_layer(healthy: VAE) -> None:
    x = torch.tensor(X[:8], dtype=torch.float32)
    assert divergence.first_nonfinite(healthy.model_, x, None) is None
    name, layer = [(n, m) for n, m in healthy.model_.named_modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        held = layer.bias.clone()
        layer.bias.fill_(torch.nan)
    assert divergence.first_nonfinite(healthy.model_, x, None) == name
    with torch.no_grad():
        layer.bias.copy_(held)
