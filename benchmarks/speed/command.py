"""Speed against the floor, against the same by hand, and against peers: `make bench ARGS="..."`.

Each part's tables are printed, and written to docs/benchmarks.json and docs/benchmarks.md. The name of a net
stands for the training of that net alone; this and --small write nothing.
"""

import argparse
import json
import platform
from collections.abc import Callable
from dataclasses import replace

import torch

from .. import ROOT
from ..markdown import Rows, fill, markdown
from ..names import add_names
from ..peers.environment import PEERS, PeerError, installed
from ..torch_nets import PLAIN
from .fits import fits
from .inference import likelihood, use
from .processes import growth, startup, warmup
from .timing import Effort
from .training import PAIRS, training

RESULTS, PAGE = ROOT / "docs/benchmarks.json", ROOT / "docs/benchmarks.md"

PARTS: dict[str, Callable[[Effort], Rows]] = {
    "training": training,
    "fits": fits,
    "likelihood": likelihood,
    "use": use,
    "startup": startup,
    "warmup": warmup,
    "growth": growth,
}
OURS = ("floor", "expert", "hand", "reparam", "float32", "medium", "auto", "compiled", "bf16")
TABLES: dict[str, tuple[str, str, dict[str, str]]] = {
    "training": (
        "training",
        "net",
        {who: f"{who}, ms" for who in (*OURS, *PEERS)} | {"samples": "samples/s"},
    ),
    "ratios": ("training", "net", {f"{a} / {b}": f"{a} / {b}" for a, b in PAIRS}),
    "fits": (
        "fits",
        "net",
        {"epochs": "epochs"}
        | {who: f"{who}, s" for who in ("reparam", *PEERS)}
        | {f"{peer} / reparam": f"{peer} / reparam" for peer in PEERS},
    ),
    "likelihood": (
        "likelihood",
        "way",
        {"k": "draws", "images": "images/s", "against by hand": "x by hand", "against pythae": "x pythae"},
    ),
    "use": (
        "use",
        "net, verb",
        {"reparam": "reparam, rows/s", "hand": "by hand, rows/s", "share": "reparam / by hand"},
    ),
    "startup": (
        "startup",
        "process",
        {"seconds": "seconds", "torch": "imports torch", "share": "x torch and sklearn.base"},
    ),
    "warmup": (
        "warmup",
        "net",
        {"plain": "first step, s", "compiled": "compiled, s", "found": "compiled by an earlier process, s"},
    ),
    "growth": (
        "growth",
        "rows x width",
        {"parameters": "parameters", "seconds": "seconds an epoch", "each": "microseconds a row"},
    ),
}
"""Each marker of the page: its part, and the title of each column."""


def about(effort: Effort) -> dict[str, object]:
    """What the figures were measured with."""
    has_amx = torch.cpu._is_amx_tile_supported()
    versions: dict[str, object] = {"AMX": "yes" if has_amx else "no", "torch": torch.__version__}
    for peer in PEERS if effort.peers else ():
        try:
            versions[peer] = installed(peer)
        except PeerError as error:
            versions[peer] = str(error)
    return {"machine": platform.machine(), "threads": effort.threads, "rounds": effort.rounds, **versions}


def tables(part: str, result: dict[str, dict]) -> dict[str, str]:
    """The tables of a part by their markers, what they were measured with below."""
    said = ", ".join(f"{key} {value}" for key, value in result["about"].items())
    return {
        mark: f"{markdown(result['rows'], columns, corner)}\n{said}\n"
        for mark, (own, corner, columns) in TABLES.items()
        if own == part
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_names(parser, [*PARTS, *PLAIN], "all parts")
    parser.add_argument(
        "--rounds", type=int, default=Effort.rounds, help="turns of each (default %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=Effort.threads, help="of torch (default %(default)s)")
    parser.add_argument("--no-peers", action="store_true", help="ours alone: nothing is installed")
    parser.add_argument("--bf16", action="store_true", help="bf16 too: slow without AMX or its like")
    parser.add_argument("--small", action="store_true", help="a rehearsal: tiny sizes, one round, no peers")


def run(arguments: argparse.Namespace) -> None:
    nets = tuple(name for name in arguments.names if name in PLAIN)
    parts = [name for name in arguments.names if name in PARTS] or (["training"] if nets else list(PARTS))
    effort = Effort(
        rounds=1 if arguments.small else arguments.rounds,
        threads=arguments.threads,
        peers=not (arguments.no_peers or arguments.small),
        bf16=arguments.bf16,
        small=arguments.small,
        nets=nets or Effort.nets,
    )
    torch.set_num_threads(effort.threads)
    for part in parts:
        said = about(replace(effort, rounds=1) if part == "fits" else effort)
        result = {"about": said, "rows": PARTS[part](effort)}
        filled = tables(part, result)
        print(part, *filled.values(), sep="\n\n", flush=True)
        if not effort.small and not nets:
            results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
            RESULTS.write_text(json.dumps(results | {part: result}, indent=1) + "\n")
            fill(PAGE, filled)
