"""Classes of a column of few numbers."""

import torch

from reparam.distributions import Levels, Nominal, blend, mean_of


def test_the_point_prediction_of_ordered_classes_is_their_median() -> None:
    probs = torch.tensor([[0.4, 0.25, 0.35], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.3, 0.1, 0.6]])
    assert mean_of(Levels(probs.log())).tolist() == [1.0, 0.0, 2.0, 2.0]
    assert mean_of(Nominal(probs.log())).tolist() == [0.0, 0.0, 2.0, 2.0]
    two, weights = Levels(probs[:2].log()[:, None]), torch.tensor([[0.5], [0.5]])
    assert blend(two, weights).tolist() == [1.0], "of the mixture .45, .225, .325"
