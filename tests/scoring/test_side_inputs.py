import pytest
import torch
from torch import nn

from pear_lightning.masking import ColumnMasker
from pear_lightning.scoring import Batch, evaluation, resolve_output
from pear_lightning.scoring.scorer import Scorer
from pear_lightning.scoring.side_inputs import side_inputs


class Counting(nn.Module):
    """A linear model that remembers the number of rows of each pass."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, 1)
        self.rows: list[int] = []

    def forward(self, inputs):
        self.rows.append(len(inputs))
        return self.linear(inputs)


def test_removals_of_a_linear_model_are_its_contributions():
    model, inputs = Counting(5), torch.rand(3, 5) + 0.1
    scorer = Scorer(model, Batch(inputs), resolve_output("logit"))
    values = side_inputs(["removals", "gradient"], scorer, ColumnMasker(5).bind(inputs))
    contributions = inputs * model.linear.weight
    expected = contributions / contributions.abs().amax(dim=1, keepdim=True)
    torch.testing.assert_close(values[..., 0], expected)
    slopes = model.linear.weight / model.linear.weight.abs().max()
    torch.testing.assert_close(values[..., 1], slopes.expand(3, 5))


@pytest.mark.parametrize(("rows", "copies"), [(12, 4), (9, 3), (2, 1)])
def test_a_pass_holds_no_more_copies_than_fit_into_it(monkeypatch, rows, copies):
    monkeypatch.setitem(evaluation._ELEMENTS_PER_PASS, "cpu", 7 * rows)
    model, inputs = Counting(7), torch.rand(3, 7)
    scorer = Scorer(model, Batch(inputs), resolve_output("logit"))
    side_inputs(["removals"], scorer, ColumnMasker(7).bind(inputs))
    assert max(model.rows) == 3 * copies
    assert sum(model.rows) == 3 * 8


def test_an_empty_batch_has_no_values():
    model, inputs = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 1)), torch.rand(0, 5)
    scorer = Scorer(model, Batch(inputs), resolve_output("logit"))
    names = ["gradient", "removals", "hidden:0"]
    assert side_inputs(names, scorer, ColumnMasker(5).bind(inputs)).shape == (0, 5, 1 + 1 + 7)
