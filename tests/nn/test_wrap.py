"""Modules of your own as encoder and decoder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from reparam import ELBO, MLP, VAE, FormatError, Given, SpecError, Training, Wrap, build
from reparam.serialization import model_file

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 2
PICTURES = np.random.default_rng(0).random((60, 6, 6))
SHORT = Training(epochs=2)


class Both(nn.Module):
    """Reads pictures and labels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(36 + 2, 8)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layer(torch.cat([x.flatten(1), y], 1))


class Alone(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def deep(n_in: int, n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 5), nn.Tanh(), nn.Linear(5, n))


def fitted(X: Any = X, y: Any = None, **words: Any) -> VAE:
    return VAE(2, training=SHORT, random_state=0, **words).fit(X, y)


def test_a_wrapped_module_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    encoder, decoder = nn.Linear(4, 7), deep(2, 4)
    before = encoder.weight.clone()
    vae = fitted(encoder=Wrap(encoder), decoder=Wrap(decoder))
    assert torch.equal(encoder.weight, before), "the module given is copied"
    trained = vae.model_.encoder.module.weight
    assert isinstance(trained, Tensor) and not torch.equal(trained, before)
    path = tmp_path / "m.safetensors"
    vae.save(path)
    assert model_file.read(path)[1]["spec"]["encoder"] == "Wrap('Linear')"
    with pytest.raises(FormatError, match="its encoder is the module Linear: load it in Python with"):
        VAE.load(path)
    again = VAE.load(path, modules={"encoder": nn.Linear(4, 7), "decoder": deep})
    np.testing.assert_array_equal(again.score_samples(X), vae.score_samples(X))
    with pytest.raises(FormatError):
        VAE.load(path, modules={"encoder": nn.Linear(4, 6), "decoder": decoder})
    with pytest.raises(SpecError, match="modules has 'prior'; it takes 'encoder' and 'decoder'"):
        VAE.load(path, modules={"prior": encoder})
    copied = clone(vae).fit(X)
    np.testing.assert_array_equal(copied.score_samples(X), vae.score_samples(X))


def test_a_file_without_one_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    fitted(encoder=MLP((4,))).save(path)
    with pytest.raises(FormatError, match=r"its encoder is .*, not a Wrap: leave 'encoder' out"):
        VAE.load(path, modules={"encoder": nn.Linear(4, 2)})


def test_a_factory_follows_the_seed() -> None:
    def make(event: tuple[int, ...], extra: int) -> nn.Module:
        return nn.Linear(event[0] + extra, 6)

    a, b = (fitted(encoder=Wrap(make)) for _ in range(2))
    np.testing.assert_array_equal(a.score_samples(X), b.score_samples(X))
    assert repr(a.encoder_) == "Wrap('make')"


def test_labels_enter_beside_x_or_joined() -> None:
    assert fitted(y=Y, encoder=Wrap(nn.Linear(6, 3)), labels=Given(2)).transform(X, Y).shape == (60, 2)
    vae = fitted(PICTURES, Y, encoder=Wrap(Both()), decoder=MLP((8,)), labels=Given(2))
    assert vae.sample(3, label=1).shape == (3, 6, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fitted(encoder=nn.Linear(4, 2)), r"Linear; write encoder=Wrap\(module\)"),
        (lambda: fitted(encoder=Wrap(nn.Linear(3, 2))), r"called with \(B, 4\), and fails"),
        (lambda: fitted(decoder=Wrap(nn.Linear(2, 3))), "gives 3 numbers for a code of 2; this"),
        (lambda: Wrap(nn.Linear), r"not Linear; write Wrap\(Linear\(...\)\)"),
        (lambda: fitted(encoder=Wrap("Linear")), "has no module"),
        (lambda: fitted(encoder=Wrap(lambda *sizes: 3)),  # type: ignore[arg-type]
         "gives int, not an nn.Module"),
        (lambda: fitted(PICTURES, Y, encoder=Wrap(Alone()), labels=Given(2)), "its forward takes x alone"),
        (lambda: VAE(((2, 3, 3),), encoder=Wrap(Alone()), training=SHORT).fit(PICTURES), "has no maps"),
    ],
)  # fmt: skip
def test_faults_are_named(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_build_gives_the_model_that_fit_trains() -> None:
    vae = VAE(2, training=SHORT, random_state=0)
    model = build(vae, X)
    x, y = vae.preprocessor_.cells(X)
    assert model is vae.model_ and model.training and y is None and model.n_data == 60
    trace = model(model.observe(x), samples=3)
    assert trace.z.shape == (3, 60, 2)
    assert torch.isclose(ELBO()(trace, 0), -trace.bound.mean())
    first = vae.score(X)
    again = VAE(2, training=SHORT, random_state=0)
    build(again, X)
    assert again.score(X) == first
    with pytest.raises(SpecError):
        build(VAE(2, encoder=nn.Linear(4, 2)), X)  # type: ignore[arg-type]
