"""`make bench`: what a training step costs beside the matrix products in it and beside an expert's loop.

The contestants take turns in one process; medians and their ratios are what counts, for machines drift.
"""

import argparse
import statistics
import time

import torch

from .nets import NETS, STEPS, Net, Turn, expert, floor, tacit


def measured(net: Net, rounds: int) -> dict[str, float]:
    """The median milliseconds of a step, of each contestant; the first turn of each warms up."""
    torch.manual_seed(0)
    x = torch.rand(net.rows, 28, 28)
    turns: dict[str, Turn] = {"floor": floor(net, x), "expert": expert(net, x), "tacit": tacit(net, x)}
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for turn in turns.values():
        turn()
    for _ in range(rounds):
        for name, turn in turns.items():
            start = time.perf_counter()
            turn()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(each) / STEPS for name, each in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=list(NETS), help=", ".join(NETS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    print("| net | floor, ms | expert's loop, ms | tacit, ms | tacit / floor | tacit / expert |")
    print("|---|---|---|---|---|---|")
    for name in words.nets:
        ms = measured(NETS[name], words.rounds)
        ratios = (ms["tacit"] / ms["floor"], ms["tacit"] / ms["expert"])
        print(f"| {name} | {' | '.join(f'{each:.2f}' for each in (*ms.values(), *ratios))} |", flush=True)


if __name__ == "__main__":
    main()
