import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from pear_lightning.callbacks import ScoresLogger
from pear_lightning.modules import DeepLasso, ScoresActivationModule
from pear_lightning.nn import MLP, CancelOut, ScoresActivation
from tests.ddp import run_distributed
from tests.modules.helpers import quiet_trainer, sgd, table

pytestmark = pytest.mark.ddp
ROWS = 32


def build(kind):
    torch.manual_seed(0)
    backbone = MLP(6, hidden_features=(12,))
    if kind == "deep_lasso":
        return DeepLasso(backbone, 0.3, optimizer=sgd)
    gate = CancelOut(6) if kind == "cancel_out" else ScoresActivation(6, entropy_weight=0.1)
    return ScoresActivationModule(backbone, gate, optimizer=sgd)


def gradients_of_rank(rank, world_size, kind):
    """Gradients of one step through DistributedDataParallel, as Lightning runs it."""
    model = build(kind)
    x, y = table(ROWS).tensors

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
    return [p.grad for p in model.parameters()]


@pytest.mark.filterwarnings("ignore:the inputs of a feature gate")  # rows in [0, 1]
@pytest.mark.parametrize("kind", ["scores_activation", "cancel_out", "deep_lasso"])
def test_two_ranks_have_the_gradients_of_one_process(kind):
    alone = gradients_of_rank(0, 1, kind)
    for of_rank in run_distributed(gradients_of_rank, kind):
        torch.testing.assert_close(of_rank, alone, rtol=1e-5, atol=1e-7)


def fit(kind, **trainer_arguments):
    model = build(kind)
    logger = ScoresLogger(table=False)
    world = trainer_arguments.get("devices", 1)
    data = DataLoader(table(ROWS), batch_size=ROWS // world)  # a step takes all rows
    quiet_trainer(max_epochs=3, callbacks=[logger], **trainer_arguments).fit(model, data)
    return model, logger


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the inputs of a feature gate")  # rows in [0, 1]
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
@pytest.mark.parametrize("kind", ["scores_activation", "deep_lasso"])
def test_trainer_on_two_ranks_scores_as_on_one(kind):
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    alone, _ = fit(kind)
    together, _ = fit(kind, devices=2, strategy=strategy)
    torch.testing.assert_close(together.scores, alone.scores, rtol=1e-4, atol=1e-6)
