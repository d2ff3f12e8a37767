"""Faults: killed, damaged, two at once."""
