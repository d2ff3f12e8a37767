"""The device of a training: one that torch cannot use is refused before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reparam import MLP, VAE, Gaussian, Mixture, SpecError, Training
from tests.cli.helpers import Capture, run

X = np.random.default_rng(0).normal(size=(40, 3))
SMALL: dict[str, Any] = {"latent_dim": 2, "encoder": MLP((4,)), "random_state": 0}
CURE = "that torch can use: leave device out, or device='cpu'"
ABSENT = {
    "cuda": f"this machine has no CUDA device {CURE}",
    "cuda:1": f"this machine has no device 'cuda:1' {CURE}",
    "mps": f"this machine has no MPS device {CURE}",
    "meta": f"this machine has no device 'meta' {CURE}",
    "hpu": f"this machine has no device 'hpu' {CURE}",
}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    ones = torch.ones

    def without_mps(*shape: Any, device: Any = None, **words: Any) -> Any:
        if device is not None and device.type == "mps":
            raise RuntimeError("PyTorch is not linked with support for mps devices")
        return ones(*shape, device=device, **words)

    monkeypatch.setattr(torch, "ones", without_mps)


@pytest.mark.parametrize("device", ABSENT)
def test_a_device_that_is_not_there(device: str) -> None:
    training = Training(epochs=1, device=device)
    vae = VAE(**SMALL, training=training)
    with pytest.raises(SpecError) as caught:
        next(vae.fit_iter(X))
    assert str(caught.value) == ABSENT[device] and not hasattr(vae, "model_")
    fitted = VAE(**SMALL, training=Training(epochs=1, device="cpu")).fit(X)
    with pytest.raises(SpecError, match="leave device out"):
        fitted.refit_prior(X, Mixture(Gaussian(), 2), training=training)


@pytest.mark.parametrize("word", ["cuda", "meta"])
def test_the_command_line_says_it_before_it_reads_data(word: str, tmp_path: Path, capsys: Capture) -> None:
    for words in (("--device", word), ("--set", f"training.device={word}")):
        assert run("fit", tmp_path / "absent.npy", "-o", tmp_path / "run", *words) == 2
        assert capsys.readouterr().err == f"reparam: {ABSENT[word]}\n"


def test_devices_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Training(device="cuda").resolved_device() == torch.device("cuda")
    assert Training(device="cuda:1").resolved_device() == torch.device("cuda:1")
    with pytest.raises(SpecError, match="no device 'cuda:2' that torch can use"):
        Training(device="cuda:2").resolved_device()
    assert Training(device="cpu").resolved_device() == torch.device("cpu")
    with pytest.raises(SpecError, match="unknown device 'gpu'; use auto, cpu or cuda"):
        Training(device="gpu").resolved_device()


def test_a_model_file_does_not_choose_the_device(tmp_path: Path) -> None:
    VAE(**SMALL, training=Training(epochs=1, device="cpu")).fit(X).save(tmp_path / "m.safetensors")
    loaded = VAE.load(tmp_path / "m.safetensors")
    assert loaded.training == loaded.training_ and loaded.training.device == "auto"
