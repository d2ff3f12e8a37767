"""A detector of pyod: `python -m benchmarks.peers.anomaly NAME DATA SEED` prints scores, low for anomalies.

DATA is an .npz of `train` and `test`, (n, columns), standardised.
"""

import contextlib
import importlib
import json
import logging
import sys
import warnings

import numpy as np

MODULES = {"ECOD": "ecod", "VAE": "vae", "AutoEncoder": "auto_encoder"}


def main() -> None:
    name, path, seed = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable()
    held = np.load(path)
    cls = getattr(importlib.import_module(f"pyod.models.{MODULES[name]}"), name)
    words = {} if name == "ECOD" else {"random_state": int(seed), "verbose": 0}
    with contextlib.redirect_stdout(sys.stderr):
        detector = cls(**words).fit(held["train"])
        same = held["train"].shape == held["test"].shape and (held["train"] == held["test"]).all()
        scores = detector.decision_scores_ if same else detector.decision_function(held["test"])
    print(json.dumps((-np.nan_to_num(np.asarray(scores, float))).tolist()))


if __name__ == "__main__":
    main()
