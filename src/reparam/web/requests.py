"""Bodies of the public interface: JSON, or raw little-endian float32 with the shape in a header."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from . import options as opt
from .given import MOST_ROWS
from .row_format import RowFormat
from .wire import Array

if TYPE_CHECKING:
    from .. import VAE

RAW = "application/octet-stream"
FIELDS = {
    "encode": ("x", "y"),
    "decode": ("z", "y"),
    "sample": ("n", "y", "seed", "mean"),
    "score": ("x", "y", "cells"),
    "reconstruct": ("x", "y"),
    "impute": ("x", "y", "draws", "seed"),
}
"""What each verb takes."""
MAIN = {"encode": "mean", "score": "log_px"}
"""The array that a raw answer holds, where it is not x."""


@dataclass(frozen=True, eq=False)
class Call:
    """One request: n `rows` as the model takes them (or codes, or none), labels (n,), and the options."""

    rows: Any
    n: int
    y: Array | None
    options: Mapping[str, Any]


def call_of_json(verb: str, body: bytes, vae: "VAE", form: RowFormat) -> Call:
    """A request from JSON; DataError says what is wrong with it."""
    try:
        held = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise DataError("the body is not JSON") from None
    if not isinstance(held, dict):
        raise DataError(f"the body has to be an object with {', '.join(FIELDS[verb])}")
    if other := sorted(set(held) - set(FIELDS[verb])):
        raise DataError(f"{verb} takes {', '.join(FIELDS[verb])}, not {opt.shown(other[0])}")
    options = {name: value for name, value in held.items() if name not in ("x", "z", "y")}
    if verb == "sample":
        n = opt.whole(held, "n", 1, 1, MOST_ROWS)
        return Call(None, n, labels_of(held.get("y"), vae, n), options)
    name = FIELDS[verb][0]
    rows = listed(held.get(name), name)
    X = numbers(rows, name) if name == "z" else rows_of(rows, form)
    return Call(X, len(rows), labels_of(held.get("y"), vae, len(rows)), options)


def call_of_floats(
    verb: str, body: bytes, shape: str, query: Mapping[str, str], vae: "VAE", form: RowFormat
) -> Call:
    """A request from float32, rows as `row_format` has them (pixels in the units of the model); options come
    from the query."""
    options: dict[str, Any] = {}
    for name, word in query.items():
        if name not in FIELDS[verb] or name in ("x", "z"):
            raise DataError(f"{verb} takes {', '.join(FIELDS[verb])}, not {opt.shown(name)}")
        try:
            options[name] = [*word.split(",")] if name == "y" else json.loads(word)
        except ValueError:
            raise DataError(f"{name}={opt.shown(word)} is not a number, true or false") from None
    y = options.pop("y", None)
    if verb == "sample":
        n = opt.whole(options, "n", 1, 1, MOST_ROWS)
        return Call(None, n, labels_of(y, vae, n), options)
    sizes = shape.split(",")
    if not all(size.strip().isdecimal() and len(size) < 10 for size in sizes) or len(sizes) < 2:
        raise DataError(f"the header X-Shape takes rows and their shape, e.g. 10,3; not {opt.shown(shape)}")
    axes = [int(size) for size in sizes]
    if 4 * prod(axes) != len(body):
        raise DataError(f"the body has {len(body)} bytes; float32 of shape {shape} are {4 * prod(axes)}")
    if not 1 <= axes[0] <= MOST_ROWS:
        raise DataError(f"the body has {axes[0]} rows: send 1 to {MOST_ROWS} at once")
    x = np.frombuffer(body, "<f4").reshape(axes).astype(np.float32)
    arrays = verb == "decode" or form.kind in ("image", "vector")
    return Call(x if arrays else form.rows(x.astype(float)), len(x), labels_of(y, vae, len(x)), options)


def listed(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_ROWS:
        raise DataError(f"{name} takes a list of 1 to {MOST_ROWS} rows")
    return value


def numbers(rows: list[Any], name: str) -> Array:
    """Nested lists as an array; null is NaN."""
    try:
        found: Array = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise DataError(f"{name} holds text or rows of unequal length: send lists of numbers") from None
    return found


def rows_of(rows: list[Any], form: RowFormat) -> Any:
    """Rows of JSON as the model takes them: lists of numbers, or records for tables and series."""
    if form.kind in ("image", "vector"):
        return numbers(rows, "x")
    if form.kind == "series" and not isinstance(rows[0], dict):
        return form.rows(numbers(rows, "x").reshape(len(rows), -1))
    import pandas as pd

    header = form.codec.header()
    columns = header.get("columns") or [{"name": header["time"]}, {"name": header["value"]}]
    names = [column["name"] for column in columns]
    for record in rows:
        if not isinstance(record, dict):
            raise DataError(f"x takes records with the columns {', '.join(names[:8])}")
        if other := sorted(set(record) - set(names)):
            raise DataError(f"no column is called {opt.shown(other[0])}; there are {', '.join(names[:8])}")
        for name, value in record.items():
            if isinstance(value, dict | list):
                raise DataError(f"column {name!r} takes a number, text, true, false or null")
    return pd.DataFrame.from_records(rows, columns=names, index=range(len(rows)))


def labels_of(y: Any, vae: "VAE", n: int) -> Array | None:
    """Labels, one or n, as classes of the model, (n,); covariates, one record or n, as (n, m)."""
    if y is None:
        return None
    if vae.labels_.measured:
        return covariates_of(y, [column.name for column in vae.labels_.known], n)
    if vae.classes_ is None:
        raise DataError("this model has no labels: leave y out")
    known = {str(label): label for label in vae.classes_.tolist()}
    given = y if isinstance(y, list) else [y]
    if len(given) not in (1, n):
        raise DataError(f"y has {len(given)} labels; give one, or one for each of {n} rows")
    words = [str(label) for label in given]
    if absent := [word for word in words if word not in known]:
        raise DataError(f"{opt.shown(absent[0])} is not a class of this model: {', '.join(known)}")
    return np.broadcast_to(np.array([known[word] for word in words], dtype=vae.classes_.dtype), (n,))


def covariates_of(y: Any, names: list[str], n: int) -> Array:
    """Covariates (n, m), one record for all rows or n of them."""
    given = y if isinstance(y, list) else [y]
    if len(given) not in (1, n) or any(not isinstance(record, dict) for record in given):
        raise DataError(f"y takes a record with {', '.join(names)}, or one for each of {n} rows")
    for record in given:
        if other := sorted(set(record) ^ set(names)):
            raise DataError(f"y takes {', '.join(names)}: {opt.shown(other[0])} is lacking or none of them")
        if any(isinstance(value, dict | list) for value in record.values()):
            raise DataError("a covariate takes a number, text, true or false")
    held = np.empty((len(given), len(names)), dtype=object)
    for row, record in enumerate(given):
        held[row] = [record[name] for name in names]
    return np.broadcast_to(held, (n, len(names)))


def records_or_lists(rows: Any) -> Any:
    """Rows of a model for JSON: records of a frame, lists of an array."""
    if not hasattr(rows, "columns"):
        return np.asarray(rows, dtype=np.float64).tolist()
    frame = rows.to_pandas() if hasattr(rows, "to_pandas") else rows
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
