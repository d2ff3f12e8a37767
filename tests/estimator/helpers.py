"""What several tests of estimators need."""

RANDOM_BATCHES = dict.fromkeys(
    [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")],
    "rows are drawn by their weights: equal in the mean, not in bits",
)
"""Checks of scikit-learn that a training on random batches cannot pass."""
