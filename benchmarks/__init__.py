"""Measurements of reparam: `python -m benchmarks --help`."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The repository, whose docs hold what is measured."""
