"""Blocks of data on the machines of a Ray cluster, with the numbers of one process."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import DataError, extra

if TYPE_CHECKING:
    from .. import Dataset

AHEAD = 2
"""Blocks that are asked for before the first of them is taken, for each processor."""
RETRIES = 3
"""How often a block is computed again whose process has died."""


def on_ray(f: "Callable[[Dataset], Any]", dataset: "Dataset") -> Iterator[Any]:
    """f of each block, in order, computed by the cluster that `RAY_ADDRESS` names, else by this machine's.

    A process reads its block itself, so files must be where all machines find them, and has one thread. A
    result is given once, whichever process made it.
    """
    with extra("ray", "--engine ray"):
        import ray
    mine = not ray.is_initialized()
    if mine:
        try:
            ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
        except ConnectionError as error:
            raise DataError(f"--engine ray: {error}; check RAY_ADDRESS and the cluster's token") from error
    try:
        work, held = ray.remote(max_retries=RETRIES)(of_block), ray.put((f, dataset))
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        most, waiting = AHEAD * max(1, int(resources.get("CPU", 1))), deque[Any]()
        for i in range(dataset.n_blocks):
            waiting.append(work.remote(held, i))
            if len(waiting) >= most:
                yield taken(ray, waiting.popleft())
        while waiting:
            yield taken(ray, waiting.popleft())
    finally:
        if mine:
            ray.shutdown()


def of_block(held: "tuple[Callable[[Dataset], Any], Dataset]", i: int) -> Any:
    """f of block i, in a process of the cluster."""
    import torch

    torch.set_num_threads(1)
    f, dataset = held
    return f(dataset.block(i))


def taken(ray: Any, result: Any) -> Any:
    """The result when it is there; the error of the block as it was raised."""
    try:
        return ray.get(result)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        fault = f"Ray could not compute a block ({type(error).__name__}), {RETRIES} times more either"
        raise DataError(f"{fault}; look at the machines of the cluster") from error
