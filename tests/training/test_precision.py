"""Products in bfloat16 where they are faster, as asked for, and in the training alone."""

from collections.abc import Iterator

import pytest
import torch

from reparam import ELBO, MLP, Bernoulli, Gaussian, StandardNormal, Training
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.nn.products import Conv2d, ConvTranspose2d, Linear
from reparam.threads import SMALL, SMALL_TABLE
from reparam.training.precision import Precision, multiplied, precision_for
from reparam.training.step import Loss
from reparam.training.trainer import Trainer
from tests.models import X, flat, small

CPU = torch.device("cpu")


def processor(patch: pytest.MonkeyPatch, amx: bool, bf16: bool) -> None:
    """A processor with these instructions, as far as torch says."""
    patch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    patch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)


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
def test_products_while_a_model_trains(
    precision: Precision | None, products: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, amx=True, bf16=True)
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


@pytest.mark.parametrize(
    ("amx", "bf16", "large"), [(True, True, "medium"), (False, True, "medium"), (False, False, None)]
)
def test_large_networks_on_processors_that_multiply_in_bfloat16(
    amx: bool, bf16: bool, large: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, amx, bf16)
    assert precision_for(SMALL, CPU, "binary") is None
    assert precision_for(SMALL + 1, CPU, "binary") == precision_for(SMALL + 1, CPU, "nominal") == large
    assert precision_for(SMALL_TABLE, CPU, "binary", SMALL_TABLE) is None, "as tables have one thread"
    for unsteady in ("real", "positive", "share", "count", "ordinal", None):
        assert precision_for(SMALL + 1, CPU, unsteady) is None
        assert precision_for(1, torch.device("cuda"), unsteady) == "medium"


def test_layers_round_where_torch_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor with AVX-512 BF16 alone, and where torch is set to "medium", by whomever."""
    processor(monkeypatch, amx=False, bf16=True)
    torch.manual_seed(0)
    layer, x = Linear(300, 200), torch.randn(3, 300)
    exact = layer(x)
    rounded = torch.nn.functional.linear(*(t.bfloat16() for t in (x, layer.weight, layer.bias))).float()
    assert 0 < (rounded - exact).norm() < 2**-7 * exact.norm()
    with multiplied("medium"):
        assert layer(x).equal(rounded)
        with multiplied("32-true"):
            assert layer(x).equal(exact)
        assert layer.double()(x.double()).dtype == torch.float64
    layer.float()
    torch.set_float32_matmul_precision("medium")
    assert layer(x).equal(rounded)
    torch.set_float32_matmul_precision("highest")
    assert layer(x).equal(exact)


@pytest.mark.parametrize(("amx", "bf16"), [(True, True), (False, False)])
def test_layers_leave_products_to_torch(amx: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, amx, bf16)
    layer, x = Linear(300, 200), torch.randn(3, 300)
    with multiplied("medium"):
        assert layer(x).equal(torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_small_layers_do_not_round(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, amx=False, bf16=True)
    layer, x = Linear(20, 10), torch.randn(3, 20)
    with multiplied("medium"):
        assert layer(x).equal(torch.nn.functional.linear(x, layer.weight, layer.bias))


LAYERS = {
    "linear": (Linear(300, 200), (8, 300)),
    "convolution": (Conv2d(64, 64, 3, stride=2, padding=1), (2, 64, 6, 6)),
    "transposed": (ConvTranspose2d(64, 64, 3, 2, 1, output_padding=1), (2, 64, 3, 3)),
}


@pytest.mark.parametrize(
    ("name", "amx"), [*((name, False) for name in LAYERS), ("convolution", True), ("transposed", True)]
)
def test_rounded_layers(name: str, amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs and gradients are of float32, with the error of eight significant bits. With AMX convolutions
    round, which torch leaves in float32 even then."""
    processor(monkeypatch, amx, bf16=True)
    layer, shape = LAYERS[name]
    x, found = torch.randn(shape).requires_grad_(), list[list[torch.Tensor]]()
    precisions: tuple[Precision, ...] = ("32-true", "medium")
    for precision in precisions:
        with multiplied(precision):
            y = layer(x)
            found.append([y.detach(), *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    for exact, rounded in zip(*found, strict=True):
        assert rounded.dtype == torch.float32
        assert 0 < (rounded - exact).norm() < 2**-6 * exact.norm()


def test_loss_and_gradients_are_within_the_error_of_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bfloat16 has eight significant bits."""
    processor(monkeypatch, amx=False, bf16=True)
    torch.manual_seed(0)
    network = MLP((512, 512))
    model = Model((400,), ModelConfig((20,), network, network, Gaussian(), StandardNormal(), Bernoulli()))
    x, found = (torch.rand(256, 400) < 0.5).float(), list[torch.Tensor]()
    precisions: tuple[Precision, ...] = ("32-true", "medium")
    for precision in precisions:
        with multiplied(precision):
            torch.manual_seed(1)
            loss, *_ = Loss(model, (ELBO(),), {}, Training(epochs=1))(x, None, 0)
            found += [loss.detach(), flat(model, loss)]
    loss, gradient, rounded_loss, rounded = found
    torch.testing.assert_close(rounded_loss, loss, rtol=1e-3, atol=0.0)
    assert 0 < (rounded - gradient).norm() < 2**-6 * gradient.norm()
