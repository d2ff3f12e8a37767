"""How probable rows, their cells and their classes are, and how good the model is on them."""

from typing import Any

import numpy as np
from torch import Tensor

from ..evaluation import imputation
from ..evaluation.anomaly import reconstruction_log_prob
from ..evaluation.evaluate import Evaluation, evaluate
from ..evaluation.likelihood import score_rows
from .fitted import Array, Fitted
from .preprocessing import named_like
from .validation import check_at_least


def score_samples(fitted: Fitted, X: Any, y: Any, n_samples: int) -> Array:
    """log p(x) of each row in nats, of a series that of the last step of its window."""
    check_at_least(1, n_samples=n_samples)
    rows = fitted.rows(X, y)
    if fitted.preprocessor.window is not None:
        cells = reconstruction_log_prob(fitted.model, rows[0][:], n_samples, fitted.seed)
        return cells[:, -1].double().numpy()
    found: Array = score_rows(fitted.model, rows, n_samples, fitted.seed).double().numpy()
    new = fitted.preprocessor.surprise(X)
    return found if new is None else found - new[0]


def score_cells(fitted: Fitted, X: Any, y: Any, n_samples: int) -> Any:
    """E[log p(x_j | z) | x] of each cell in nats, NaN where missing."""
    check_at_least(1, n_samples=n_samples)
    x, classes = fitted.cells(X, y)
    cells: Array = imputation.log_prob_by_cell(fitted.model, x, classes, n_samples, fitted.seed).numpy()
    new = fitted.preprocessor.surprise(X)
    cells = cells if new is None else np.where(new[1] > 0, -new[1], cells)
    return named_like(X, cells, fitted.codec.names())


def class_probabilities(fitted: Fitted, X: Any) -> Array:
    """The classifier's (n, K)."""

    def probabilities(a: Tensor, b: Tensor | None) -> Tensor:
        logits = fitted.model.conditioning(a).logits
        assert logits is not None
        return logits.softmax(-1)

    return fitted.each_row(probabilities, X).numpy()


def evaluation(fitted: Fitted, X: Any, y: Any, k: int, ais: int | None) -> Evaluation:
    """The figures of the model on X; y holds the true classes, or the condition."""
    check_at_least(1, k=k, **({} if ais is None else {"ais": ais}))
    rows, targets = fitted.rows(X, y), fitted.targets
    judged = y is not None and not targets.labels.observed
    truth = targets.truth(y, len(rows[0]), unlabelled=True) if judged else None
    return evaluate(fitted.model, rows, k, fitted.seed, truth, names=fitted.codec.column_names(), ais=ais)
