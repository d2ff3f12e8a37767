"""Products in bfloat16 where they are faster, as asked for, and in the training alone."""

from collections.abc import Iterator

import pytest
import torch

from reparam import ELBO, MLP, Bernoulli, Gaussian, StandardNormal, Training
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.threads import SMALL, SMALL_TABLE
from reparam.training.precision import Precision, multiplied, precision_for
from reparam.training.step import Loss
from reparam.training.trainer import Trainer
from tests.models import X, flat, small


@pytest.fixture(autouse=True)
def highest() -> Iterator[None]:
    yield
    assert torch.get_float32_matmul_precision() == "highest", "what torch is set to is left as it was"


def products_in(training: Training) -> set[str]:
    """How torch multiplies while a small model trains."""
    model, seen = small(Gaussian(), StandardNormal(), (3,)).float(), set[str]()
    model.register_forward_hook(lambda *_: seen.add(torch.get_float32_matmul_precision()))
    (_,) = Trainer(model, (ELBO(),), training, 0).run((X.float(), None))
    return seen


@pytest.mark.parametrize(
    ("precision", "products"), [("medium", "medium"), ("32-true", "highest"), (None, "highest")]
)
def test_products_while_a_model_trains(precision: Precision | None, products: str) -> None:
    assert products_in(Training(epochs=1, precision=precision)) == {products}


def test_what_the_user_has_set_holds_where_nothing_is_asked_for() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        assert products_in(Training(epochs=1)) == {"high"}
        assert products_in(Training(epochs=1, precision="32-true")) == {"highest"}
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_backends_set_one_by_one_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed() -> str:
        raise RuntimeError("PyTorch is checking the matmul precision without a specific backend name")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "get_float32_matmul_precision", mixed)
        patched.setattr(torch, "set_float32_matmul_precision", pytest.fail)
        with multiplied("32-true"):
            pass


@pytest.mark.parametrize("has_amx", [True, False])
def test_large_networks_on_processors_that_have_amx(has_amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    cpu = torch.device("cpu")
    assert precision_for(SMALL, cpu) is None
    assert precision_for(SMALL + 1, cpu) == ("medium" if has_amx else None)
    assert precision_for(SMALL_TABLE, cpu, SMALL_TABLE) is None, "as tables have one thread"
    assert precision_for(1, torch.device("cuda")) == "medium"


def test_loss_and_gradients_are_within_the_error_of_the_products() -> None:
    """A bfloat16 has eight significant bits."""
    torch.manual_seed(0)
    network = MLP((512, 512))
    model = Model((400,), ModelConfig((20,), network, network, Gaussian(), StandardNormal(), Bernoulli()))
    x, found = (torch.rand(256, 400) < 0.5).float(), list[torch.Tensor]()
    for precision in ("32-true", "medium"):
        with multiplied(precision):
            torch.manual_seed(1)
            loss, *_ = Loss(model, (ELBO(),), {}, Training(epochs=1))(x, None, 0)
            found += [loss.detach(), flat(model, loss)]
    loss, gradient, rounded_loss, rounded = found
    torch.testing.assert_close(rounded_loss, loss, rtol=1e-3, atol=0.0)
    assert (rounded - gradient).norm() < 2**-6 * gradient.norm()
