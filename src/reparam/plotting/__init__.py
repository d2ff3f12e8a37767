"""Plots of a fitted model, and the report of an evaluation."""
