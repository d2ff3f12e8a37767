"""Images inside the rows of .parquet files, as data sets of the hub have them: a column of encoded bytes."""

import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ...errors import DataError
from .archives import Files

USUAL_LABELS = ("label", "labels", "class")


def column_of_images(schema: Any) -> str | None:
    """The column of a pyarrow schema that holds encoded images: of structs with a field `bytes`."""
    from pyarrow import types  # type: ignore[import-untyped]

    for field in schema:
        inner = field.type.get_field_index("bytes") if types.is_struct(field.type) else -1
        if inner >= 0 and (types.is_binary(kind := field.type[inner].type) or types.is_large_binary(kind)):
            return str(field.name)
    return None


class RowFiles(Files):
    """The images of shards, a file for each row, in the folder of its class.

    `label`: the column of classes, by default one of USUAL_LABELS, if there is one.
    """

    def __init__(self, place: str, paths: Sequence[Path], column: str, label: str | None) -> None:
        from pyarrow import parquet

        self.place = Path(place)
        schema = parquet.read_schema(paths[0])
        usual = (name for name in USUAL_LABELS if name in schema.names)
        label = label if label in schema.names else next(usual, None)
        held = parquet.read_table(list(paths), columns=[column, *([label] if label else [])])
        self._bytes = held.column(column).combine_chunks().field("bytes")
        classes = class_names(schema, label) if label else {}
        values = held.column(label).to_pylist() if label else [None] * len(held)
        words = [PurePosixPath(as_folder(classes.get(value, value))) for value in values]
        self.names = [word / f"{i:09d}.png" for i, word in enumerate(words)]

    def open(self, name: PurePosixPath) -> IO[bytes]:
        held = self._bytes[int(name.stem)].as_py()
        if held is None:
            raise DataError("its row has no image")
        return io.BytesIO(held)


def as_folder(value: Any) -> str:
    """The name of a class as that of a folder."""
    return "" if value is None else str(value).replace("/", "-")


def class_names(schema: Any, label: str) -> dict[Any, str]:
    """The names of the numbered classes of a column, which the hub writes beside the schema."""
    about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = about.get("info", {}).get("features", {})
    return dict(enumerate(features.get(label, {}).get("names") or []))
