"""A module of your own as encoder or decoder."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import SpecError
from ..tensors import Shape, numel
from .layers import joined
from .networks import Network

Factory = Callable[..., nn.Module]


@dataclass(frozen=True, repr=False, init=False, eq=False)
class Wrap(Network):
    """An nn.Module as encoder or decoder, or a factory that makes one.

    As encoder the module maps x (B, *E) to any features (B, ...); with labels it is called with (x, y),
    y (B, extra) numbers, or, where its forward takes one argument and x is a vector, with both in one vector.
    As decoder it maps codes (B, n_in), label numbers last, to n raw parameters (B, n), in any shape. A module
    is copied when the model is built, with its weights; a factory is called with (event, extra), or
    (n_in, n), and its weights follow random_state. A model file holds the weights, and the name alone of the
    module: `VAE.load(path, modules={"encoder": module})`.

    >>> Wrap(nn.Linear(5, 3)).encoder((5,), 0).n_out
    3
    """

    name: str

    def __init__(self, module: nn.Module | Factory | str | None = None, *, name: str | None = None) -> None:
        if isinstance(module, str):
            module, name = None, module
        if module is not None and (isinstance(module, type) or not callable(module)):
            cls = module.__name__ if isinstance(module, type) else type(module).__name__
            raise SpecError(f"Wrap takes a module or a factory, not {cls}; write Wrap({cls}(...))")
        own = getattr(module, "__name__", type(module).__name__)
        object.__setattr__(self, "module", module)
        object.__setattr__(self, "name", name or own)
        self.__post_init__()

    @property
    def _held(self) -> nn.Module | Factory | None:
        held: nn.Module | Factory | None = vars(self)["module"]
        return held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wrap) and (self._held, self.name) == (other._held, other.name)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def mirrored(self) -> bool:
        return False

    def bound(self, role: str, module: Any) -> Self:
        if module is None:
            raise SpecError(
                f"its {role} is the module {self.name}: load it in Python with "
                f"modules={{{role!r}: {self.name}(...)}}"
            )
        return type(self)(module, name=self.name)

    def made(self, *sizes: Any) -> nn.Module:
        """The module, with weights of its own."""
        held = self._held
        if held is None:
            raise SpecError(f"{self} has no module: write Wrap(module) in Python")
        found = copy.deepcopy(held) if isinstance(held, nn.Module) else held(*sizes)
        if not isinstance(found, nn.Module):
            raise SpecError(f"the factory of {self} gives {type(found).__name__}, not an nn.Module")
        return found

    def encoder(self, event: Shape, extra: int, layers: tuple[Shape, ...] = ((1,),)) -> nn.Module:
        if any(len(shape) == 3 for shape in layers):
            raise SpecError(f"{self} has no maps for the latents {layers}. Use Conv(), or flat sizes")
        return WrappedEncoder(self.name, self.made(event, extra), event, extra)

    def decoder(self, seen: tuple[Shape, ...], event: Shape, n: int) -> nn.Module:
        n_in = sum(map(numel, seen))
        return WrappedDecoder(self.name, self.made(n_in, n), n_in, n)


def tried(role: str, name: str, module: nn.Module, *inputs: Tensor) -> Tensor:
    """The output of a module for zeros; SpecError, in words, where it fails."""
    was, shapes = module.training, ", ".join(str(("B", *t.shape[1:])).replace("'", "") for t in inputs)
    try:
        with torch.no_grad():
            out = module.eval()(*inputs)
    except Exception as error:
        fault = (str(error).splitlines() or [type(error).__name__])[0]
        raise SpecError(f"{role}=Wrap({name}) is called with {shapes}, and fails: {fault}") from error
    finally:
        module.train(was)
    if not isinstance(out, Tensor) or len(out) != len(inputs[0]):
        kind = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise SpecError(f"{role}=Wrap({name}) gives {kind} for {shapes}; it must give a row for each row")
    return out.flatten(1)


class WrappedEncoder(nn.Module):
    """x, and label numbers, to flat features."""

    def __init__(self, name: str, module: nn.Module, event: Shape, extra: int) -> None:
        super().__init__()
        self.module = module
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
        taken = [each for each in signature(module.forward).parameters.values() if each.kind in kinds]
        self.takes_both = len(taken) > 1 or any(each.kind is kinds[2] for each in taken)
        if extra and not self.takes_both and len(event) > 1:
            raise SpecError(
                f"encoder=Wrap({name}) with labels: its forward takes x alone; write forward(self, x, y), "
                f"y (B, {extra}) numbers"
            )
        inputs = self.read(torch.zeros(2, *event), torch.zeros(2, extra) if extra else None)
        self.n_out = tried("encoder", name, module, *inputs).shape[1]

    def read(self, x: Tensor, extra: Tensor | None) -> tuple[Tensor, ...]:
        if extra is None:
            return (x,)
        return (x, extra) if self.takes_both else (joined([x, extra]),)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        features: Tensor = self.module(*self.read(x, extra))
        return features.flatten(1)


class WrappedDecoder(nn.Module):
    """Codes (*leading, n_in) to raw parameters (*leading, n)."""

    def __init__(self, name: str, module: nn.Module, n_in: int, n: int) -> None:
        super().__init__()
        self.module, self.n = module, n
        found = tried("decoder", name, module, torch.zeros(2, n_in)).shape[1]
        if found != n:
            raise SpecError(
                f"decoder=Wrap({name}) gives {found} numbers for a code of {n_in}; this likelihood needs {n}"
            )

    def forward(self, z: Tensor) -> Tensor:
        raw: Tensor = self.module(z.reshape(-1, z.shape[-1]))
        return raw.reshape(*z.shape[:-1], self.n)
