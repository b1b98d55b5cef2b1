"""Numbers that identify models."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from pear_lightning.nn import SklearnClassifier
from pear_lightning.scoring.fingerprint import model_fingerprint

ROWS = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
LABELS = (ROWS[:, 0] > 0).long()


class Steps:
    """A classifier whose probabilities can be computed by hand."""

    classes_, n_features_in_ = np.arange(2), 3

    def __init__(self, at=0.0):
        self.at = at

    def __repr__(self):
        return "Steps()"

    def predict_proba(self, rows):
        return np.eye(2)[(rows[:, 0] > self.at).astype(int)]


class Strict(Steps):
    """A classifier of categories."""

    def predict_proba(self, rows):
        if (rows < 0).any():
            raise ValueError("categories must not be negative")
        return super().predict_proba(rows)


CLASSIFIERS = {
    "linear": ("sklearn.linear_model.LogisticRegression", {}),
    "trees": ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5, "random_state": 0}),
    # counts its queries: its pickle changes when it predicts
    "neighbours": ("sklearn.neighbors.KNeighborsClassifier", {"algorithm": "kd_tree"}),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_identified_by_what_it_has_learned(name):
    pytest.importorskip("sklearn")
    unfitted, model, again, other = (SklearnClassifier(*CLASSIFIERS[name]) for _ in range(4))
    model.fit(ROWS, LABELS)
    number = model_fingerprint(model)
    assert number == model_fingerprint(again.fit(ROWS, LABELS))
    model(ROWS)
    for same in (model, pickle.loads(pickle.dumps(model))):
        assert model_fingerprint(same) == number
    assert len({number, *map(model_fingerprint, (other.fit(ROWS, 1 - LABELS), unfitted))}) == 3
    wrapped = [model_fingerprint(nn.Sequential(each)) for each in (model, again, other)]
    assert wrapped[0] == wrapped[1] != wrapped[2]


def test_the_number_of_a_classifier_is_the_same_in_every_process():
    assert SklearnClassifier(Steps()).fitted_checksum() == 2108320430
    assert SklearnClassifier(Steps(0.5)).fitted_checksum() == 870422607


def test_a_classifier_that_refuses_the_rows_is_identified_by_its_settings():
    assert SklearnClassifier(Strict()).fitted_checksum() is None
    assert model_fingerprint(SklearnClassifier(Strict())) == model_fingerprint(
        SklearnClassifier(Strict(0.5))
    )
