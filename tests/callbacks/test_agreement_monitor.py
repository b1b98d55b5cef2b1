import re
from itertools import combinations

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import AgreementMonitor, AgreementTable
from pear_lightning.explainers import (
    Gradient,
    InputXGradient,
    IntegratedGradients,
    RandomAttributions,
    SmoothGrad,
    explain,
)
from pear_lightning.functional.agreement import AGREEMENT_NAMES
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.metrics import AgreementMatrix, CommonShare
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from tests.callbacks.foreign import CLASSES, FEATURES, Foreign, loader
from tests.ddp import run_distributed, trainer_of_rank
from tests.modules.helpers import quiet_trainer

EXPLAINERS = {
    "gradient": Gradient(),
    "product": InputXGradient(),
    "integrated": IntegratedGradients(5, baseline=0.2),
}


def logged(module, data, monitor, stage="validate", **kwargs):
    trainer = quiet_trainer(callbacks=[monitor], **kwargs)
    getattr(trainer, stage)(module, data, verbose=False)
    return trainer.callback_metrics


def test_logs_what_a_matrix_says_of_the_first_rows():
    module = Foreign()
    values = logged(module, loader(), AgreementMonitor(explainers=EXPLAINERS, top_k=3, rows=12))
    inputs, target = (each[:12] for each in loader().dataset.tensors)
    logits, attributions = explain(module, inputs, target, EXPLAINERS, output="centered_logit")
    matrix = AgreementMatrix(list(EXPLAINERS), 3)
    matrix.update(attributions)
    for metric, expected in matrix.compute().items():
        torch.testing.assert_close(
            values[f"val_agreement/{metric}"], matrix.mean_over_pairs(metric)
        )
        for (i, a), (j, b) in combinations(enumerate(EXPLAINERS), 2):
            torch.testing.assert_close(values[f"val_agreement/{metric}/{a}-{b}"], expected[i, j])
    share = CommonShare(CLASSES)
    share.update(logits)
    torch.testing.assert_close(values["val_agreement/common_share"], share.compute())
    assert values["val_agreement/saturated_rows"] == 0
    assert len(values) == 6 * (1 + 3) + 2


def test_of_fewer_features_than_the_top_k_all_are_in_it():
    module = Foreign()
    masker = ColumnMasker(5, [[0, 1], [2, 3, 4]])
    few = DataLoader(TensorDataset(torch.randn(16, 4), torch.arange(16) % 2), batch_size=8)
    of_few = PEAR(MLP(4), explainers=EXPLAINERS, test_explainers=EXPLAINERS)
    for monitored, data, monitor in (
        (module, loader(), AgreementMonitor(masker, explainers=EXPLAINERS, top_k=9)),
        (of_few, few, AgreementMonitor(explainers=EXPLAINERS)),
    ):
        values = logged(monitored, data, monitor)
        assert values["val_agreement/feature_agreement"] == 1
        assert values["val_agreement/rank_agreement"] < 1
    with pytest.raises(ValueError, match="k must be between 1 and the number of features"):
        logged(module, loader(), AgreementMonitor(explainers=EXPLAINERS, top_k=9))


class Confident(Foreign):
    """Certain of its class where the first feature is positive."""

    def forward(self, inputs):
        return super().forward(inputs) * torch.where(inputs[:, :1] > 0, 1e4, 1.0)


def test_rows_whose_explanation_vanishes_are_counted():
    monitor = AgreementMonitor(explainers=EXPLAINERS, output="prob")
    values = logged(Confident(), loader(), monitor)
    inputs, target = loader().dataset.tensors
    _, attributions = explain(Confident(), inputs, target, EXPLAINERS, output="prob")
    vanished = torch.stack([each.abs().amax(dim=1) < 1e-19 for each in attributions.values()])
    assert 0 < vanished.any(dim=0).sum() < len(inputs)
    assert values["val_agreement/saturated_rows"] == vanished.any(dim=0).sum()


def test_attributions_are_pooled_by_the_masker():
    module, groups = Foreign(), [[0, 1], [2, 3, 4]]
    monitor = AgreementMonitor(ColumnMasker(FEATURES, groups), EXPLAINERS, top_k=1)
    values = logged(module, loader(), monitor)
    inputs, target = loader().dataset.tensors
    _, attributions = explain(module, inputs, target, EXPLAINERS, output="centered_logit")
    matrix = AgreementMatrix(list(EXPLAINERS), 1)
    pool = ColumnMasker(FEATURES, groups).pool
    matrix.update({name: pool(each) for name, each in attributions.items()})
    for metric in AGREEMENT_NAMES:
        expected = matrix.mean_over_pairs(metric)
        torch.testing.assert_close(values[f"val_agreement/{metric}"], expected)


class Text(nn.Module):
    """Embeddings, weighted by position, summed."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(12, 4)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, inputs, attention_mask=None):
        return self.head((torch.tanh(inputs) * attention_mask[..., None]).sum(dim=1))


def text_batches(padding):
    texts = [[3, 4, 5, 6], [7, 8, 3, 9, 10, 4]]
    width = max(map(len, texts)) + padding
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
    batch = {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": torch.tensor([0, 2])}
    return DataLoader([batch], batch_size=None)


def test_padding_has_no_part_in_the_agreement_of_texts():
    """Padding that counts as features that all explainers find unimportant would raise it."""
    module = Foreign(Text())
    module.backbone = module.net  # where the embeddings are
    values = [
        logged(
            module,
            text_batches(padding),
            AgreementMonitor(TokenMasker(), EXPLAINERS, top_k=2, log_figure=True),
        )
        for padding in (0, 9)
    ]
    assert values[0].keys() == values[1].keys()
    for name, value in values[0].items():
        torch.testing.assert_close(value, values[1][name], msg=name)


def test_random_attributions_are_no_part_of_the_mean():
    pair = {"a": Gradient(), "b": IntegratedGradients(3)}
    plain = logged(Foreign(), loader(), AgreementMonitor(explainers=pair, top_k=2))
    with_control = {**pair, "random": RandomAttributions()}
    monitor = AgreementMonitor(explainers=with_control, top_k=2)
    values = logged(Foreign(), loader(), monitor, "test")
    for metric in AGREEMENT_NAMES:
        torch.testing.assert_close(
            values[f"test_agreement/{metric}"], plain[f"val_agreement/{metric}"]
        )
    assert f"val_agreement/{metric}/a-b" not in plain  # there is one pair
    assert f"test_agreement/{metric}/a-random" in values
    diagonal = monitor.matrix.compute()["pairwise_rank_agreement"].diagonal()
    assert diagonal[:2].tolist() == [1.0, 1.0]
    assert diagonal[2] < 0.7  # of random attributions with themselves


def test_the_logger_gets_the_table_and_the_heat_map(tmp_path):
    logger = CSVLogger(tmp_path)
    monitor = AgreementMonitor(explainers=EXPLAINERS, top_k=3, log_table=True, log_figure=True)
    logged(Foreign(), loader(), monitor, logger=logger)
    (figure,) = tmp_path.rglob("figures/val_agreement-0.png")
    assert figure.read_bytes().startswith(b"\x89PNG")
    (table,) = tmp_path.rglob("texts/val_agreement-0.txt")
    assert "pairwise_rank_agreement  gradient  product  integrated" in table.read_text()
    assert "common share of the logits: " in table.read_text()


@pytest.mark.parametrize("explainers", [EXPLAINERS, {"smooth": SmoothGrad(3), "b": Gradient()}])
def test_a_fit_logs_in_every_nth_epoch_and_leaves_the_training_alone(explainers):
    weights = []
    monitor = AgreementMonitor(explainers=explainers, top_k=2, rows=4, every_n_epochs=2)
    for callbacks in ([], [monitor]):
        module = Foreign()
        torch.manual_seed(3)
        trainer = quiet_trainer(max_epochs=3, callbacks=callbacks)
        trainer.fit(module, loader(), loader())
        weights.append(module.net[0].weight)
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    assert monitor.matrix._state("count") == 4  # of epoch 2; epoch 3 is skipped


def test_the_table_shows_the_agreement_of_any_module(capsys):
    monitor = AgreementMonitor(explainers=EXPLAINERS, top_k=3)
    trainer = quiet_trainer(callbacks=[monitor, AgreementTable()])
    module = Foreign()
    module.test_step = lambda batch, batch_idx: module.log("test_loss", module(batch[0]).mean())
    trainer.test(module, loader(), verbose=False)
    printed = capsys.readouterr().out
    value = f"{float(trainer.callback_metrics['test_agreement/rank_correlation']):.3f}"
    assert re.search(rf"rank correlation +│ {value} │  0.000", printed)
    assert "│ 3 integrated │" in printed  # the matrix


def test_a_model_with_one_output_has_no_common_share():
    module = Foreign(nn.Linear(FEATURES, 1))
    values = logged(module, loader(), AgreementMonitor(explainers=EXPLAINERS, top_k=2))
    assert "val_agreement/rank_agreement" in values
    assert "val_agreement/common_share" not in values


def test_a_submodule_and_batches_of_another_form():
    class WithoutForward(Foreign):
        forward = LightningModule.forward

    monitor = AgreementMonitor(
        explainers=list(EXPLAINERS.values()),
        top_k=2,
        model="net",
        batch_to_inputs=lambda batch: batch["x"],
    )
    data = DataLoader([{"x": loader().dataset.tensors}], batch_size=None)
    values = logged(WithoutForward(), data, monitor)
    assert "val_agreement/rank_agreement/gradient-input_x_gradient" in values


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "rows must be at least 1"),
        ({"every_n_epochs": 0}, "every_n_epochs must be at least 1"),
        ({"explainers": [Gradient()]}, "explainers must name two or more explainers"),
        ({"metric": "accuracy"}, "metric must be one of"),
        ({"output": "logits"}, "output must be one of"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AgreementMonitor(**arguments)


def test_batches_that_cannot_be_read_are_refused():
    with pytest.raises(TypeError, match=r"inputs .* and.* target.*AgreementMonitor.*dict of 'x'"):
        logged(Foreign(), DataLoader([{"x": 1}], batch_size=None), AgreementMonitor())


class OfBatch(Foreign):
    """Its forward takes the whole batch."""

    def forward(self, batch):
        return self.net(batch["x"])


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")  # torch's, of the wrong call
def test_a_forward_that_takes_the_batch_is_told_apart_from_its_network():
    batch = {"x": torch.rand(4, FEATURES), "y": torch.tensor([0, 1, 2, 0])}
    data = DataLoader([batch], batch_size=None)
    monitor = AgreementMonitor(batch_to_inputs=lambda batch: (batch["x"], batch["y"]))
    with pytest.raises((IndexError, TypeError)) as raised:
        logged(OfBatch(), data, monitor)
    called, where = raised.value.__notes__
    assert "called with inputs (4, 5)" in called
    assert "model='...'" in called
    assert where == "This happened in the callback AgreementMonitor."
    monitor.model = "net"
    assert "val_agreement/rank_agreement" in logged(OfBatch(), data, monitor)


def validate_on_rank(rank, world_size, rows):
    trainer = trainer_of_rank(
        rank,
        world_size,
        callbacks=[AgreementMonitor(explainers=EXPLAINERS, top_k=3, output="prob")],
    )
    trainer.validate(Confident(), loader(rows), verbose=False)
    return {name: value.item() for name, value in trainer.callback_metrics.items()}


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_two_processes_log_the_agreement_of_all_rows():
    alone = validate_on_rank(0, 1, 20)
    assert alone["val_agreement/saturated_rows"] > 1
    for of_rank in run_distributed(validate_on_rank, 20):
        assert of_rank == pytest.approx(alone)
