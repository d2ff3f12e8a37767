"""Codecs: X as a user holds it, to tensors and back."""
