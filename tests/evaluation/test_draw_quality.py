"""Draws of tables against real rows: known distributions, copies, and columns that betray."""

import numpy as np
import pandas as pd
import pytest

from reparam import DataError
from reparam.evaluation.column_distances import total_variation
from reparam.evaluation.draw_quality import draw_quality, frequencies, pair_trends, shape


def rows(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return pd.DataFrame(
        {
            "a": z + shift,
            "b": z + 0.3 * rng.normal(size=n),
            "kind": np.where(z + rng.normal(size=n) > 0, "up", "down"),
            "on": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
        }
    )


def test_rows_of_the_same_distribution_are_alike() -> None:
    found = draw_quality(rows(800, 0), rows(800, 1), training=rows(800, 2), target="kind")
    assert found.shape > 0.93 and found.pairs is not None and found.pairs > 0.93
    assert found.detection == pytest.approx(0.5, abs=0.06)
    assert all(auc == pytest.approx(0.5, abs=0.08) for auc in found.detection_by_column.values())
    assert found.efficacy is not None and found.efficacy.metric == "AUC"
    assert found.efficacy.drawn == pytest.approx(found.efficacy.real, abs=0.05)
    assert found.privacy is not None
    assert found.privacy.closer_to_training == pytest.approx(0.5, abs=0.06)
    assert found.privacy.distance == pytest.approx(found.privacy.distance_held_out, rel=0.15)
    assert found.privacy.copies == found.privacy.copies_held_out == 0
    assert set(found.to_dict()) >= {"shape", "pairs", "detection", "privacy"}


def test_the_column_that_differs_is_named() -> None:
    real, drawn = rows(600, 0), rows(600, 1)
    drawn["b"] = drawn["b"].sample(frac=1, random_state=0).to_numpy() + 1.5
    found = draw_quality(real, drawn)
    assert max(found.detection_by_column, key=found.detection_by_column.__getitem__) == "b"
    assert min(found.shapes, key=found.shapes.__getitem__) == "b"
    assert found.detection > 0.9 and found.efficacy is None and found.privacy is None


def test_copies_of_training_rows_are_noticed() -> None:
    training = rows(500, 2)
    found = draw_quality(rows(500, 0), training.sample(500, replace=True, random_state=0), training=training)
    assert found.privacy is not None
    assert found.privacy.copies == 1 and found.privacy.copies_held_out == 0
    assert found.privacy.closer_to_training > 0.95 and found.privacy.distance == 0


def test_missing_cells_are_compared() -> None:
    real, drawn = rows(400, 0), rows(400, 1)
    real.loc[::2, "kind"] = None
    found = draw_quality(real, drawn)
    assert found.missing["kind"] == pytest.approx(-0.5) and found.missing["a"] == 0
    assert found.detection_by_column["kind"] > 0.7 and found.shapes["kind"] > 0.85


def test_against_definitions() -> None:
    shares = frequencies(np.array([[0.0], [0], [1], [2]]), np.array([[0.0], [1], [1], [3]]))
    assert total_variation(*shares) == 0.5
    assert shape(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, np.nan]), False) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 2)), rng.normal(size=(300, 2))
    y[:, 1] += y[:, 0]
    r, s = (float(np.asarray(np.corrcoef(rows.T))[0, 1]) for rows in (x, y))
    assert pair_trends(x, y, np.array([False, False])) == pytest.approx(1 - abs(r - s) / 2)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="the column 'b'"):
        draw_quality(rows(50, 0), rows(50, 1).drop(columns="b"))
    with pytest.raises(DataError, match="target"):
        draw_quality(rows(50, 0), rows(50, 1), target="kind")
    with pytest.raises(DataError, match="has one value"):
        draw_quality(rows(50, 0).assign(kind="up"), rows(50, 1), training=rows(50, 2), target="kind")
    with pytest.raises(DataError, match="6 rows"):
        draw_quality(rows(3, 0), rows(50, 1))
