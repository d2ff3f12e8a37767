"""Where the time of a training step goes; its minimum is the time of matrix products and convolutions."""

import os
import re
import time
from dataclasses import replace
from typing import Any

from sklearn.base import clone
from torch.profiler import ProfilerActivity, profile

from .. import VAE, Training

STEPS = 50
GROUPS = {
    "matrix products and convolutions": r"mm|bmm|linear|conv",
    "compiled operations and what calls them": "CompiledFxGraph",
    "optimiser": r"adam|foreach|rmsprop|addcdiv|lerp",
    "sums (gradients of biases, losses)": r"^sum|logsumexp|^mean",
    "activations": r"sigmoid|tanh|relu|elu|gelu|softplus|softmax",
    "noise and order": r"normal_|randperm|rand|uniform|exponential|bernoulli",
    "batches and copies": r"index|gather|copy|cat|clone|split",
}
"""Kind of work by operation name, the first that matches; the rest is the arithmetic of the densities."""
REST, PYTHON = "densities and the rest", "Python between operations"


def profile_step(vae: VAE, X: Any, y: Any = None) -> dict[str, float]:
    """Milliseconds per step of each kind of work, measured in a short fit that is then discarded.

    The device's time is that of its operations; the rest of a step is Python. The cost of an epoch outside
    its steps is spread over at most STEPS of them.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    own = clone(vae)
    training = replace(own.training or Training(), epochs=3)
    rows = min(X.shape[0], STEPS * training.batch)
    head, labels = (X.iloc if hasattr(X, "iloc") else X)[:rows], None if y is None else y[:rows]
    epochs = own.set_params(training=training).fit_iter(head, labels)
    steps = next(epochs).step
    start = time.perf_counter()
    next(epochs)
    seconds = time.perf_counter() - start
    cuda = [ProfilerActivity.CUDA] if next(own.model_.parameters()).is_cuda else []
    with profile(activities=[ProfilerActivity.CPU, *cuda]) as profiled:
        next(epochs)
    times = dict.fromkeys([*GROUPS, REST], 0.0)
    for event in profiled.key_averages():
        name = event.key.removeprefix("aten::").removeprefix("## Call ").split()[0]
        used = event.self_device_time_total if cuda else event.self_cpu_time_total
        if event.key.startswith(("aten::", "## Call")) or cuda:
            group = next((g for g, words in GROUPS.items() if re.search(words, name)), REST)
            times[group] += used / 1000 / steps
    times = {group: used for group, used in times.items() if used}
    return times | {PYTHON: max(0.0, 1000 * seconds / steps - sum(times.values()))}
