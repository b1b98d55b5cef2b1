import torch

from benchmarks.scores_activation.methods import METHODS, NONE, SCORING
from benchmarks.scores_activation.modules import make_module
from benchmarks.scores_activation.scores import scores_of
from benchmarks.scores_activation.table_settings import TABLES
from pear_lightning.datamodules import SyntheticClassification


def test_scores_of_every_method(data: SyntheticClassification) -> None:
    rows = data.train_dataloader().dataset
    for name in SCORING:
        module = make_module(METHODS[name], TABLES["16/5, 400"], data, list(range(6)), 1)
        for scores in scores_of(module, rows.inputs, rows.target, list(range(6))).values():
            assert scores.shape == (6,)
            assert scores.isfinite().all()
    plain = make_module(METHODS[NONE], TABLES["16/5, 400"], data, list(range(6)), 1)
    first = plain.backbone.layers[0].weight
    expected = torch.stack([first[:, :2].norm(), first[:, 2:].norm()])
    found = scores_of(plain, rows.inputs, rows.target, [0, 0, 1, 1, 1, 1])["scores"]
    torch.testing.assert_close(found, expected.detach())
