"""Answers: the verbs of the page over one fitted model, or two to compare, and their data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DataError, ReparamError
from . import options as opt
from .model_answers import ModelAnswers
from .run_history import RunHistory
from .wire import Array, Arrays, Info, pack, unpack

if TYPE_CHECKING:
    from .. import VAE, Dataset

QUICK = ("model", "decode", "encode", "prior", "interpolate", "data", "column", "training")
"""Verbs that draw no random numbers, and so may run beside another."""


class Answers:
    """`models` by name, one or two; `data`: one data set for all, one for each, or none. `run`: the history
    of the run folder that the first model comes from.

    >>> import numpy as np, reparam
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> vae = reparam.VAE(2, training=reparam.Training(epochs=1), random_state=0).fit(X)
    >>> arrays, _ = Answers({"mine": vae}).ask("decode", {"z": np.zeros((4, 2), np.float32)})
    >>> arrays["x"].shape
    (4, 3)
    """

    def __init__(
        self,
        models: "Mapping[str, VAE]",
        data: "Dataset | Sequence[Dataset] | None" = None,
        run: RunHistory | None = None,
    ) -> None:
        each = list(data) if isinstance(data, Sequence) else [data] * len(models)
        self.models = [
            ModelAnswers(name, vae, dataset)
            for (name, vae), dataset in zip(models.items(), each, strict=True)
        ]
        self.run = run

    def ask(
        self, verb: str, arrays: Mapping[str, Array] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Arrays, Info]:
        """The answer to one question; ReparamError says what is wrong with it."""
        options = options or {}
        chosen = self.models[opt.whole(options, "model", 0, 0, len(self.models) - 1)]
        known = chosen.verbs
        if verb not in known:
            raise DataError(f"this model does not answer {opt.shown(verb)}: it answers {', '.join(known)}")
        try:
            found, info = known[verb](dict(arrays or {}), options)
        except ReparamError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise DataError(f"{verb}: {str(error).partition(chr(10))[0]}") from error
        if verb == "model":
            info |= {"models": [each.name for each in self.models], "running": self.running}
        if verb == "training" and self.run is not None and self.running:
            info |= {"history": self.run.rows()}
        return found, info

    @property
    def running(self) -> bool:
        """Whether the run of the first model is being written."""
        return self.run is not None and self.run.running

    def ask_bytes(self, data: bytes, verb: str) -> bytes:
        """`ask` with safetensors bytes in and out (see `wire`)."""
        return pack(*self.ask(verb, *unpack(data)))
