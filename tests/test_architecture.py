"""The order of the rooms: a folder imports only folders above it, and files make no circle."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import reparam

SRC = Path(reparam.__file__).parent
ROOMS = [
    "errors",
    "memory",
    "tensors",
    "html_table",
    "stopwatch",
    "threads",
    "compilation",
    "specs",
    "serialization",
    "distributions",
    "nn",
    "families",
    "model",
    "data",
    "objectives",
    "training",
    "evaluation",
    "estimator",
    "plotting",
    "recipes",
    "web",
    "export",
    "cli",
    "__main__",
]
APART = [("training", "evaluation"), ("data", "model"), ("data", "nn")]
"""Neither imports the other."""
DOORS = {"estimator.vae": {"web", "export"}}
"""Rooms below its own that a module opens inside of functions: `VAE` is where users begin."""
HEAVY = {"cli": {"typer"}, "web": {"fastapi", "uvicorn", "starlette"}}
"""What is imported in these rooms alone."""


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name inside the package."""
    names = {p: list(p.relative_to(SRC).with_suffix("").parts) for p in SRC.rglob("*.py")}
    return {".".join(n[:-1] if n[-1] == "__init__" else n): p for p, n in names.items()}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path, name: str, *, deep: bool) -> set[str]:
    """The modules of the package that a file imports: at its top level, or `deep` in functions too."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    known, found = modules(), set()
    tree = parsed(path)
    for node in ast.walk(tree) if deep else tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                found.add(inner if inner in known else ".".join(base))
    return found - {""}


def room(module: str) -> str:
    return module.partition(".")[0]


def test_a_room_imports_only_rooms_above_it() -> None:
    for name, path in modules().items():
        if name:
            assert room(name) in ROOMS, f"{name} stands in no room"
            reached = {room(module) for module in imports(path, name, deep=True)} - {room(name)}
            at_once = {room(module) for module in imports(path, name, deep=False)}
            reached -= DOORS.get(name, set()) - at_once
            below = [other for other in reached if ROOMS.index(other) > ROOMS.index(room(name))]
            assert not below, f"{name} imports {below}"


def test_rooms_that_know_nothing_of_each_other() -> None:
    for name, path in modules().items():
        reached = {room(module) for module in imports(path, name, deep=True)}
        for pair in APART:
            assert not (room(name) in pair and (reached - {room(name)}) & set(pair)), f"{name} joins {pair}"


def test_files_make_no_circle() -> None:
    graph = {name: imports(path, name, deep=False) - {name} for name, path in modules().items() if name}
    list(TopologicalSorter(graph).static_order())


def test_frameworks_stay_in_their_rooms() -> None:
    for name, path in modules().items():
        for node in ast.walk(parsed(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for place, frameworks in HEAVY.items():
                assert room(name) == place or not {room(n) for n in names} & frameworks, f"{name}: {names}"


def test_help_needs_no_torch() -> None:
    code = "import sys, reparam.cli.main; assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_show_needs_no_torch(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    reparam.VAE(1, training=reparam.Training(epochs=1)).fit([[0.0], [1.0], [3.0]]).save(model)
    code = """
import sys
from reparam.cli.main import main
try:
    main()
finally:
    assert 'torch' not in sys.modules
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, "show", str(model)], check=True, capture_output=True, text=True
    ).stdout
    assert "latent_dim  1" in shown and "epochs  1" in shown


def test_public_names() -> None:
    public: list[str] = vars(reparam)["__all__"]
    assert len(set(public)) == len(public)
    for name in public:
        assert getattr(reparam, name).__name__ == name


def defined() -> dict[str, set[str]]:
    """Every class of the package, and the rooms that define one of that name."""
    found: dict[str, set[str]] = {}
    for name, path in modules().items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).add(room(name))
    return found


def test_no_room_asks_for_the_class_of_another_rooms_part() -> None:
    """`isinstance` on a part stays where the part lives; elsewhere a part is asked what it can do."""
    homes, spec = defined(), {"Spec", "Ramp", "Clocked"}
    for name, path in modules().items():
        tree = parsed(path)
        ours = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)} & ours - spec
                abroad = {cls for cls in asked if cls in homes and room(name) not in homes[cls]}
                assert not abroad, f"{name}, line {node.lineno}, asks for {abroad}"
