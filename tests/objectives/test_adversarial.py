"""Critics: trained beside the model, and their log-odds estimate the divergence."""

import math

import pytest
import torch

from reparam import ELBO, VAE, FactorTC, LatentCritic, Training
from reparam.model.trace import Trace
from reparam.objectives import Critic
from tests.models import DIGITS, X, small


@pytest.mark.parametrize("term", [FactorTC(5.0), LatentCritic(1.0)])
def test_critics_learn_beside_the_model(term: Critic) -> None:
    X = DIGITS[:200]
    vae = VAE(3, objective=(ELBO(), term), training=Training(epochs=8, batch_size=50), random_state=0)
    seen = []
    for _ in vae.fit_iter(X):
        seen.append(
            torch.cat([p.detach().flatten() for p in vae.trainer_.adversary.critics[term].parameters()])
        )
    assert vae.history_[-1]["distortion"] < vae.history_[0]["distortion"]
    assert not torch.equal(seen[0], seen[-1])
    assert not any("critic" in name for name in vae.model_.state_dict())


def test_factor_critic_finds_the_total_correlation() -> None:
    """Trained on a fixed correlated Gaussian its log-odds estimate TC = -1/2 log(1 - rho^2)."""
    torch.manual_seed(0)
    term, rho = FactorTC(1.0, (64, 64), learning_rate=1e-3), 0.8
    model = small(layers=(2,))
    critic = term.build(model.config)
    optimiser = torch.optim.Adam(critic.parameters(), 2e-3)

    class Drawn(Trace):
        def __init__(self, n: int) -> None:
            a, b = torch.randn(2, n)
            z = torch.stack((a, rho * a + (1 - rho**2) ** 0.5 * b), -1)[None]
            self.layers = (model(X).layers[0]._replace(z=z),)
            self.x, self.critics = z[0], {term: critic}

    for _ in range(600):
        optimiser.zero_grad()
        term.critic_loss(critic, term.codes(Drawn(512))).backward()
        optimiser.step()
    with torch.no_grad():
        found = float(term(Drawn(20_000), 0))
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)
