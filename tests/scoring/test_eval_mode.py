import copy

import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient, IntegratedGradients, Occlusion, explain
from pear_lightning.losses import LocalCorrelationLoss, RightReasonsLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import Deletion
from pear_lightning.scoring import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.scorer import predicted_classes


class Checkpointing(nn.Linear):
    """Has the attribute of timm's modules."""

    def __init__(self):
        super().__init__(2, 2)
        self.grad_checkpointing = True


def test_modes_and_flags_are_given_back():
    model = nn.Sequential(Checkpointing(), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)))
    model[1].eval()
    model[1][0].train()
    mean = model[1][1].running_mean
    with eval_mode(model):
        assert not any(each.training for each in model.modules())
        assert not model[0].grad_checkpointing
    assert [each.training for each in model.modules()] == [True, True, False, True, False]
    assert model[0].grad_checkpointing
    assert model[1][1].running_mean is mean


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.SyncBatchNorm])
def test_statistics_of_the_batch_are_refused_at_every_door(norm):
    body = nn.Sequential(nn.Linear(3, 4), norm(4, track_running_stats=False))
    model = nn.Sequential(body, nn.Linear(4, 2)).train()
    batch = Batch(torch.rand(6, 3), torch.tensor([0, 1] * 3), torch.ones(6, 3))
    masker = ColumnMasker(3)
    doors = [
        lambda: explain(model, batch.inputs, 0, [Gradient(), IntegratedGradients(5)]),
        lambda: explain(model, batch.inputs, 0, [Occlusion()]),
        lambda: explain(lambda x: model(x), batch.inputs, 0, [Gradient()]),
        lambda: RightReasonsLoss().of_model(model, batch),
        lambda: Deletion(masker).update(model, batch.inputs, batch.inputs, batch.target),
        lambda: LocalCorrelationLoss().evaluate(model, batch.inputs, masker),
        lambda: predicted_classes(model, batch),
    ]
    for door in doors:
        with pytest.raises(ValueError, match=rf"layer '0.1' \({norm.__name__}\) without running"):
            door()
    assert all(each.training for each in model.modules())
    with pytest.raises(ValueError, match=rf"got a layer \({norm.__name__}\) without running"):
        explain(body[1], torch.rand(6, 4), 0, [Gradient()])


def test_statistics_of_each_sample_are_not():
    layers = [nn.Unflatten(1, (3, 4)), nn.InstanceNorm1d(3), nn.GroupNorm(1, 3), nn.Flatten()]
    explain(nn.Sequential(*layers), torch.rand(6, 12), 0, [Gradient()])


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.BatchNorm1d(6), (6,)),
        (nn.BatchNorm2d(3), (3, 4, 4)),
        (nn.InstanceNorm2d(3, track_running_stats=True), (3, 4, 4)),
    ],
)
def test_a_step_in_train_mode_leaves_the_graph_of_an_explanation_alone(norm, shape):
    features = torch.Size(shape).numel()
    layers = [nn.Linear(features, features), nn.Unflatten(1, shape), norm, nn.Softplus()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 3))
    inputs = torch.rand(4, features)

    def gradients(steps):
        trained = copy.deepcopy(model).train()
        _, (attributions,) = explain(trained, inputs, 1, [Gradient()], create_graph=True)
        for _ in range(steps):
            trained(5 * inputs)  # moves the running statistics
        attributions.square().sum().backward()
        moved = not torch.equal(trained[2].running_mean, norm.running_mean)
        return moved, [p.grad for p in trained.parameters() if p.grad is not None]

    (before, wanted), (after, found) = gradients(0), gradients(2)
    assert (before, after) == (False, True)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
