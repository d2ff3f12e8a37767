"""The optimisers against torch's, and a state that goes on."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reparam import Adam, RMSprop
from reparam.training.config import Optimiser
from reparam.training.optimisers import clip
from reparam.training.state import load_slots, slots

TORCHS: dict[Optimiser, Callable[[list[Tensor]], torch.optim.Optimizer]] = {
    Adam(0.8, 0.99, 1e-6): lambda p: torch.optim.AdamW(p, 1e-2, (0.8, 0.99), 1e-6, 0.0, fused=True),
    Adam(weight_decay=0.1): lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.1, fused=True),
    RMSprop(0.7, 1e-4): lambda p: torch.optim.RMSprop(p, 1e-2, 0.7, 1e-4, foreach=True),
}
"""The same optimiser of `torch.optim`, with the learning rate 0.01."""


def leaves() -> list[Tensor]:
    """Parameters of which the last gets a gradient late, and one has another type."""
    generator = torch.Generator().manual_seed(0)
    held = [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,), (), (2, 3))]
    return [p.requires_grad_() for p in (*held[:2], held[2].double(), held[3])]


def set_gradients(parameters: list[Tensor], step: int) -> None:
    generator = torch.Generator().manual_seed(1 + step)
    for i, p in enumerate(parameters):
        g = torch.randn(p.shape, generator=generator)
        p.grad = None if i == 3 and step < 2 else g.to(p.dtype)


@pytest.mark.parametrize("spec", TORCHS, ids=repr)
def test_the_numbers_are_those_of_torch(spec: Optimiser) -> None:
    ours, theirs = leaves(), leaves()
    optimiser, reference = spec.build(ours), TORCHS[spec](theirs)
    for step in range(6):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimiser.step(1e-2)
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p, q)
    states = reference.state_dict()["state"]
    assert {i: state.keys() for i, state in optimiser.state.items()} == {
        i: state.keys() for i, state in states.items()
    }
    for i, state in states.items():
        assert all(torch.equal(optimiser.state[i][slot], t) for slot, t in state.items())


@pytest.mark.parametrize("spec", TORCHS, ids=repr)
def test_a_state_goes_on_and_is_a_copy(spec: Optimiser) -> None:
    whole, broken = leaves(), leaves()
    first, second = spec.build(whole), spec.build(broken)
    for step in range(3):
        set_gradients(whole, step)
        first.step(1e-2)
    held = {name.removeprefix("o."): t for name, t in slots("o", first).items()}
    before = {name: t.clone() for name, t in held.items()}
    with torch.no_grad():
        for p, q in zip(broken, whole, strict=True):
            p.copy_(q)
    load_slots(second, held)
    set_gradients(broken, 3)
    second.step(1e-2)
    assert all(torch.equal(held[name], t) for name, t in before.items())
    set_gradients(whole, 3)
    first.step(1e-2)
    assert all(torch.equal(p, q) for p, q in zip(whole, broken, strict=True))


def test_a_state_of_another_optimiser_is_refused() -> None:
    own, other = Adam().build(leaves()), RMSprop().build(leaves())
    set_gradients(own.parameters, 3)
    own.step(1e-2)
    held = {name.removeprefix("o."): t for name, t in slots("o", own).items()}
    with pytest.raises(ValueError, match="not understood"):
        load_slots(other, held)


@pytest.mark.parametrize("longest", [1e-3, 2.0, 1e3, None])
def test_gradients_are_clipped_as_torch_clips_them(longest: float | None) -> None:
    ours, theirs = leaves(), leaves()
    set_gradients(ours, 0)
    set_gradients(theirs, 0)
    norm = clip(ours, longest)
    expected = torch.nn.utils.clip_grad_norm_(theirs, longest or float("inf"))
    torch.testing.assert_close(norm, expected, check_dtype=False)
    for p, q in zip(ours, theirs, strict=True):
        assert (p.grad is None) == (q.grad is None)
        assert p.grad is None or torch.allclose(p.grad, q.grad, rtol=1e-6, atol=0)
