"""Faults and hostile input in large numbers: `make torture`. `tests/reliability` runs a few of each."""
