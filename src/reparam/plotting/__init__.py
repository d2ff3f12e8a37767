"""Figures of a fitted model, and the page of an evaluation."""
