"""Evaluation: likelihood, metrics, diagnostics, imputation, anomalies, sample quality."""
