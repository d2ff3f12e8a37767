"""What counts as the datum is drawn once for each batch that is looked at."""

import numpy as np
import pytest

from reparam import VAE, Bernoulli, Training, load

X = load("digits").X[:40]
HOLES = np.where(np.arange(8) < 3, np.nan, X).astype(np.float32)


@pytest.mark.parametrize(
    ("use", "times"),
    [
        (lambda vae: vae.score_samples(X, n_samples=3), 1),
        (lambda vae: vae.impute(HOLES, n_samples=3), 1),
        (lambda vae: vae.impute(X, n_samples=3), 0),
        (lambda vae: vae.evaluate(X, k=3), 3),  # the trace, the likelihood and the aggregate posterior
    ],
)
def test_pixels_are_binarised_once(use, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vae = VAE(2, likelihood=Bernoulli(grey="sample"), training=Training(epochs=1), random_state=0).fit(X)
    observe, seen = Bernoulli.observe, []

    def counted(self: Bernoulli, x, **words):
        seen.append(len(x))
        return observe(self, x, **words)

    monkeypatch.setattr(Bernoulli, "observe", counted)
    use(vae)
    assert len(seen) == times


def test_training_binarises_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    observe, seen = Bernoulli.observe, []

    def counted(self: Bernoulli, x, **words):
        seen.append(len(x))
        return observe(self, x, **words)

    monkeypatch.setattr(Bernoulli, "observe", counted)
    training = Training(epochs=1, batch_size=10)
    VAE(2, likelihood=Bernoulli(grey="sample"), training=training, random_state=0).fit(np.asarray(X))
    assert seen == [10, 10, 10, 10]
