"""Ladders of vectors, of maps, and of both: shapes, gradients, bounds, files and refusals."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    MLP,
    VAE,
    Bernoulli,
    Conv,
    FullGaussian,
    Gaussian,
    Given,
    SpecError,
    Training,
    VampPrior,
)
from reparam.data.load import load
from reparam.evaluation.likelihood import log_likelihood
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.nn.layers import Maps

X = load("digits").X[:300]
LADDERS = [
    ((3, 4, 5), MLP((32, 16))),
    ((3, 4), Conv((8,), hidden=(16,))),
    (((3, 2, 2),), Conv((8, 8))),
    (((3, 2, 2), (2, 4, 4)), Conv((8, 8))),
    ((5, (2, 4, 4)), Conv((8, 8), hidden=(16,))),
]
IDS = [str(layers) for layers, _ in LADDERS]


def model(layers: tuple[int | tuple[int, ...], ...], net: MLP | Conv) -> Model:
    torch.manual_seed(0)
    return Model((8, 8), ModelConfig(layers, net, net, Gaussian(), Gaussian(), Bernoulli(grey="sample")))


@pytest.mark.parametrize(("layers", "net"), LADDERS, ids=IDS)
def test_every_parameter_gets_a_gradient_and_shapes_hold(
    layers: tuple[int | tuple[int, ...], ...], net: MLP | Conv
) -> None:
    built, x = model(layers, net), torch.as_tensor(X[:7])
    trace = built(x, samples=3)
    sizes = [s if isinstance(s, int) else math.prod(s) for s in layers]
    assert [tuple(layer.z.shape) for layer in trace.layers] == [(3, 7, size) for size in sizes]
    (-trace.bound.mean()).backward()
    dead = [name for name, p in built.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead
    assert built.decode(built.prior_state(4)).mean.shape == (1, 4, 8, 8)


@pytest.mark.parametrize(("layers", "net"), LADDERS, ids=IDS)
def test_bound_rises_with_k(layers: tuple[int | tuple[int, ...], ...], net: MLP | Conv) -> None:
    vae = VAE(
        layers, encoder=net, likelihood=Bernoulli(grey="sample"), training=Training(epochs=4), random_state=0
    ).fit(X)
    x = (torch.as_tensor(X[:60]) > 0.5).float().repeat(20, 1, 1)
    torch.manual_seed(0)
    bounds = [float(log_likelihood(vae.model_, x, None, k, None)[0].mean()) for k in (1, 8, 64)]
    assert bounds[0] < bounds[1] < bounds[2]


@pytest.mark.parametrize(("layers", "net"), LADDERS, ids=IDS)
def test_save_and_load_agree(
    layers: tuple[int | tuple[int, ...], ...], net: MLP | Conv, tmp_path: Path
) -> None:
    vae = VAE(layers, encoder=net, likelihood=Gaussian(), training=Training(epochs=1), random_state=0).fit(X)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        vae.score_samples(X[:9], n_samples=5), again.score_samples(X[:9], n_samples=5)
    )
    assert vae.transform(X[:2]).shape == (2, vae.latent_dim_)
    np.testing.assert_allclose(
        vae.reconstruct(X[:2]), vae.inverse_transform(vae.transform(X[:2])), rtol=1e-4, atol=1e-5
    )


def test_each_rung_reads_its_own_depth() -> None:
    """The top reads the last layer alone: what enters there moves it, and no shape below."""
    built = model((3, 4), MLP((32, 16)))
    encoder: Any = built.encoder
    assert encoder.shapes == ((16,), (32,))
    x = torch.as_tensor(X[:5])
    before = built.latents.split_features(built.conditioning(x).features)
    with torch.no_grad():
        encoder.blocks[1][0].bias.add_(1.0)
    after = built.latents.split_features(built.conditioning(x).features)
    assert not torch.allclose(before[0], after[0]) and torch.allclose(before[1], after[1])


def test_maps_see_their_neighbourhood_alone() -> None:
    """A number of a map reaches its 3 x 3 neighbours, in whichever place; one of a vector all of them."""
    torch.manual_seed(0)
    reader = Maps([(2, 5, 5), (3,)], (5, 5), 25).double()
    t = torch.randn(1, 53, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(reader, t)[0, :, 0]
    reached = (jacobian[:, 12] != 0).reshape(5, 5).nonzero()
    assert {tuple(p) for p in reached.tolist()} == {(i, j) for i in (1, 2, 3) for j in (1, 2, 3)}
    assert (jacobian[:, 51] != 0).all()


def test_labels_join_maps() -> None:
    data = load("digits")
    vae = VAE(
        ((2, 4, 4),), encoder=Conv((8,)), labels=Given(10), likelihood=Gaussian(), training=Training(epochs=1)
    )
    vae.fit(data.X[:200], data.y[:200])
    assert np.abs(vae.sample(1, label=3, mean=True) - vae.sample(1, label=8, mean=True)).max() > 1e-4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"latent_dim": ((4, 3, 2),), "encoder": Conv((8, 8))}, r"sizes of Conv.* are 4 x 4, 2 x 2"),
        ({"encoder": MLP()}, r"MLP\(\) has no maps .*Use Conv"),
        ({"latent_dim": ((4, 2),)}, "or maps"),
        ({"prior": VampPrior(3)}, r"VampPrior\(3\) with latent maps .*Use prior=Gaussian"),
        ({"posterior": FullGaussian()}, r"FullGaussian\(\) with latent maps .*Use posterior=Gaussian"),
        ({"objective": ELBO(gradient="path"), "latent_dim": ((4, 2, 0),)}, "sizes of 1 or more"),
    ],
    ids=repr,
)
def test_refused_when_the_model_is_built(words: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        VAE(**(dict[str, Any](latent_dim=((4, 2, 2),), encoder=Conv((8, 8))) | words)).fit(X)
