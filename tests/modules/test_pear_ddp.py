import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from pear_lightning.explainers import Gradient, IntegratedGradients, KernelShap
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from tests.ddp import run_distributed
from tests.modules.helpers import quiet_trainer, sgd, table

pytestmark = pytest.mark.ddp
FEATURES, ROWS, GLOBAL_BATCH = 6, 64, 16


def explainers():
    average = IntegratedGradients(3, "mean", multiply_by_inputs=False)
    return {"gradient": Gradient(), "average": average}


def build(weight=0.5):
    torch.manual_seed(0)
    return PEAR(
        MLP(FEATURES, hidden_features=(12,)),
        weight,
        explainers=explainers(),
        test_explainers=explainers() | {"shap": KernelShap(64)},
        top_k=3,
        optimizer=sgd,
    )


def gradients_of_rank(rank, world_size, weight):
    """Gradients of one step through DistributedDataParallel, as Lightning runs it."""
    model = build(weight)
    x, y = table(GLOBAL_BATCH).tensors
    for explainer in model.explainers.values():
        explainer.fit_reference(x.mean(0), x)

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x, y):
            return self.model.training_loss((x, y))["loss"]

    step = Step()
    if world_size > 1:
        step = torch.nn.parallel.DistributedDataParallel(step)
    for _ in range(2):  # an unsynchronised first step shows in the second
        model.zero_grad()
        step(x[rank::world_size], y[rank::world_size]).backward()
    return [p.grad for p in model.backbone.parameters()]


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_two_ranks_have_the_gradients_of_one_process(weight):
    alone = gradients_of_rank(0, 1, weight)
    for of_rank in run_distributed(gradients_of_rank, weight):
        torch.testing.assert_close(of_rank, alone, rtol=1e-5, atol=1e-7)


def fit_and_test(**trainer_arguments):
    model = build()
    world = trainer_arguments.get("devices", 1)
    # a step takes all rows: Lightning's DistributedSampler shuffles, which one process does not
    train = DataLoader(table(ROWS), batch_size=ROWS // world)
    evaluate = DataLoader(table(ROWS, seed=1), batch_size=GLOBAL_BATCH // world)
    trainer = quiet_trainer(max_epochs=6, **trainer_arguments)
    trainer.fit(model, train, evaluate)
    metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
    tested = trainer.test(model, evaluate, verbose=False)[0]
    return model, metrics, tested


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_trainer_on_two_ranks_trains_and_measures_as_on_one():
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    alone, metrics, tested = fit_and_test()
    together, metrics_of_two, tested_of_two = fit_and_test(devices=2, strategy=strategy)
    for a, b in zip(alone.parameters(), together.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    value = together.explainers["average"].baseline.value
    torch.testing.assert_close(value, alone.explainers["average"].baseline.value)
    names = [name for name in metrics if name.startswith("val_")]
    assert len(names) >= 9
    assert {n: metrics_of_two[n] for n in names} == pytest.approx({n: metrics[n] for n in names})
    assert tested_of_two == pytest.approx(tested, rel=1e-5)
