from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from benchmarks.right_reasons.data import make_data
from benchmarks.right_reasons.module import make_module
from benchmarks.right_reasons.settings import DIGITS
from benchmarks.right_reasons.training import fit


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [False, True])
def test_steps_are_those_of_the_trainer(shuffle: bool, tmp_path: Path) -> None:
    setting = DIGITS.but(weight=10.0, paper_init=not shuffle, decay=1e-4)
    results: list[Any] = []
    for by_trainer in (False, True):
        torch.manual_seed(7)  # decides the order of the rows
        data = make_data(setting, 3, None)
        assert data.shuffle is shuffle
        module = make_module(setting, data, 3)
        if by_trainer:
            trainer = Trainer(
                accelerator="cpu",
                max_epochs=2,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                default_root_dir=tmp_path,
            )
            trainer.fit(module, data)
            assert trainer.global_step == 42
        else:
            assert fit(module, data, epochs=2)["steps"] == 42
        results.append(torch.cat([p.detach().flatten() for p in module.backbone.parameters()]))
    assert torch.equal(*results)
