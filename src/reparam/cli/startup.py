"""The start of a command: what no command needs is not imported, nothing is collected meanwhile, and
threads do not wait for long by spinning."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

LAZY = {"scipy.stats"}
"""scikit-learn imports scipy.stats for one function, and it takes longer than all else of both."""


SPINS = "1000"
"""Turns for which a thread of OpenMP waits before it sleeps. By itself it waits for milliseconds, and beside
another busy process the thread that it waits for does not run meanwhile: on two such processors products of
matrices (150, 784) (784, 500) took ten times as long as with this number."""


class LazyFinder:
    """`import NAME` of the modules in LAZY loads nothing until an attribute of them is used."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in LAZY:
            return None
        import_module("torch")  # which looks at all modules while it is imported, and would load a lazy one
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def begin() -> None:
    """Until `imported` Python's collector waits: what modules define is never garbage, and looking for some
    among it takes a sixth of the start."""
    sys.meta_path.insert(0, LazyFinder())
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    gc.disable()


def imported() -> None:
    """The libraries are there: from now on garbage is collected, and not sought in them."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
