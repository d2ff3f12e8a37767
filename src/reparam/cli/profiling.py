"""Where the time of a training step goes, against its floor: the matrix products and convolutions in it."""

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
"""What an operation's name says it is for, the first that fits; the others are the densities' arithmetic."""
REST, PYTHON = "densities and the rest", "Python between operations"


def profile_step(vae: VAE, X: Any, y: Any = None) -> dict[str, float]:
    """Milliseconds a step of each kind of work, in a short fit of the same model that is thrown away.

    The device is busy as long as its operations say; what is left of the steps' time is Python's. What
    an epoch costs beside its steps is shared out among at most STEPS of them.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    own = clone(vae)
    training = replace(own.training or Training(), epochs=3)
    rows = min(X.shape[0], STEPS * training.batch_size)
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
