"""The start of a command: what no command needs is not imported, and nothing is collected meanwhile."""

import gc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

LAZY = {"scipy.stats"}
"""scikit-learn imports scipy.stats for one function, and it takes longer than all else of both."""


class LazyFinder:
    """`import NAME` of the modules in LAZY loads nothing until an attribute of them is used."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in LAZY else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def begin() -> None:
    """Until `imported` Python's collector waits: what modules define is never garbage, and looking for some
    among it takes a sixth of the start."""
    sys.meta_path.insert(0, LazyFinder())
    gc.disable()


def imported() -> None:
    """The libraries are there: from now on garbage is collected, and not sought in them."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
