"""The floors: a file imports only files above it."""

import ast
import subprocess
import sys
from pathlib import Path

import reparam

SRC = Path(reparam.__file__).parent
FLOORS = [
    ["errors", "files", "spec", "schedule", "tensors"],
    ["distributions.base", "distributions.hidden", "distributions.observed", "distributions.codes"],
    ["distributions.correlated", "distributions.spherical", "distributions.flows", "distributions.mixtures"],
    ["distributions", "layers", "networks", "families.base"],
    ["families.continuous", "families.discrete", "families.counts", "families.composed"],
    ["families.correlated", "families.spherical", "families.mixtures", "families.flows"],
    ["families.choices", "families.codes", "families"],
    ["labels", "priors"],
    ["latents", "model"],
    ["objective", "penalties"],
    [
        "data.sparse",
        "data.stream",
        "data.rows",
        "data.codec",
        "data.frames",
        "data.tables",
        "data.series",
        "data.codecs",
        "data.arrays",
        "data.images",
    ],
    ["data.sources", "data", "likeness", "disentanglement"],
    ["importance", "annealing", "doctor", "gauges"],
    ["processes", "training", "recorded"],
    ["train", "refit", "evaluate", "impute", "anomaly", "config", "storage"],
    ["door", "learner"],
    [
        "estimator",
        "recipes",
        "tiles",
        "figures",
        "gallery",
        "sinks",
        "report",
        "runs",
        "trackers",
        "profiling",
    ],
    ["arguments", "console", "cli"],
]
ORDER = [name for floor in FLOORS for name in floor]


def imports(path: Path, name: str) -> set[str]:
    """The reparam modules that a file imports at its top level."""
    package = ["reparam", *name.split(".")][: None if path.name == "__init__.py" else -1]
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{target}.{alias.name}".removeprefix("reparam.")
                found.add(whole if whole in ORDER else target.removeprefix("reparam."))
    return {module for module in found if module in ORDER and module != name}


def test_imports_point_up() -> None:
    files = {p: ".".join(p.relative_to(SRC).with_suffix("").parts) for p in SRC.rglob("*.py")}
    for path, name in files.items():
        name = name.removesuffix(".__init__").removesuffix("__init__")
        if name:
            assert name in ORDER, f"{name} stands on no floor"
            below = [m for m in imports(path, name) if ORDER.index(m) >= ORDER.index(name)]
            assert not below, f"{name} imports {below}"


def test_help_needs_no_torch() -> None:
    code = "import sys, reparam.cli; assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_show_needs_no_torch(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    reparam.VAE(1, training=reparam.Training(epochs=1)).fit([[0.0], [1.0], [3.0]]).save(model)
    code = """
import sys
from reparam.cli import main
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
    assert len(set(reparam.__all__)) == len(reparam.__all__)
    for name in reparam.__all__:
        assert getattr(reparam, name).__name__ == name
