"""The verbs of the public interface, for several requests in one pass of the model."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..estimator.fitted import Fitted
from ..evaluation.posterior import posterior
from . import options as opt
from .model_answers import MOST_DRAWS, ModelAnswers, seed_of
from .requests import MAIN, Call, call_of_floats, call_of_json, records_or_lists
from .wire import Array

Found = dict[str, Any]
"""Rows and arrays by name."""
MERGED = ("encode", "decode", "score", "reconstruct")
"""Verbs whose answer for a row does not depend on the rows beside it."""


class Interface:
    """`encode, decode, sample, score, reconstruct, impute` of one model, in the units of Python's methods."""

    def __init__(self, asked: ModelAnswers) -> None:
        self.asked, self.vae, self.form = asked, asked.vae, asked.rows

    def read(self, verb: str, body: bytes, shape: str | None, query: dict[str, str]) -> Call:
        """A request: raw where it has a shape, else JSON."""
        if shape is None:
            return call_of_json(verb, body, self.vae, self.form)
        return call_of_floats(verb, body, shape, query, self.vae, self.form)

    def key(self, verb: str, call: Call) -> Hashable:
        """Requests of one key are answered together; None: alone."""
        if verb not in MERGED or self.vae.window_ is not None:
            return None
        shape = getattr(call.rows, "shape", ())[1:]
        return verb, call.y is None, opt.flag(call.options, "cells", False), shape

    def runner(self, verb: str) -> Callable[[list[Call]], list[Found]]:
        """Answers of several requests, in one pass."""
        methods: dict[str, Callable[[Call], Found]] = {
            "encode": self.encode,
            "decode": self.decode,
            "sample": self.sample,
            "score": self.score,
            "reconstruct": self.reconstruct,
            "impute": self.impute,
        }

        def run(calls: list[Call]) -> list[Found]:
            if len(calls) == 1:
                return [methods[verb](calls[0])]
            return parted(methods[verb](joined(calls)), [call.n for call in calls])

        return run

    def encode(self, call: Call) -> Found:
        y = self.condition(call)
        found = posterior(self.vae.model_, Fitted.of(self.vae).rows(call.rows, y))
        held: Found = {name: np.asarray(found[name]) for name in ("mean", "sd")}
        if hasattr(self.vae, "predict_proba"):
            held["probabilities"] = self.vae.predict_proba(call.rows)
        return held

    def decode(self, call: Call) -> Found:
        return {"x": self.vae.inverse_transform(call.rows, call.y)}

    def sample(self, call: Call) -> Found:
        mean, seed = opt.flag(call.options, "mean", False), seed_of(call.options)
        return {"x": self.vae.sample(call.n, label=call.y, mean=mean, random_state=seed)}

    def score(self, call: Call) -> Found:
        y = self.condition(call)
        found: Found = {"log_px": self.vae.score_samples(call.rows, y)}
        if opt.flag(call.options, "cells", False):
            found["cells"] = self.vae.score_cells(call.rows, y)
        return found

    def reconstruct(self, call: Call) -> Found:
        return {"x": self.vae.reconstruct(call.rows, self.condition(call))}

    def impute(self, call: Call) -> Found:
        draws = opt.whole(call.options, "draws", 0, 0, MOST_DRAWS)
        seed, y = seed_of(call.options), self.condition(call)
        found = self.vae.impute(call.rows, y, draws=draws or None, random_state=seed)
        return {"x": found}

    def condition(self, call: Call) -> Array | None:
        """The labels that the encoder takes."""
        return call.y if self.vae.labels_.observed else None

    def to_json(self, found: Found) -> Found:
        """An answer as JSON: lists and records."""
        return {
            name: [records_or_lists(each) for each in value]
            if isinstance(value, list)
            else records_or_lists(value)
            for name, value in found.items()
        }

    def to_floats(self, verb: str, found: Found) -> tuple[bytes, str]:
        """The main array of an answer as float32, and its shape."""
        value = found[MAIN.get(verb, "x")]
        each = [self.floats(one) for one in value] if isinstance(value, list) else None
        x = np.ascontiguousarray(self.floats(value) if each is None else np.stack(each), dtype="<f4")
        return x.tobytes(), ",".join(map(str, x.shape))

    def floats(self, rows: Any) -> Array:
        return self.form.numbers(rows) if hasattr(rows, "columns") else np.asarray(rows)


def joined(calls: Sequence[Call]) -> Call:
    """Several requests as one."""
    first = calls[0]
    if hasattr(first.rows, "columns"):
        import pandas as pd

        rows: Any = pd.concat([call.rows for call in calls], ignore_index=True)
    else:
        rows = np.concatenate([call.rows for call in calls])
    y = None if first.y is None else np.concatenate([call.y for call in calls if call.y is not None])
    return Call(rows, sum(call.n for call in calls), y, first.options)


def parted(found: Found, sizes: Sequence[int]) -> list[Found]:
    """The rows of an answer, request by request."""
    ends = np.cumsum(sizes).tolist()
    spans = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]

    def part(value: Any, span: slice) -> Any:
        return value.iloc[span] if hasattr(value, "iloc") else value[span]

    return [{name: part(value, span) for name, value in found.items()} for span in spans]
