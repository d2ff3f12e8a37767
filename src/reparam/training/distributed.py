"""Training on several processes: each takes its part of every batch, and gradients are summed.

All processes hold the same weights and draw the same random numbers for the whole batch, of which each uses
those of its own rows: so two processes train like one with the same batches.
"""

import atexit
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..data.stream import LocalBatch
from ..errors import LostProcessError, SpecError
from ..memory import is_out_of_memory
from ..tensors import rows_axis


class SingleProcess:
    """One process with whole batches."""

    rank, size = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def total(self, x: Tensor) -> Tensor:
        """The sum over processes."""
        return x

    def noise(self, batch: LocalBatch) -> AbstractContextManager[Any]:
        """Inside, each process draws the noise of the whole batch and uses that of its rows."""
        return nullcontext()

    def backward(self, loss: Tensor, batch: LocalBatch, parameters: Sequence[Tensor]) -> None:
        """Compute the gradient of the whole batch's mean, of which `loss` is a part."""
        for p in parameters:
            p.grad = None
        loss.backward()  # type: ignore[no-untyped-call]

    def agree(self, buffers: Iterable[Tensor]) -> None:
        """Copy the buffers that a batch has changed from the first process."""


class MultiProcess(SingleProcess):
    """Several, launched by Lightning Fabric or, before it, by torchrun."""

    def __init__(self, fabric: Any) -> None:
        super().__init__(fabric.device)
        self.fabric, self.rank, self.size = fabric, fabric.global_rank, fabric.world_size

    def total(self, x: Tensor) -> Tensor:
        try:
            with OTHERS:
                summed: Tensor = self.fabric.all_reduce(x, reduce_op="sum")
        except RuntimeError as error:  # what gloo and NCCL say depends on who notices first
            if is_out_of_memory(error):
                raise
            raise LostProcessError(lost(self.rank, self.size)) from error
        return summed

    def noise(self, batch: LocalBatch) -> AbstractContextManager[Any]:
        return SharedNoise(batch)

    def backward(self, loss: Tensor, batch: LocalBatch, parameters: Sequence[Tensor]) -> None:
        own = loss if batch.n == batch.total else loss * (batch.n / batch.total)
        super().backward(own, batch, parameters)
        self._sum([p.grad for p in parameters if p.grad is not None])

    def agree(self, buffers: Iterable[Tensor]) -> None:
        held = [buffer for buffer in buffers if buffer.is_floating_point()]
        for buffer in held if self.rank else ():
            buffer.zero_()
        self._sum(held)

    def _sum(self, tensors: list[Tensor]) -> None:
        """Each tensor becomes its sum over processes, in one communication."""
        if tensors:
            summed = self.total(torch.cat([t.flatten() for t in tensors]))
            for t, own in zip(tensors, torch.split(summed, [t.numel() for t in tensors]), strict=True):
                t.copy_(own.view_as(t))


def lost(rank: int, size: int) -> str:
    """What a process says that ends because another one has."""
    return (
        f"process {rank + 1} of {size} ends because another one has: see what that one said. The same "
        "command with --resume goes on from the last checkpoint"
    )


class Others:
    """The processes that this one has started. Where one of them fails, this one ends once it waits for it.

    Fabric's own observer kills this process without a word, whatever it is at: writing a checkpoint, or
    evaluating after the training. Gloo raises in this process once it communicates; NCCL may wait for ever.
    """

    EVERY = 0.5
    """Seconds between two looks."""

    def __init__(self, patience: float = 10.0) -> None:
        self.patience = patience
        """Seconds that a communication with a process that has failed may take."""
        self.waits_since: float | None = None
        self.failed = threading.Event()

    def __enter__(self) -> None:
        self.waits_since = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self.waits_since = None

    def watch(self, child_processes: list[subprocess.Popen[Any]]) -> None:
        threading.Thread(target=self._watch, args=(child_processes,), daemon=True).start()

    def _watch(self, processes: list[subprocess.Popen[Any]]) -> None:
        while not any(process.poll() for process in processes):
            if all(process.returncode == 0 for process in processes):
                return
            time.sleep(self.EVERY)
        self.failed.set()
        since = time.monotonic()
        while True:
            time.sleep(self.EVERY)
            waits = self.waits_since
            if waits is not None and time.monotonic() - max(waits, since) > self.patience:
                for process in processes:
                    process.kill()
                print(f"reparam: {lost(0, 1 + len(processes))}", file=sys.stderr, flush=True)
                os._exit(LostProcessError.status)


OTHERS = Others()


def launched(devices: int, device: torch.device) -> SingleProcess:
    """This process among those that share a training on several devices."""
    if devices == 1 and "TORCHELASTIC_RUN_ID" not in os.environ:
        return SingleProcess(device)
    return _launched(devices, device.type)


@cache
def _launched(devices: int, kind: str) -> SingleProcess:
    """Start the other processes once, unless torchrun or `fabric run` did; they run the same program from
    its start."""
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.launchers import subprocess_script
    except ImportError:
        raise SpecError(f"devices={devices} needs pip install 'reparam[devices]'") from None
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", devices)) if torchrun else devices
    nodes = int(os.environ["WORLD_SIZE"]) // here if torchrun else 1
    if "LT_CLI_USED" in os.environ:
        fabric = Fabric()
    else:
        subprocess_script._launch_process_observer = OTHERS.watch
        fabric = Fabric(accelerator=kind, devices=here, num_nodes=nodes, strategy="ddp")
        with OTHERS:
            fabric.launch()
    if fabric.global_rank:
        warnings.simplefilter("ignore")
    atexit.register(leave)
    return MultiProcess(fabric)


def leave() -> None:
    """Close the group of processes: its threads, still running when the interpreter ends, would abort it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


IN_PLACE = (Tensor.normal_, Tensor.uniform_, Tensor.exponential_)
LIKE = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}
SIZED = (torch.rand, torch.randn)


class SharedNoise(TorchFunctionMode):
    """Every draw with b batch rows on the axis `tensors.rows_axis` is the part of a draw for the whole batch.

    Draws by rejection (of Beta and Gamma variables) and those without a batch axis are unchanged.
    """

    def __init__(self, batch: LocalBatch) -> None:
        super().__init__()
        self.rows, self.total = len(batch.rows), batch.total
        self.start = min(batch.start, self.total - self.rows)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in LIKE:
            like = {"dtype": args[0].dtype, "device": args[0].device} | kwargs
            return self.drawn(args[0].shape, lambda shape: LIKE[func](shape, **like))
        if func in SIZED:
            shape = args[0] if args and not isinstance(args[0], int) else args
            return self.drawn(shape, lambda shape: func(shape, **kwargs))
        if func in IN_PLACE:
            own, *words = args
            return own.copy_(
                self.drawn(own.shape, lambda shape: func(own.new_empty(shape), *words, **kwargs))
            )
        return func(*args, **kwargs)

    def drawn(self, shape: Any, draw: Callable[[torch.Size], Tensor]) -> Tensor:
        shape = torch.Size(shape)
        axis = rows_axis()
        if len(shape) <= axis or shape[axis] != self.rows:
            return draw(shape)
        every = torch.Size((*shape[:axis], self.total, *shape[axis + 1 :]))
        return draw(every).narrow(axis, self.start, self.rows)
