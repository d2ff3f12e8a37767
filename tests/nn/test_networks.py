"""Every network: shapes, gradients, independence of rows, labels, latent maps, training, text and file."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from reparam import (
    VAE,
    Bernoulli,
    Categorical,
    Conv,
    Gaussian,
    Given,
    GradientPenalty,
    Network,
    ResMLP,
    ResNet,
    SpecError,
    StandardNormal,
    Training,
    load,
)
from reparam.estimator.validation import KINDS
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.nn import MLP, Net
from reparam.nn.layers import features_per_class
from reparam.nn.residual import Attend
from reparam.specs.parse import parse
from reparam.specs.spec import rows, text
from tests.parts import NETWORKS

X = load("digits").X[:300]
VECTORS, PICTURES = [(5,), (1,)], [(7, 9), (1, 5, 4), (3, 8, 6), (3, 5, 5), (1, 1)]
MAPS = {name: net for name, net in NETWORKS.items() if isinstance(net, Conv | ResNet)}
NAMES = list(NETWORKS)
Latents = tuple[int | tuple[int, ...], ...]
LADDERS = [
    (((3, 2, 2),), Conv((8, 8))),
    (((3, 2, 2), (2, 4, 4)), ResNet((8, 16), blocks=1, norm=4)),
    ((5, (2, 4, 4)), ResNet((8, 16), blocks=1, hidden=(16,), norm=4, attention=True)),
    ((3, 4, 5), ResNet((8,), blocks=1, hidden=(32, 16), norm=4)),
    ((3, 4, 5), ResMLP(16, blocks=3)),
    ((3, 4, 5), ResMLP(16, blocks=1)),
]


def built(network: Network, event: tuple[int, ...], latents: Latents = (3,)) -> Model:
    """A model in float64, its parameters away from where they start: a residual block starts as h + 0."""
    torch.manual_seed(0)
    parts = ModelConfig(latents, network, network, Gaussian(), StandardNormal(), Gaussian())
    model = Model(event, parts).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def data(event: tuple[int, ...], n: int = 6) -> torch.Tensor:
    return torch.randn(n, *event, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def events(network: Network) -> list[tuple[int, ...]]:
    return PICTURES if isinstance(network, Conv | ResNet) else VECTORS + PICTURES


def test_every_network_has_a_row() -> None:
    assert {type(network) for network in NETWORKS.values()} == set(rows(Net))


@pytest.mark.parametrize("name", NAMES)
def test_spec_round_trips(name: str) -> None:
    network = NETWORKS[name]
    assert parse(repr(network), Net) == parse(text(network, complete=True), KINDS["encoder"]) == network


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_gradients_of_any_event(name: str) -> None:
    for event in events(NETWORKS[name]):
        model, x = built(NETWORKS[name], event), data(event)
        encoder: Any = model.encoder
        trace = model(x, samples=3)
        assert trace.conditioning.features.shape == (6, encoder.n_out)
        assert sum(math.prod(shape) for shape in encoder.shapes) == encoder.n_out
        assert trace.px.mean.shape == (3, 6, *event)
        (-trace.bound.mean()).backward()
        still = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert not still, event


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    """Neither its features nor what is decoded, however large the others are."""
    event = (7, 9)
    model, x = built(NETWORKS[name], event), data(event)
    alone, others = x[2:3], x.clone()
    others[[0, 1, 3, 4, 5]] *= 1e3
    for mode in (model.train(), model.eval()):
        h = mode.encoder(mode.inputs(x), None)[2:3]
        z = torch.randn(1, 6, 3, dtype=torch.float64)
        for batch in (alone, others):
            found = mode.encoder(mode.inputs(batch), None)
            torch.testing.assert_close(found[2:3] if len(found) > 1 else found, h)
        torch.testing.assert_close(mode.decode(z).mean[:, 2:3], mode.decode(z[:, 2:3]).mean)


@pytest.mark.parametrize("name", NAMES)
def test_labels_enter_encoder_and_decoder(name: str) -> None:
    y = load("digits").y[:300]
    vae = VAE(3, encoder=NETWORKS[name], labels=Given(10), training=Training(epochs=2), random_state=0).fit(
        X, y
    )
    assert np.abs(vae.sample(1, label=3, mean=True) - vae.sample(1, label=8, mean=True)).max() > 1e-4
    assert not np.allclose(vae.transform(X[:9], y[:9]), vae.transform(X[:9], (y[:9] + 1) % 10))


@pytest.mark.parametrize("name", NAMES)
def test_trains_repeats_and_saves(name: str, tmp_path: Path) -> None:
    arguments = {
        "encoder": NETWORKS[name],
        "likelihood": Bernoulli(grey="expected"),
        "training": Training(epochs=8, batch_size=25, learning_rate=3e-3),
        "random_state": 0,
    }
    vae, twin = (VAE(4, **arguments).fit(X[:150]) for _ in range(2))  # type: ignore[arg-type]
    assert vae.history_[-1]["bound"] > vae.history_[0]["bound"] + 4
    np.testing.assert_array_equal(vae.score_samples(X[:20]), twin.score_samples(X[:20]))
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(vae.score_samples(X[:20]), again.score_samples(X[:20]))
    assert again.encoder_ == again.decoder_ == NETWORKS[name]


@pytest.mark.parametrize("name", MAPS)
def test_a_pixel_of_several_numbers(name: str) -> None:
    """Logits of three classes a pixel, of pictures of odd size with channels."""
    x = np.random.default_rng(0).integers(0, 3, (20, 3, 5, 7))
    vae = VAE(2, encoder=MAPS[name], likelihood=Categorical(3), training=Training(epochs=1)).fit(x)
    assert vae.reconstruct(x).shape == x.shape and np.isfinite(vae.score_samples(x)).all()


@pytest.mark.parametrize(("latents", "network"), LADDERS, ids=repr)
def test_each_layer_of_latents_reads_features_of_its_own(latents: Latents, network: Network) -> None:
    model = built(network, (8, 8), latents)
    trace = model(data((8, 8)), samples=2)
    encoder: Any = model.encoder
    assert len(encoder.shapes) == len(latents)
    for shape, latent in zip(encoder.shapes, latents, strict=True):
        assert isinstance(latent, int) or shape[1:] == latent[1:]
    sizes = [latent if isinstance(latent, int) else math.prod(latent) for latent in latents]
    assert [tuple(layer.z.shape) for layer in trace.layers] == [(2, 6, size) for size in sizes]
    (-trace.bound.mean()).backward()
    assert not [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


# -- residual networks -------------------------------------------------------------------------------


@torch.no_grad()
def test_a_block_starts_as_the_identity() -> None:
    """So ResMLP starts as act(norm(W x)), and the maps of ResNet are those of its convolutions alone."""
    torch.manual_seed(0)
    x = data((10,)).float()
    encoder: Any = ResMLP(8, blocks=3).encoder((10,), 0)
    first, norm = encoder.blocks[0][0], nn.LayerNorm(8)
    torch.testing.assert_close(encoder(x), norm(first(x)).relu())
    maps: Any = ResNet((4, 8), blocks=2, norm=2, attention=True).encoder((6, 6), 0, ((1, 2, 2),))
    h = data((1, 6, 6)).float()
    for level in maps.blocks:
        h = level[-1](level[-2](level[0](h)))
    torch.testing.assert_close(maps(data((1, 6, 6)).float()[:, 0]), h.flatten(1))


def test_attention_agrees_with_torch() -> None:
    maps = data((12, 3, 5))
    q, k, v = (t.flatten(2).transpose(1, 2) for t in maps.chunk(3, 1))
    expected = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(6, 4, 3, 5)
    torch.testing.assert_close(Attend()(maps), expected)


@pytest.mark.parametrize("attention", [False, True])
@torch.no_grad()
def test_attention_lets_far_places_read_one_another(attention: bool) -> None:
    """A pixel reaches 15 pixels to each side by a level's convolutions, or the whole map by attention."""
    encoder = built(ResNet((4,), blocks=1, norm=0, attention=attention), (40, 40), ((1, 20, 20),)).encoder
    x = data((40, 40), 1)
    moved = x.clone()
    moved[0, 0, 0] += 1.0
    change = (encoder(moved) - encoder(x)).reshape(4, 20, 20)
    assert bool(change[:, 19, 19].abs().max() > 0) is attention


def test_a_penalty_on_the_decoder_has_a_gradient() -> None:
    model = built(NETWORKS["attention"], (8, 8))
    GradientPenalty(1.0)(model(data((8, 8))), 0).backward()
    assert all(p.grad.isfinite().all() for p in model.likelihood.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNet(()), "at least one width in channels"),
        (lambda: ResNet((12, 32)), r"ResNet.channels has 12: 8 groups.*multiple such as 16, or norm=0"),
        (lambda: ResNet((8,)), r"channels has 8: 8 groups need 2 or more.*such as 16"),
        (lambda: ResNet(blocks=0), "ResNet.blocks must be 1 or more"),
        (lambda: ResMLP(1), "ResMLP.width must be 2 or more"),
        (lambda: VAE(2, encoder=ResNet()).fit(X.reshape(300, 64)), "ResNet needs images.*Use MLP"),
        (
            lambda: VAE(((4, 3, 2),), encoder=ResNet()).fit(X),
            r"latent maps \(4, 3, 2\): sizes of ResNet.* are 4 x 4, 2 x 2",
        ),
        (lambda: VAE(((4, 2, 2),), encoder=ResMLP()).fit(X), r"ResMLP\(\) has no maps .*Use ResNet"),
        (lambda: ResNet().decoder(((2,),), (8, 8), 65), "ResNet needs the same number.*Use MLP"),
    ],
)
def test_refusals_name_the_cure(make, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_a_compiled_step_records_it(graphs: list[object]) -> None:
    losses = []
    for compile in (False, True):
        training = Training(epochs=2, batch_size=100, compile=compile)
        vae = VAE(2, encoder=NETWORKS["attention"], training=training, random_state=0).fit(X)
        losses.append([row["loss"] for row in vae.history_])
    assert graphs
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@pytest.mark.parametrize("network", [MLP((6, 5)), MLP(()), Conv((3, 4), hidden=(5,)), ResMLP(8, 2)])
def test_features_of_every_class_at_once(network: Network) -> None:
    torch.manual_seed(0)
    encoder = network.encoder((4, 6), 3)
    x, codes = torch.randn(7, 4, 6), torch.eye(3)
    each = torch.stack([encoder(x, code.expand(7, -1)) for code in codes])
    torch.testing.assert_close(features_per_class(encoder, x, codes), each)
