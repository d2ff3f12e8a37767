"""Readers: files to arrays and data frames."""
