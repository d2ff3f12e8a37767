"""Conversion of model files of version 1."""

import re
from typing import Any

TENSORS = {r"\bstretch$": "scale", r"^kept\.": "best.", r"^teacher(\d+)\.": r"critic_optimiser\1."}
KEYS = {"holes": "has_missing", "gaps": "allow_missing", "whole": "integer", "waited": "stale_epochs"}


def tensor_name(name: str) -> str:
    """The current name of a tensor of version 1."""
    for old, new in TENSORS.items():
        name = re.sub(old, new, name)
    return name


def header(held: dict[str, Any]) -> dict[str, Any]:
    """A header of version 1 with the current keys and specs."""
    found = {KEYS.get(name, name): value for name, value in held.items()}
    if found.get("has_missing") is not None:
        found.setdefault("allow_missing", True)
    if isinstance(spec := found.get("spec"), dict):
        labels = spec.get("labels")
        found["spec"] = spec | {"labels": "NoLabels()"} if labels == "None" else spec
        objective = found["spec"].get("objective")
        if isinstance(objective, str):
            found["spec"] = found["spec"] | {"objective": objective.replace("'rung'", "'layer'")}
    if isinstance(codec := found.get("codec"), dict) and isinstance(codec.get("columns"), list):
        columns = [
            {KEYS.get(k, k): v for k, v in c.items()} if isinstance(c, dict) else c for c in codec["columns"]
        ]
        found["codec"] = codec | {"columns": columns}
    if isinstance(training := found.get("training"), dict):
        found["training"] = {KEYS.get(name, name): value for name, value in training.items()}
    return found
