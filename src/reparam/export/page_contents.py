"""What a page without a server holds of a model: its graphs, and its data with codes and scores."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import SpecError
from ..families import StandardNormal
from ..tensors import numel
from ..web.data_view import BLOCK
from ..web.model_answers import ModelAnswers
from ..web.row_format import DAY, RowFormat, start_of
from ..web.wire import Arrays, Info
from .graphs import Graph, Score, completion, graphs_of_page, noise_of, traceable
from .onnx import Said, checked_graph, extreme_rows, random_rows

if TYPE_CHECKING:
    from .. import VAE

POOL = 600
"""Draws that the page holds where it cannot draw by itself: of a table, and of a prior that is not normal."""
REASONED = 24
"""Rows whose reasons are held: as many as the page asks for."""
SHARED = 1024
"""Weights of this many bytes or more are held once for all graphs."""


class Weights:
    """The weights of several graphs, each once."""

    def __init__(self) -> None:
        self.blob, self.places = bytearray(), dict[bytes, int]()

    def moved_out(self, graph: bytes) -> bytes:
        """The graph with its large weights in `blob`, as data outside of its file, called `weights`."""
        import onnx
        from onnx.external_data_helper import set_external_data

        model = onnx.load_from_string(graph)
        for tensor in model.graph.initializer:
            data = tensor.raw_data
            if len(data) >= SHARED:
                key = hashlib.sha256(data).digest()
                if key not in self.places:
                    self.places[key] = len(self.blob)
                    self.blob += data
                set_external_data(tensor, "weights", self.places[key], len(data))
                tensor.ClearField("raw_data")
        return model.SerializeToString()  # type: ignore[no-any-return]


def graphs_in(asked: ModelAnswers, said: Said | None) -> tuple[Arrays, Info]:
    """The graphs of a page that ONNX can hold, and the inputs and outputs of each. Decoder and encoder must
    be among them (SpecError); `said` is told what is left out."""
    vae, weights, arrays, info = asked.vae, Weights(), Arrays(), Info()
    values = asked.cell_values if asked.rows.kind == "table" else None
    with traceable(vae.model_, missing=True) as model, torch.no_grad():
        whole = [random_rows(vae, model), extreme_rows(vae, model)]
        graphs = graphs_of_page(model, vae.seed_, series=vae.window_ is not None)
        graphs |= completion(model, vae.seed_, values)
        if is_standard(vae):
            graphs.pop("prior", None)
        for name, graph in graphs.items():
            holed = [with_holes(each) for each in whole]
            tests = holed if name in ("impute", "conditional") else [*whole, *holed]
            try:
                blob, outputs, difference = checked_or_simpler(name, graph, tests)
            except SpecError as error:
                if name in ("encoder", "decoder"):
                    raise
                if said is not None:
                    said(f"the page goes without: {error}")
                continue
            arrays[f"graph.{name}"] = np.frombuffer(weights.moved_out(blob), np.uint8)
            info[name] = {"takes": list(graph.takes), "gives": outputs}
            if name == "impute":
                info[name]["noise"] = noise_of(model)
            if name == "conditional":
                arrays["values"] = asked.shown_values
            if said is not None:
                said(f"{name}: differs from torch by {difference:.1e} at most")
    return arrays | {"weights": np.frombuffer(bytes(weights.blob), np.uint8)}, info


def with_holes(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same rows with every third number missing."""
    x = given["x"]
    holes = (torch.arange(x.numel()) % 3 == 0).reshape(x.shape)
    return {**given, "x": x.masked_fill(holes, torch.nan)}


def checked_or_simpler(
    name: str, graph: Graph, tests: Sequence[Mapping[str, Tensor]]
) -> tuple[bytes, list[str], float]:
    """As `checked_graph`; a score is taken without its cells where those are what ONNX gets wrong."""
    try:
        return checked_graph(name, graph, tests)
    except SpecError:
        if not (isinstance(graph, Score) and graph.cells):
            raise
        graph.cells = False
        return checked_graph(name, graph, tests)


def is_standard(vae: "VAE") -> bool:
    """Whether codes are standard normal, which the page draws by itself."""
    return vae.prior_ == StandardNormal() and len(vae.config_.model.latent_shapes) == 1


def layout(rows: RowFormat, vae: "VAE") -> tuple[Arrays, Info]:
    """How the numbers of the page become those of the model."""
    event = list(vae.codec_.shape)
    info: Info = {
        "missing": vae.preprocessor_.allow_missing,
        "top": getattr(rows, "top", 1.0),
        "event": event,
    }
    if rows.kind == "table":
        columns = [column_layout(column) for column in rows.modelled]  # type: ignore[attr-defined]
        return {}, info | {"columns": columns}
    if rows.kind == "series":
        return {}, info
    size = numel(vae.event_)
    x = np.arange(size).reshape(1, *rows.shape) / info["top"]
    order = np.asarray(vae.codec_.encode(rows.rows(x))[:]).reshape(-1).astype(np.int32)
    return {"order": order}, info


def column_layout(column: Any) -> Info:
    """Page = origin + scale * model, as `Column.written` writes it."""
    found = {
        "measurement": column.measurement,
        "integer": column.integer,
        "categories": bool(column.categories),
        "decimals": column.decimals,
        "values": column.values,
        "hhmm": column.hhmm,
    }
    if column.categories:
        return found | {"origin": 0, "scale": 1, "low": 0, "high": len(column.categories) - 1, "values": []}
    date = column.kind == "date"
    origin, scale = (start_of(column), DAY) if date else (column.origin, 1)
    first = origin if date else 0.0
    low, high = (first + scale * each for each in (column.low, column.high))
    return found | {"origin": origin, "scale": scale, "low": low, "high": high}


def pool_of(asked: ModelAnswers) -> Arrays:
    """Draws for the verb `sample`, where the page cannot draw them."""
    if is_standard(asked.vae) and asked.rows.kind != "table":
        return {}
    drawn, _ = asked.sample({}, {"n": POOL, "seed": 0})
    return {
        f"pool.{name}": array for name, array in drawn.items() if name != "x" or asked.rows.kind == "table"
    }


def rows_in(asked: ModelAnswers) -> tuple[Arrays, Info]:
    """The rows of the data, with codes, scores and keys."""
    view = asked.required_view()
    blocks = [asked.data({}, {"start": i, "stop": i + BLOCK}) for i in range(0, view.n, BLOCK)]
    names = blocks[0][0].keys() - {"y"}
    arrays: Arrays = {name: np.concatenate([block[name] for block, _ in blocks]) for name in names}
    arrays["y"] = view.y
    info: Info = {"keys": None}
    if view.has_keys:
        info["keys"] = [key for _, each in blocks for key in each["keys"]]
    if asked.vae.latent_dim_:
        codes = [
            asked.codes({}, {"start": i, "stop": i + BLOCK, "score": False}) for i in range(0, view.n, BLOCK)
        ]
        arrays |= {name: np.concatenate([c[name] for c, _ in codes]) for name in ("mean", "sd")}
        info["kl"] = codes[-1][1]["kl"]
    arrays["score"] = view.score_all().astype(np.float32)
    info["reasons"] = asked.anomalies({}, {"n": REASONED})[1]["reasons"]
    return arrays, info


def verbs_of(asked: ModelAnswers, graphs: Info) -> list[str]:
    """What the page answers, of the verbs of `asked`."""
    needs = {"encode": "encoder", "decode": "decoder", "interpolate": "decoder", "sample": "decoder"}
    needs |= {name: name for name in ("score", "reconstruct", "impute", "conditional")}
    if asked.rows.kind == "table":
        needs["impute"] = "conditional"
    out = {name for name, graph in needs.items() if graph not in graphs}
    if asked.rows.kind == "table" and asked.vae.labels_.measured:
        out.add("sample")  # the page holds its draws, and these would be for other covariates
    if "prior" not in graphs and not is_standard(asked.vae):
        out.add("prior")
    return sorted(set(asked.verbs) - out)


def contents(asked: ModelAnswers, graphs: Info) -> tuple[Arrays, Info]:
    """Arrays and info from which `answerers/onnx.js` answers for one model, besides its graphs."""
    vae = asked.vae
    order, form = layout(asked.rows, vae)
    trained, history = asked.training({}, {})
    described = asked.model({}, {"evaluation": asked.view is not None, "citation": True})[1]
    described |= {"verbs": verbs_of(asked, graphs), "temperature": is_standard(vae)}
    info: Info = {"model": described, "graphs": graphs, "layout": form, "standard": is_standard(vae)}
    info |= {"training": history, "rows": None, "log_prior_y": None}
    arrays = order | pool_of(asked) | trained
    if vae.labels_.to_decoder and not vae.labels_.measured:
        info["log_prior_y"] = vae.model_.log_prior_y.tolist()
    if asked.view is not None:
        rows, info["rows"] = rows_in(asked)
        arrays |= {f"rows.{name}": array for name, array in rows.items()}
    return arrays, info
