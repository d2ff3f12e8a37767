"""Recorded operations as a shared library, which torch's ahead-of-time compiler makes and the disk keeps.

A later process that records the same operations loads the library and does without torch's compiler.
"""

import hashlib
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

from ..errors import SpecError

FAST_TO_BUILD = {
    "aot_inductor.compile_wrapper_opt_level": "O0",  # of what calls the loops; no step is faster by more
    "aot_inductor.precompile_headers": False,  # two, which pay from the third library on
}


def library(
    listed: GraphModule, given: Sequence[Tensor], options: Mapping[str, Any]
) -> Callable[..., list[Tensor]]:
    """What the operations give, for tensors with the shapes and strides of `given`. It changes `listed`."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    options, constants = FAST_TO_BUILD | dict(options), constants_as_inputs(listed)
    given = [*given, *constants]
    path = Path(cache_dir()) / "reparam" / f"{fingerprint(listed, given, options)}.so"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        made = built(listed, given, options)
        with suppress(FileNotFoundError):  # another process was faster
            if (calls := made.with_suffix(".json")).exists():  # of operations that have no function in C
                calls.replace(path.with_suffix(".json"))
            made.replace(path)
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1)
    return lambda *tensors: runner.run([*tensors, *constants])


def constants_as_inputs(listed: GraphModule) -> list[Tensor]:
    """The tensors that the graph holds, which it takes after its other inputs from now on."""
    graph, found = listed.graph, []
    last = graph.find_nodes(op="placeholder")[-1]
    mode = last.meta["val"].fake_mode
    for node in graph.find_nodes(op="get_attr"):
        found.append(getattr(listed, node.target))
        with graph.inserting_after(last):
            last = graph.placeholder(f"constant_{len(found)}")
        last.meta["val"] = mode.from_tensor(found[-1])
        node.replace_all_uses_with(last)
        graph.erase_node(node)
    listed.recompile()
    return found


@torch.no_grad()
def built(listed: GraphModule, given: Sequence[Tensor], options: dict[str, Any]) -> Path:
    """The library, made anew. What torch says to its own developers meanwhile is not shown."""
    from torch._inductor import aot_compile
    from torch._inductor.lowering import add_layout_constraint, require_contiguous

    check_compiler()
    add_layout_constraint(torch.ops.aten.searchsorted.Tensor, require_contiguous)  # else it warns and copies
    told = "compiling, which may take a minute; later processes find the library on disk"
    logging.getLogger("reparam.compilation").info(told)
    log = logging.getLogger("torch._inductor.ir")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            return Path(str(aot_compile(listed, tuple(given), options=options)))
    finally:
        log.setLevel(level)


def check_compiler() -> None:
    """SpecError where torch finds no C++ compiler, which it looks for at the end of most of the work."""
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception as error:
        raise SpecError("torch finds no C++ compiler, such as g++") from error


def fingerprint(listed: GraphModule, given: Sequence[Tensor], options: Mapping[str, Any]) -> str:
    """Of all that decides what the library computes, and on which processors it runs."""
    settings = torch._inductor.config.save_config_portable()
    settings.pop("aot_inductor.metadata", None)  # which torch writes as it compiles
    told = (
        listed.code,
        [(t.shape, t.stride(), t.dtype) for t in given],
        sorted(options.items()),
        (torch.__version__, torch.version.git_version, sorted(settings.items())),
        (torch.get_num_threads(), torch.get_float32_matmul_precision()),
        torch.are_deterministic_algorithms_enabled(),
        instructions(),
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()


def instructions() -> list[str]:
    """The processor's model and what it can do: the library is compiled for nothing less."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    told = ("model name", "flags", "Features", "CPU part")
    return sorted({line for line in lines if line.startswith(told)})
