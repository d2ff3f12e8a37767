"""Specs: frozen dataclasses whose `repr` is the expression that creates them."""
