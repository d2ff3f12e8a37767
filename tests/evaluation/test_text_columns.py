"""Sample quality is measured on numbers, and says so of anything else."""

import pandas as pd
import pytest

from reparam import DataError
from reparam.evaluation.sample_quality import frechet, likeness, neighbours, two_sample

WORDS = pd.DataFrame({"a": [0.0, 1.0, 2.0], "sex": ["f", "m", "f"]})


@pytest.mark.parametrize("metric", [likeness, frechet, neighbours, two_sample])
def test_text_columns_are_refused_with_a_cure(metric) -> None:
    with pytest.raises(DataError, match=r"numeric columns, or an extractor, e.g. vae\.transform"):
        metric(WORDS, WORDS)
