"""What reparam is measured by. Each command's `--help` says what it measures and its options."""

import argparse
import sys
from importlib import import_module

COMMANDS = {
    "speed": ("seconds of training, likelihood, encoding and start-up, against peers", "speed.command"),
    "quality": ("likelihoods, labels, factors and filled gaps, against other ways", "quality.command"),
    "resources": ("seconds and peak memory of the command line and of streams", "resources.command"),
    "reproduce": ("our figures beside the published ones", "reproduce.command"),
    "fingerprints": ("hashes of what fits give, to tell whether a change changes numbers", "fingerprints"),
}
"""What each command measures, and the module with its options: only the one asked for is imported."""


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (measures, module) in COMMANDS.items():
        command = commands.add_parser(
            name, help=measures, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if words[:1] == [name]:
            found = import_module(f"benchmarks.{module}")
            command.description = found.__doc__
            command.set_defaults(run=found.run, refuse=command.error)
            found.add_arguments(command)
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    arguments = parsed(words)
    arguments.run(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
