import pytest
import torch
from lightning.pytorch import Trainer

from benchmarks.scores_activation.methods import METHODS
from benchmarks.scores_activation.modules import make_module
from benchmarks.scores_activation.table_settings import TABLES
from benchmarks.scores_activation.training import train
from pear_lightning.datamodules import SyntheticClassification

QUIET = dict.fromkeys(
    ["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False
)


@pytest.mark.parametrize("method", ["no gate", "ScoresActivation, tuned", "STG", "Deep Lasso"])
def test_the_plain_loop_trains_as_the_trainer_does(
    method: str, data: SyntheticClassification
) -> None:
    modules = []
    for in_trainer in (False, True):
        torch.manual_seed(1)
        module = make_module(METHODS[method], TABLES["16/5, 400"], data, list(range(6)), 3)
        loader = data.train_dataloader()
        torch.manual_seed(2)  # for gates that draw noise
        if in_trainer:
            Trainer(max_epochs=3, accelerator="cpu", **QUIET).fit(module, loader)
        else:
            assert train(module, loader, 3) == 9
        modules.append(module)
    pairs = zip(modules[0].named_parameters(), modules[1].parameters(), strict=True)
    for (name, ours), other in pairs:
        torch.testing.assert_close(ours, other, msg=name)
