"""Codes: priors that sum to one, honest numbers by enumeration, quantisers against numpy."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from reparam import (
    ELBO,
    FSQ,
    IWAE,
    MIWAE,
    MLP,
    PIWAE,
    VAE,
    VQ,
    AutoregressiveCodes,
    Bernoulli,
    CodePrior,
    Commitment,
    Enumerated,
    Family,
    GumbelSigmoid,
    GumbelSoftmax,
    Linear,
    Shared,
    SpecError,
    StandardNormal,
    Term,
    TotalCorrelation,
    Training,
    VampPrior,
)
from reparam.data.load import load
from reparam.distributions import OneHotCodebook, Relaxed, choice, kl, mean_of, sample_with
from reparam.estimator.validation import KINDS
from reparam.evaluation.likelihood import log_likelihood
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.model.priors import Prior
from reparam.specs.parse import parse
from reparam.specs.spec import text
from tests.parts import CODE_PRIORS, CODES

X = load("digits").X[:500]
GREY = Bernoulli(grey="expected")
LARGE = [(GumbelSoftmax(4), 32), (GumbelSigmoid(), 16), (FSQ((5, 5)), 12), (VQ(32, 4), 16)]


def small(posterior: Family, L: int, prior: Family, columns: int = 5) -> Model:
    """A model in float64, in evaluation, its learned numbers far from their start."""
    torch.manual_seed(1)
    model = Model((columns,), ModelConfig((L,), MLP((8,)), MLP((8,)), posterior, prior, Bernoulli()))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn_like(p))
    return model.double().eval()


def every_code(model: Model) -> torch.Tensor:
    """All latents that a model has, (K^G, L)."""
    p: Any = model.latents.prior()
    groups, count = p.choice.event_shape
    index = torch.tensor(list(itertools.product(range(count), repeat=groups)))
    return p.codebook.embed(one_hot(index, count).double())


def fitted(posterior: Family, L: int, **words: Any) -> VAE:
    held: dict[str, Any] = {"likelihood": GREY, "training": Training(epochs=2, batch_size=100)} | words
    return VAE(L, encoder=MLP((32,)), posterior=posterior, **{"random_state": 0} | held).fit(X)


@pytest.mark.parametrize("prior", CODE_PRIORS, ids=repr)
@pytest.mark.parametrize(("posterior", "L"), CODES, ids=repr)
def test_prior_sums_to_one_and_samples_itself(posterior: Family, L: int, prior: Family) -> None:
    model = small(posterior, L, prior)
    z, p = every_code(model), model.latents.prior()
    log_p = p.log_prob(z).detach()
    assert float(torch.logsumexp(log_p, 0)) == pytest.approx(0, abs=1e-9)
    torch.manual_seed(0)
    drawn = p.sample(torch.Size((20_000,)))
    often = (drawn[:, None] == z).all(-1).double().mean(0)
    assert float((often - log_p.exp()).abs().max()) < 4 * 0.5 / math.sqrt(20_000)


@pytest.mark.parametrize(("posterior", "L"), CODES, ids=repr)
def test_posterior_sums_to_one_over_codes(posterior: Family, L: int) -> None:
    model = small(posterior, L, CodePrior())
    z, x = every_code(model), (torch.rand(7, 5) < 0.5).double()
    (layer,) = model(x, samples=3).layers
    mass = layer.q.log_prob(z[:, None]).exp().detach()
    torch.testing.assert_close(mass.sum(0), torch.ones(7).double())
    assert (layer.z[:, :, None] == z).all(-1).any(-1).all()
    noise = sample_with(layer.q, 20_000, lambda shape: torch.randn(shape, dtype=torch.float64))
    often = torch.stack([(noise == code).all(-1).double().mean(0) for code in z])
    assert float((often - mass).abs().max()) < 4 * 0.5 / math.sqrt(20_000)
    if model.config.deterministic:
        assert set(mass.flatten().tolist()) == {0.0, 1.0}
        assert torch.equal(z[mass.argmax(0)], mean_of(layer.q))


def test_logits_of_a_group_see_the_groups_before_it() -> None:
    law = small(FSQ((3, 2)), 8, AutoregressiveCodes((16, 16))).latents.top(None)
    w = torch.rand(4, 6).double()
    jacobian = torch.autograd.functional.jacobian(law.logits, w).abs().sum((1, 3))
    assert torch.equal(jacobian > 0, torch.ones(4, 4).tril(-1) > 0)


def test_relaxed_gradient_tends_to_the_exact_one() -> None:
    """E f(z) over 3 choices, f quadratic: the error of the gradient falls with the temperature."""
    generator = torch.Generator().manual_seed(1)
    A, b, logits = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((3, 3), (3,), (3,)))

    def f(z: torch.Tensor) -> torch.Tensor:
        return (z @ A * z).sum(-1) + z @ b

    logits.requires_grad_()
    (exact,) = torch.autograd.grad((logits.softmax(-1) * f(torch.eye(3).double())).sum(), logits)
    errors = []
    for temperature in (2.0, 1.0, 0.5, 0.25, 0.1, 0.05):
        torch.manual_seed(0)
        q = Relaxed(choice(logits[None]), temperature, OneHotCodebook(3))
        (ours,) = torch.autograd.grad(f(q.rsample(torch.Size((400_000,)))).mean(), logits)
        errors.append(float((ours - exact).norm() / exact.norm()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05
    assert float(torch.cosine_similarity(ours, exact, 0)) > 0.999


@pytest.mark.parametrize("prior", [CodePrior(), CodePrior(Shared())], ids=repr)
def test_relaxed_rate_is_the_discrete_one(prior: Family) -> None:
    model = small(GumbelSoftmax(3), 9, prior)
    x = (torch.rand(7, 5) < 0.5).double()
    exact, z = model(x), every_code(model)
    q, p = exact.layers[0].q.log_prob(z[:, None]), exact.layers[0].p.log_prob(z)[:, None]
    torch.testing.assert_close(exact.rate, (q.exp() * (q - p)).sum(0))
    torch.testing.assert_close(model.train()(x, samples=2).rate, exact.rate)


def test_rate_of_fsq_is_the_log_number_of_codes() -> None:
    vae = fitted(FSQ((8, 5, 5)), 12)
    assert vae.prior_ == CodePrior()
    assert vae.evaluate(X).rate == pytest.approx(4 * math.log(200), rel=1e-6)
    assert vae.history_[-1]["rate"] == pytest.approx(4 * math.log(200), rel=1e-6)


@pytest.mark.parametrize(
    ("posterior", "L", "nats"), [(FSQ((5, 5)), 8, 4 * math.log(25)), (VQ(16, 4), 8, 2 * math.log(16))]
)
def test_score_of_a_quantiser_is_one_joint_density(posterior: Family, L: int, nats: float) -> None:
    bits = (X > 0.5).astype(float)
    vae = VAE(L, posterior=posterior, training=Training(epochs=2), random_state=0).fit(bits)
    mean = vae.inverse_transform(vae.transform(bits)).astype(np.float64)
    by_hand = np.where(bits > 0, np.log(mean), np.log1p(-mean)).sum((1, 2)) - nats
    np.testing.assert_allclose(vae.score_samples(bits), by_hand, rtol=1e-4)
    figures = vae.evaluate(bits)
    assert figures.k == 1 and not any("importance" in words for words in figures.warnings)
    assert figures.log_likelihood.mean == pytest.approx(figures.elbo, rel=1e-6)


@pytest.mark.parametrize("prior", CODE_PRIORS, ids=repr)
@pytest.mark.parametrize(("posterior", "L"), CODES[:2], ids=repr)
def test_estimate_meets_enumeration(posterior: Family, L: int, prior: Family) -> None:
    model = small(posterior, L, prior)
    x, z = (torch.rand(9, 5) < 0.5).double(), every_code(model)
    with torch.no_grad():
        log_px = model.decode(model.state(z)[0][:, None]).log_prob(x)
        for weight in model.latents.q.parameters():
            weight.mul_(0.3)
        exact = torch.logsumexp(log_px + model.latents.prior().log_prob(z)[:, None], 0)
    for seed in (None, 3):
        torch.manual_seed(0)
        estimate, ess = log_likelihood(model, x, None, 10_000, seed)
        assert ((estimate - exact).abs() < 4 / ess.sqrt()).all()
        assert float(ess.min()) > 500


def test_codebook_follows_running_means() -> None:
    head: Any = VQ(5, 2, decay=0.9, restart=1e-9).build((4,), lambda n: torch.nn.Identity()).double().train()
    rng = np.random.default_rng(0)
    count, codebook = rng.uniform(1, 3, 5), rng.normal(size=(5, 2))
    total = codebook * count[:, None]
    for name, value in (("count", count), ("codebook", codebook), ("total", total)):
        getattr(head, name).copy_(torch.tensor(value))
    h = rng.normal(size=(6, 4))
    q = head(torch.tensor(h))
    rows = h.reshape(-1, 2)
    index = ((rows[:, None] - codebook) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(q.index.flatten(), index)
    np.testing.assert_allclose(q.mean.reshape(-1, 2), codebook[index])
    used = np.eye(5)[index]
    count, total = 0.9 * count + 0.1 * used.sum(0), 0.9 * total + 0.1 * used.T @ rows
    np.testing.assert_allclose(head.count, count)
    np.testing.assert_allclose(head.codebook, total / count[:, None])
    before = head.codebook.clone()
    head.eval()(torch.tensor(h))
    assert torch.equal(before, head.codebook)


def test_dead_codes_restart_at_rows_of_the_batch() -> None:
    torch.manual_seed(0)
    head: Any = VQ(50, 2).build((2,), lambda n: torch.nn.Identity()).train()
    h = 100 + torch.randn(64, 2)
    assert len(head.eval()(h).index.unique()) == 1
    head.train()
    head(h)
    distance = torch.cdist(head.codebook.double(), h.double()).min(1).values
    assert int((distance < 1e-3).sum()) == 49  # the one that was used holds the mean
    assert len(head(h).index.unique()) > 20


@pytest.mark.parametrize(("posterior", "L"), LARGE, ids=repr)
def test_gradients_reach_the_encoder(posterior: Family, L: int) -> None:
    vae = fitted(posterior, L)
    model = vae.model_.train()
    model.zero_grad()
    trace = model(vae.codec_.encode(X), samples=2)
    sum(term(trace, 0) for term in (ELBO(),)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_temperature_follows_its_schedule_and_resumes(tmp_path: Path) -> None:
    posterior = GumbelSoftmax(4, Linear(1.0, 0.1, 20))
    vae = VAE(
        16, posterior=posterior, likelihood=GREY, training=Training(epochs=4, batch_size=100), random_state=0
    )
    steps = []
    for progress in vae.fit_iter(X):
        head: Any = vae.model_.latents.q[0]
        steps.append(head.step)
        q = head.train()(torch.zeros(3, 256))
        assert q.temperature == pytest.approx(1.0 - 0.9 * head.step / 20)
        if progress.epoch == 2:
            vae.save_training(tmp_path / "t.safetensors")
    assert steps == [4, 9, 14, 19]
    again = VAE(**vae.get_params(deep=False))
    assert len([*again.fit_iter(X, resume=tmp_path / "t.safetensors")]) == 2
    np.testing.assert_array_equal(vae.score_samples(X), again.score_samples(X))


def test_quantisers_resume(tmp_path: Path) -> None:
    for posterior, L in LARGE[2:]:
        vae = VAE(L, posterior=posterior, likelihood=GREY, training=Training(epochs=3), random_state=0)
        for progress in vae.fit_iter(X):
            if progress.epoch == 1:
                vae.save_training(tmp_path / "t.safetensors")
        again = VAE(**vae.get_params(deep=False))
        assert len([*again.fit_iter(X, resume=tmp_path / "t.safetensors")]) == 2
        np.testing.assert_array_equal(vae.transform(X), again.transform(X))


REFUSED = [
    (dict(posterior=FSQ(), prior=StandardNormal()), r"FSQ\(\).*Gaussian.*Use prior=CodePrior\(\)"),
    (dict(posterior=GumbelSoftmax(5), prior=VampPrior(5)), "GumbelSoftmax.*VampPrior.*Use prior=CodePrior"),
    (dict(prior=CodePrior()), r"Gaussian\(\).*CodePrior\(\).*Use prior=Gaussian"),
    (dict(posterior=CodePrior()), "CodePrior.*is a prior"),
    (dict(posterior=AutoregressiveCodes()), "AutoregressiveCodes.*is a prior"),
    (dict(posterior=VQ(8, 4)), r"VQ\(8, 4\).*latent_dim=10.*4 numbers.*latent_dim=12"),
    (dict(posterior=GumbelSigmoid(), latent_dim=(4, 2)), r"GumbelSigmoid.*latent_dim=\(4, 2\).*one layer"),
    (
        dict(posterior=GumbelSoftmax(5), objective=ELBO(gradient="path")),
        "path.*GumbelSoftmax.*no density. Use ELBO",
    ),
    (
        dict(posterior=GumbelSoftmax(5), objective=IWAE(5, "dreg")),
        "dreg.*GumbelSoftmax.*no density. Use ELBO",
    ),
    (dict(posterior=GumbelSoftmax(5), objective=MIWAE()), "MIWAE.*GumbelSoftmax.*no density. Use ELBO"),
    (dict(posterior=FSQ((3, 3)), objective=PIWAE()), "PIWAE.*FSQ.*no density. Use ELBO"),
    (dict(posterior=GumbelSoftmax(5), objective=ELBO(free_bits=0.1)), "GumbelSoftmax.*does not factorise"),
    (dict(posterior=FSQ((3, 3)), objective=(ELBO(), TotalCorrelation())), "FSQ.*does not factorise"),
    (dict(posterior=FSQ((3, 3)), objective=(ELBO(), Commitment())), "Commitment.*FSQ.*Use posterior=VQ"),
    (dict(objective=(ELBO(), Commitment())), "Commitment.*Gaussian.*no codebook"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_refusals_name_both_parts_and_the_cure(words: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        VAE(likelihood=GREY).set_params(**words).fit(X[:20])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FSQ((1, 5)), "2 or more"),
        (lambda: FSQ(()), "2 or more"),
        (lambda: VQ(1), "codes >= 2"),
        (lambda: VQ(decay=1.0), r"in \(0, 1\)"),
        (lambda: GumbelSoftmax(1), "2 or more"),
        (lambda: GumbelSoftmax(4, 0.0), "temperature of 0"),
        (lambda: GumbelSigmoid(Linear(1.0, 0.0, 10)), "temperature of 0"),
        (lambda: AutoregressiveCodes(()), "1 or more"),
    ],
)
def test_values_out_of_range_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_specs_round_trip() -> None:
    posteriors = [*(q for q, _ in CODES), GumbelSoftmax(5, Linear(1, 0.2, 9)), VQ(9, 3, 0.9, 0.5)]
    table: list[tuple[object, object]] = [(p, KINDS["posterior"]) for p in posteriors]
    table += [(p, Prior) for p in CODE_PRIORS] + [((ELBO(), Commitment(Linear(0, 1, 9))), KINDS["objective"])]
    for value, kind in table:
        assert parse(repr(value), kind) == value
        assert parse(text(value, complete=True), kind) == value


@pytest.mark.parametrize("prior", [None, AutoregressiveCodes((16,))], ids=repr)
@pytest.mark.parametrize(("posterior", "L"), LARGE, ids=repr)
def test_the_estimator_works_and_save_and_load_agree(
    posterior: Family, L: int, prior: Family | None, tmp_path: Path
) -> None:
    vae = fitted(posterior, L, prior=prior)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    scores = vae.score_samples(X[:50], n_samples=20)
    np.testing.assert_array_equal(scores, again.score_samples(X[:50], n_samples=20))
    np.testing.assert_allclose(scores[3:4], vae.score_samples(X[3:4], n_samples=20), rtol=1e-5)
    np.testing.assert_array_equal(vae.sample(4), again.sample(4))
    means = vae.inverse_transform(vae.transform(X[:5]))
    np.testing.assert_allclose(vae.reconstruct(X[:5]), means, rtol=1e-5)
    figures = vae.evaluate(X[:50], k=20)
    assert figures.log_likelihood.mean >= figures.elbo - 0.5 and figures.rate > 0
    z = torch.as_tensor(vae.transform(X)).float()
    p: Any = vae.model_.latents.prior()
    np.testing.assert_allclose(p.codebook.embed(p.codebook.one_hot(z)), z)


@pytest.mark.parametrize(("posterior", "L"), LARGE, ids=repr)
def test_sixty_steps_on_digits(posterior: Family, L: int) -> None:
    objective: tuple[Term, ...] = (ELBO(), Commitment()) if isinstance(posterior, VQ) else (ELBO(),)
    training = Training(epochs=12, batch_size=100, learning_rate=3e-3)
    vae = fitted(posterior, L, objective=objective, training=training)
    assert vae.history_[-1]["step"] == 60
    assert vae.history_[-1]["distortion"] < vae.history_[0]["distortion"] - 5
    if posterior in (LARGE[2][0], LARGE[3][0]):
        assert len(np.unique(vae.transform(X), axis=0)) > 20


def test_prior_is_refitted_by_likelihood() -> None:
    """A set_prior of another prior: autoregressive codes learn what the encoder says."""
    vae = fitted(FSQ((5, 5)), 8, training=Training(epochs=12, batch_size=100, learning_rate=3e-3))
    latents, z = vae.model_.latents, torch.as_tensor(vae.transform(X)).float()
    torch.manual_seed(0)
    latents.set_prior(vae.posterior_, AutoregressiveCodes((64,)))
    optimiser = torch.optim.Adam(latents.top.parameters(), 1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        loss = -latents.prior().log_prob(z).mean()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 4 * math.log(25) - 3
    assert kl(vae.model_(vae.codec_.encode(X)).layers[0].q, latents.prior()).shape == (500,)


def test_enumerated_labels_go_with_codes() -> None:
    y = load("digits").y[:500]
    for posterior, L in LARGE:
        vae = VAE(
            L,
            encoder=MLP((32,)),
            posterior=posterior,
            labels=Enumerated(10),
            likelihood=GREY,
            training=Training(epochs=1),
            random_state=0,
        ).fit(X, y)
        assert np.isfinite(vae.score_samples(X[:5], n_samples=10)).all()
