"""Every verb of the command line has a row in its table, runs, and has a row here."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command
from typer.models import ParameterInfo

from reparam import cli
from reparam.cli.main import VERBS, app, common
from tests.cli.helpers import Capture, fit, run

SMOKE = {
    "fit": "DATA -o OUT/run --epochs 1 --json",
    "evaluate": "MODEL DATA -k 2 --json",
    "compare": "MODEL OTHER DATA -k 2 --json",
    "score": "MODEL DATA -k 2 -o OUT/score.csv",
    "detect": "DATA -o OUT/anomalies.csv --picture OUT/scores.png --seed 0 --json",
    "encode": "MODEL DATA -o OUT/z.npy",
    "decode": "MODEL CODES --label b -o OUT/x.parquet",
    "reconstruct": "MODEL DATA -o OUT/x.csv",
    "predict": "MODEL DATA -o OUT/p.csv",
    "impute": "MODEL DATA -k 2 --draws 2 --seed 0 -o OUT/filled.csv",
    "sample": "MODEL -n 3 --label b --seed 0 -o OUT/x.csv",
    "plot": "MODEL OTHER --data DATA -o OUT/figures",
    "explore": "MODEL DATA --compare OTHER --port 0 --no-open",
    "serve": "MODEL --port 0",
    "export": "MODEL DATA --html OUT/page.html",
    "show": "MODEL --json",
    "verify": "MODEL --json",
    "cite": "MODEL",
    "recipes": "--json",
}
"""A verb, and arguments that it takes."""
READING = {"evaluate", "compare", "score", "encode", "reconstruct", "predict", "impute", "explore", "export"}
"""The verbs that read DATA for a model."""
FITTING = {"fit", "detect"}
"""The verbs that fit a model to DATA."""
OPTIONS = {"label", "skip_bad", "na", "buffer"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of a table with classes, the table, and codes."""
    path = tmp_path_factory.mktemp("verbs")
    rng, classes = np.random.default_rng(0), np.arange(60) % 2
    frame = pd.DataFrame({"u": rng.normal(4.0 * classes), "v": rng.normal(size=60)})
    frame.loc[::9, "v"] = np.nan
    frame.assign(kind=np.array(["a", "b"])[classes]).to_csv(path / "DATA.csv", index=False)
    words = ("--label", "kind", "--set", "labels=Auxiliary(2)", "--latent-dim", 2, "--epochs", 2)
    for seed, name in enumerate(("MODEL", "OTHER")):
        assert fit(path / "DATA.csv", *words, "--seed", seed, "-o", path / name) == 0
    np.save(path / "CODES.npy", rng.normal(size=(5, 2)).astype(np.float32))
    return path


def test_every_verb_has_a_row_and_arguments_here() -> None:
    assert set(get_command(app).commands) == set(VERBS) == set(SMOKE)  # type: ignore[attr-defined]


def test_every_function_that_takes_typed_options_is_a_verb() -> None:
    for module in pkgutil.iter_modules(cli.__path__, f"{cli.__name__}."):
        for name, f in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if f.__module__ == module.name and f is not common:
                marks = [m for hint in hints(f) for m in getattr(hint, "__metadata__", ())]
                assert not any(isinstance(m, ParameterInfo) for m in marks) or VERBS.get(name) is f, name


def hints(f: object) -> list[object]:
    try:
        return list(get_type_hints(f, include_extras=True).values())
    except NameError:  # of a type that is imported for checking alone: no verb
        return []


LONG = {"export": pytest.mark.slow}
"""Verbs that take half a minute."""


@pytest.mark.parametrize("verb", [pytest.param(verb, marks=LONG.get(verb, ())) for verb in VERBS])
def test_verbs_run(
    verb: str, folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reparam.web.server.run", lambda app, listening: listening.close())
    places = {"DATA": folder / "DATA.csv", "CODES": folder / "CODES.npy", "OUT": tmp_path}
    places |= {name: folder / name for name in ("MODEL", "OTHER")}
    words = SMOKE[verb].split()
    for name, path in places.items():
        words = [word.replace(name, str(path)) if word.startswith(name) else word for word in words]
    assert run(verb, *words) == 0
    assert capsys.readouterr().out
    assert run(verb, "--help") == 0


@pytest.mark.parametrize("verb", VERBS)
def test_options_of_data_are_the_same_everywhere(verb: str) -> None:
    taken = {option.name for option in get_command(app).commands[verb].params}  # type: ignore[attr-defined]
    if verb in READING | FITTING:
        assert taken >= OPTIONS
    assert ("size" in taken) == (verb in FITTING)
    if verb not in READING | FITTING | {"plot"}:
        assert not taken & (OPTIONS - {"label"})  # of sample and decode it is a class
