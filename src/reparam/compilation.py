"""A function of a module and of tensors of fixed shapes, as one graph of operations that torch compiles.

The function runs once while its operations are recorded. Modules, distributions, autograd and Python control
flow are not part of the graph. Random numbers are drawn by the same operations in the same order, so the
noise is that of the function itself.
"""

import platform
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from .errors import SpecError

LARGEST = 600
"""Operations of a graph that takes longer to compile than most work that would use it."""
X86 = ("x86_64", "AMD64")
"""Machines whose instructions torch knows from the processor, without trial compilations."""
FASTER_TANH = "cpp.use_decompose_tanh"
"""tanh(a) as 2 / (1 + exp(-2a)) - 1, to 1e-7; not in torch 2.6."""


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

    def outputs(self, own: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """What is recorded; `own` stands for the tensors of the modules, by name."""
        return self.called_with(own, inputs)

    def called_with(self, own: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What f gives where the modules have other tensors."""
        return functional_call(self.called, own, inputs)  # type: ignore[no-any-return]

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> list[Any]:
        if self.run is None:
            devices = ["cuda"] if inputs[0].is_cuda else []
            with torch.random.fork_rng(devices):  # recording draws, too
                self.run = self._compiled(*inputs)
        return list(self.run(*self.tensors.values(), *inputs))

    @torch.enable_grad()
    def _compiled(self, *inputs: Tensor) -> Callable[..., Any]:
        """The compiled graph; on a GPU as CUDA graphs, which read weights at fixed addresses."""
        from torch.fx.experimental.proxy_tensor import make_fx

        def recorded(*tensors: Tensor) -> tuple[Tensor | None, ...]:
            n = len(self.tensors)
            return self.outputs(dict(zip(self.tensors, tensors[:n], strict=True)), tensors[n:])

        cuda = inputs[0].is_cuda
        for tensor in self.tensors.values() if cuda else ():
            torch._dynamo.mark_static_address(tensor)
        try:
            listed = make_fx(recorded, tracing_mode="fake")(*self.tensors.values(), *inputs)
        except (RuntimeError, TypeError) as error:
            raise SpecError(str(error).strip().partition("\n")[0]) from error
        if (found := len(listed.graph.nodes)) > self.largest:
            raise SpecError(f"{found} operations, where {self.largest} take as long as compiling is worth")
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": cuda}
        if FASTER_TANH in torch._inductor.list_options():
            options[FASTER_TANH] = True
        if platform.machine() in X86:
            options["cpp.vec_isa_ok"] = True
        checked = Distribution._validate_args
        try:
            return torch.compile(listed, fullgraph=True, dynamic=False, options=options)
        finally:
            Distribution.set_default_validate_args(checked)  # torch turns off those of every distribution
