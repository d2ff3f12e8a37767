"""A fitted VAE as ONNX graphs, checked against torch with onnxruntime, in a folder that explains itself."""

import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from ..errors import SpecError, extra
from ..model.model import Model
from ..serialization.atomic import replace_file
from ..tensors import random_from
from ..training.precision import multiplied
from .graphs import Graph, graphs_of, traceable
from .onnx_readme import Field, readme

if TYPE_CHECKING:
    from .. import VAE

Array = np.ndarray[Any, Any]
Said = Callable[[str], None]
TOLERANCE = 1e-4
"""The largest difference from torch, relative where a number is above 1."""
WEIGHTED, WEIGHTED_TOLERANCE = ("cells", "p"), 1e-3
"""Means over draws that are weighted by their density, which rounding moves more, and their tolerance."""
ROWS = 16
"""Rows of each check."""
TRACED = 3
"""Rows while tracing: more than one, so that their number stays free."""


@dataclass(frozen=True)
class Exported:
    """What was written: the `files`, and the largest difference from torch by graph (see TOLERANCE)."""

    files: tuple[Path, ...]
    difference: dict[str, float]


def export_onnx(vae: "VAE", folder: str | Path, *, score: bool = False, said: Said | None = None) -> Exported:
    """Write encoder.onnx, decoder.onnx, look.onnx and README.md; `score`: also score.onnx, x to log p(x).

    Each graph has run in onnxruntime on random and extreme rows and differs from torch by TOLERANCE at most;
    else, and where ONNX lacks an operation of the model, SpecError and nothing is written. `said` is called
    with a line for each graph. Shapes and units stand in README.md.
    """
    check_extra()
    folder, codec, seed = Path(folder), vae.codec_, vae.seed_
    blobs, fields, difference = dict[str, bytes](), dict[str, tuple[list[Field], list[Field]]](), {}
    with traceable(vae.model_, missing=vae.model_.config.has_missing) as model, torch.no_grad():
        tests = [random_rows(vae, model), extreme_rows(vae, model)]
        for name, graph in graphs_of(model, seed, score=score).items():
            blob, _, difference[name] = checked_graph(name, graph, tests)
            shapes = {key: tuple(t.shape) for key, t in graph.taken(tests[0]).items()}
            results = {key: tuple(t.shape) for key, t in graph.outputs(graph.taken(tests[0])).items()}
            fields[name] = (
                [Field.of(*each) for each in shapes.items()],
                [Field.of(*e) for e in results.items()],
            )
            blobs[f"{name}.onnx"] = blob
            if said is not None:
                said(f"{name}.onnx: differs from torch by {difference[name]:.1e} at most")
    text = readme(vae, fields, difference, codec.header().get("columns", []))
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in (blobs | {"README.md": text.encode()}).items():
        replace_file(folder / file, data)
    return Exported(tuple(folder / file for file in (*blobs, "README.md")), difference)


def check_extra() -> None:
    """DataError where the extra `onnx` is not installed."""
    with extra("onnx", "an export to ONNX"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401


@multiplied("32-true")
def checked_graph(
    name: str, graph: Graph, tests: Sequence[Mapping[str, Tensor]]
) -> tuple[bytes, list[str], float]:
    """The ONNX file, the names of its outputs, and its largest difference from torch on the tests."""
    blob, outputs = traced(name, graph, tests[0])
    return blob, outputs, max(compared(name, graph, blob, outputs, given) for given in tests)


def random_rows(vae: "VAE", model: Model) -> dict[str, Tensor]:
    """Rows x that the model samples, a fifth of the cells missing where it has missing cells; normal codes z;
    classes or covariates y that differ."""
    labels, n = model.config.labels, ROWS
    y = labels.examples(n)
    with random_from(0):
        code = labels.code(y)[None] if labels.to_decoder else None
        px = model.decode(model.prior_state(n), code)
        x = px.sample().reshape(n, *model.event).float()
        if model.config.has_missing:
            x = x.masked_fill(torch.rand(x.shape) < 0.2, torch.nan)
        z = torch.randn(n, vae.latent_dim_)
    return {"x": x, "z": z, "y": y}


def extreme_rows(vae: "VAE", model: Model) -> dict[str, Tensor]:
    """Rows at the ends of the support and a hundred times as far, codes ten times as far from zero."""
    given = random_rows(vae, model)
    x = given["x"]
    known = x.nan_to_num(nan=0.0)
    ends = [x * 0, x * 0 + known.amax(0), x * 0 + known.amin(0), x * 100, x * -100]
    family = model.likelihood.family
    kept = [each for each in ends if family.support_error(each.numpy().astype(np.float64)) is None]
    rows = torch.cat([each[: ROWS // 4] for each in kept] or [x])
    n = len(rows)
    y = model.config.labels.examples(n)
    return {"x": rows, "z": 10 * given["z"].repeat(n // ROWS + 1, 1)[:n], "y": y}


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings and log lines of torch's exporter."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def traced(name: str, graph: Graph, given: Mapping[str, Tensor]) -> tuple[bytes, list[str]]:
    """The ONNX file and the names of its outputs; SpecError where ONNX lacks an operation."""
    inputs = tuple(given[key][:TRACED] for key in graph.takes)
    outputs = list(graph.outputs(dict(zip(graph.takes, inputs, strict=True))))
    batch = torch.export.Dim("n")
    try:
        with quiet():
            program = torch.onnx.export(
                graph,
                inputs,
                dynamo=True,
                dynamic_shapes=(tuple({0: batch} for _ in inputs),),
                input_names=list(graph.takes),
                output_names=outputs,
                custom_translation_table={
                    torch.ops.aten.hypot.default: hypot,
                    torch.ops.aten.log_sigmoid.default: log_sigmoid,
                    torch.ops.aten.lgamma.default: lgamma,
                    torch.ops.prims.digamma.default: digamma,
                    torch.ops.aten._cdist_forward.default: cdist,
                },
                verbose=False,
            )
    except Exception as error:
        raise SpecError(f"this model has no graph {name!r} in ONNX: {reason(error)}") from error
    assert program is not None
    return without_traces(program.model_proto).SerializeToString(), outputs


def without_traces(model: Any) -> Any:
    """The graph without the lines of Python that each operation came from: they name files of this
    machine."""
    for part in (model.graph, *model.functions):
        for held in (part, *part.node, *part.value_info):
            del held.metadata_props[:]
    return model


def hypot(x: Any, y: Any) -> Any:
    """sqrt(x^2 + y^2), for which ONNX has no operation."""
    from onnxscript import opset18 as op

    return op.Sqrt(op.Add(op.Mul(x, x), op.Mul(y, y)))


def log_sigmoid(x: Any) -> Any:
    """-log(1 + exp(-x)); torch's own translation is the logarithm of a sigmoid, -inf from x = -104 on."""
    from onnxscript import opset18 as op

    return op.Neg(op.Softplus(op.Neg(x)))


def number(value: float) -> Any:
    """A double in a graph."""
    from onnx import TensorProto
    from onnx.helper import make_tensor
    from onnxscript import opset18 as op

    return op.Constant(value=make_tensor("value", TensorProto.DOUBLE, (), [value]))


def as_doubles(x: Any) -> Any:
    from onnx import TensorProto
    from onnxscript import opset18 as op

    return op.Cast(x, to=TensorProto.DOUBLE)


def lgamma(x: Any) -> Any:
    """log Gamma(x) of positive x, for which ONNX has no operation: Stirling's series of x + 8, which is right
    to 1e-12 there, less log x (x + 1) ... (x + 7); as doubles."""
    from onnxscript import opset18 as op

    given, x = x, as_doubles(x)
    shift = number(0.0)
    for i in range(8):
        shift = op.Add(shift, op.Log(op.Add(x, number(float(i)))))
    y = op.Add(x, number(8.0))
    inverse = op.Reciprocal(y)
    square = op.Mul(inverse, inverse)
    series = number(0.0)
    for coefficient in (1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = op.Add(op.Mul(series, square), number(coefficient))
    start = op.Mul(op.Sub(y, number(0.5)), op.Log(y))
    found = op.Add(op.Sub(start, y), op.Add(number(0.5 * math.log(2 * math.pi)), op.Mul(series, inverse)))
    return op.CastLike(op.Sub(found, shift), given)


def digamma(x: Any) -> Any:
    """The derivative of log Gamma at positive x, for which ONNX has no operation: the series of x + 8 less
    1/x + 1/(x + 1) + ... + 1/(x + 7); as doubles, right to 1e-12."""
    from onnxscript import opset18 as op

    given, x = x, as_doubles(x)
    shift = number(0.0)
    for i in range(8):
        shift = op.Add(shift, op.Reciprocal(op.Add(x, number(float(i)))))
    inverse = op.Reciprocal(op.Add(x, number(8.0)))
    square = op.Mul(inverse, inverse)
    series = number(0.0)
    for coefficient in (-1 / 132, 1 / 240, -1 / 252, 1 / 120, -1 / 12):
        series = op.Mul(op.Add(series, number(coefficient)), square)
    start = op.Sub(op.Neg(op.Log(inverse)), op.Mul(number(0.5), inverse))
    return op.CastLike(op.Sub(op.Add(start, series), shift), given)


def cdist(a: Any, b: Any, p: float = 2.0, compute_mode: int | None = None) -> Any:
    """Euclidean distances of the rows of a (..., n, d) and b (..., m, d): (..., n, m)."""
    from onnxscript import opset18 as op

    if p != 2.0:
        raise NotImplementedError(f"distances of order {p}")
    axis, rows, others = (cast(Any, op.Constant(value_ints=[each])) for each in (-1, -2, -3))
    apart = op.Sub(op.Unsqueeze(a, rows), op.Unsqueeze(b, others))
    return op.Sqrt(op.ReduceSumSquare(apart, axis, keepdims=0))


def reason(error: BaseException) -> str:
    """What an exporter's error says, in one line."""
    text = str(error)
    if missing := re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", text):
        return f"it has no operation for torch's {missing[1]}"
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def compared(name: str, graph: Graph, blob: bytes, outputs: list[str], given: Mapping[str, Tensor]) -> float:
    """The largest difference between onnxruntime and torch, relative where torch's number is above 1."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(blob, settings, providers=["CPUExecutionProvider"])
    try:
        found = session.run(outputs, {key: t.numpy() for key, t in graph.taken(given).items()})
    except Exception as error:
        raise SpecError(f"the graph {name!r} of this model does not run: {reason(error)}") from error
    wanted = graph.outputs(graph.taken(given))
    worst = 0.0
    for key, ours in zip(outputs, found, strict=True):
        difference = distance(ours, wanted[key].numpy())
        most = WEIGHTED_TOLERANCE if key in WEIGHTED else TOLERANCE
        if difference > most:
            raise SpecError(
                f"{key!r} of the graph {name!r} differs from torch by {difference:.1e}, more than {most}"
            )
        worst = max(worst, difference)
    return worst


def distance(ours: Array, theirs: Array) -> float:
    """max |a - b| / max(1, |b|); infinite where one alone is not finite.

    >>> distance(np.array([0.5, 200.0, np.nan]), np.array([1.0, 201.0, np.nan]))
    0.5
    """
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    a, b = (np.where(same, 0.0, each.astype(np.float64)) for each in (ours, theirs))
    each = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    return float(np.where(np.isfinite(each), each, np.inf).max(initial=0.0))
