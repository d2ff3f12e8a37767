"""A function of a module and of tensors of fixed shapes, as one graph of operations that torch compiles.

The function runs once while its operations are recorded. Modules, distributions, autograd and Python control
flow are not part of the graph. Random numbers are drawn by the same operations in the same order, so the
noise is that of the function itself.
"""

import logging
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call
from torch.fx import GraphModule

from ..errors import SpecError
from .library import check_compiler, library

LARGEST = 600
"""Operations of a graph that takes longer to compile than most work that would use it."""
X86 = ("x86_64", "AMD64")
"""Machines whose instructions torch knows from the processor, without trial compilations."""
AHEAD_OF_TIME = sys.platform == "linux" and torch.__version__ >= "2.13"
"""Where torch's ahead-of-time compiler has been tried."""
FASTER_TANH = "cpp.use_decompose_tanh"
"""tanh(a) as 2 / (1 + exp(-2a)) - 1, to 1e-7; not in torch 2.6."""


KNOWN = ("reparam", "torch", "zuko")
"""Packages whose modules and specs do nothing in a pass that a recording of it leaves out."""


def is_known(*parts: object) -> bool:
    """Whether parts, those in their fields and modules within them are of known packages. In others Python
    may count calls or draw numbers, which a recorded pass would not repeat."""
    return all(type(part).__module__.partition(".")[0] in KNOWN for part in within(parts))


def within(part: object) -> Iterator[object]:
    """The part itself, and the modules and specs in it."""
    if isinstance(part, nn.Module):
        yield from part.modules()
    elif isinstance(part, tuple):
        yield from chain.from_iterable(map(within, part))
    elif is_dataclass(part):
        yield part
        yield from chain.from_iterable(within(getattr(part, field.name)) for field in fields(part))


class Called(nn.Module):
    """f as the forward pass of the modules whose tensors it reads."""

    def __init__(self, f: Callable[..., tuple[Tensor, ...]], modules: Iterable[nn.Module]) -> None:
        super().__init__()
        self.f, self.read = f, nn.ModuleList(modules)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.f(*inputs)


class Recorded:
    """Tensors -> what f gives for them, compiled for the shapes of the first call. The tensors of the modules
    are read anew in each call.

    `largest`: SpecError where the graph has more operations; also where it cannot be recorded.
    """

    def __init__(
        self, f: Callable[..., tuple[Tensor, ...]], modules: Iterable[nn.Module], largest: float = LARGEST
    ) -> None:
        self.called, self.largest = Called(f, modules), largest
        self.tensors: dict[str, Tensor] = dict(self.called.named_parameters())
        self.tensors |= dict(self.called.named_buffers())
        self.run: Callable[..., Any] | None = None
        self.there: list[bool] = []  # which outputs are not None

    def outputs(self, own: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """What is recorded; `own` stands for the tensors of the modules, by name."""
        return self.called_with(own, inputs)

    def called_with(self, own: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What f gives where the modules have other tensors."""
        return functional_call(self.called, own, inputs)  # type: ignore[no-any-return]

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> list[Any]:
        inputs = tuple(x.contiguous() for x in inputs)  # strides are part of what is compiled
        if self.run is None:
            devices = ["cuda"] if inputs[0].is_cuda else []
            with torch.random.fork_rng(devices):  # recording draws, too
                self.run = self._compiled(*inputs)
        found = iter(self.run(*self.tensors.values(), *inputs))
        return [next(found) if there else None for there in self.there]

    @torch.enable_grad()
    def _compiled(self, *inputs: Tensor) -> Callable[..., Any]:
        """The compiled graph: on a processor a library that later processes find, on a GPU CUDA graphs, which
        read weights at fixed addresses."""
        cuda = inputs[0].is_cuda
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": cuda}
        if platform.machine() in X86:
            options["cpp.vec_isa_ok"] = True
        checked = Distribution._validate_args
        try:
            if FASTER_TANH in torch._inductor.list_options():
                options[FASTER_TANH] = True
            on_processor = inputs[0].device.type == "cpu"
            if AHEAD_OF_TIME and on_processor:
                try:
                    return library(self._listed(inputs), [*self.tensors.values(), *inputs], options)
                except SpecError:
                    raise
                except Exception as error:
                    logging.getLogger("reparam").info("compiled for this process alone: %s", error)
            if on_processor:
                check_compiler()
            return torch.compile(self._listed(inputs, cuda), fullgraph=True, dynamic=False, options=options)
        finally:
            Distribution.set_default_validate_args(checked)  # torch turns off those of every distribution

    def _listed(self, inputs: tuple[Tensor, ...], static: bool = False) -> GraphModule:
        """The operations; `static`: the modules' tensors stay where they are."""
        from torch.fx.experimental.proxy_tensor import make_fx

        def recorded(*tensors: Tensor) -> list[Tensor]:
            n = len(self.tensors)
            found = self.outputs(dict(zip(self.tensors, tensors[:n], strict=True)), tensors[n:])
            self.there = [x is not None for x in found]
            return [x for x in found if x is not None]

        for tensor in self.tensors.values() if static else ():
            torch._dynamo.mark_static_address(tensor)
        try:
            listed = make_fx(recorded, tracing_mode="fake")(*self.tensors.values(), *inputs)
        except (RuntimeError, TypeError) as error:
            raise SpecError(str(error).strip().partition("\n")[0]) from error
        if (found := len(listed.graph.nodes)) > self.largest:
            raise SpecError(f"{found} operations, where {self.largest} take as long as compiling is worth")
        return listed
