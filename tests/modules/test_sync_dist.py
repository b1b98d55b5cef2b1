"""Metrics of two processes are logged without advice about ``sync_dist``, and agree."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
import torch
from lightning.pytorch import Trainer
from pear_lightning.callbacks import ExplainerComparison, FaithfulnessMonitor
from pear_lightning.datamodules import DecoyDigits
from pear_lightning.explainers import Gradient, InputXGradient, Prior
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import (
    PEAR, DeepFaith, FindAnotherExplanation, RightForTheRightReasons
)
from pear_lightning.nn import MLP, ExplainerMLP

if __name__ == "__main__":
    pair = {"gradient": Gradient(), "product": InputXGradient()}
    network = lambda: MLP(64, 10, hidden_features=(8,))
    modules = [
        PEAR(network(), explainers=pair, test_explainers=pair, num_classes=10),
        RightForTheRightReasons(network(), num_classes=10),
        FindAnotherExplanation(network(), num_classes=10, max_models=1, epochs_per_model=1),
    ]
    monitor = FaithfulnessMonitor(ColumnMasker(64), rows=4, metrics=["infidelity"])
    results = []
    for module in modules:
        trainer = Trainer(
            accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, logger=False,
            limit_train_batches=1, limit_val_batches=1, limit_test_batches=1, callbacks=[monitor],
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )
        data = DecoyDigits(val_fraction=0.2, batch_size=32)
        trainer.fit(module, data)
        results.append({k: float(v) for k, v in trainer.callback_metrics.items() if "val" in k})
        results.append(trainer.test(module, data, verbose=False)[0])
    masker = ColumnMasker(64)
    suite = lambda masker, names: FaithfulnessSuite(masker, names, n_subsets=4)
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, logger=False,
        limit_train_batches=1, limit_val_batches=1, limit_test_batches=1,
        callbacks=[ExplainerComparison({"gradient": Prior(Gradient())}, suite=suite)],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    module = DeepFaith(network(), ExplainerMLP(64), masker)
    trainer.fit(module, data)
    results.append(trainer.test(module, data, verbose=False)[0])
    with open(f"{sys.argv[1]}/rank{trainer.global_rank}.json", "w") as file:
        json.dump(results, file)
"""


@pytest.mark.ddp
@pytest.mark.slow
def test_no_advice_about_sync_dist(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-W", "default", str(script), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode == 0, result.stderr
    assert "sync_dist" not in result.stderr
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert "val_accuracy" in first[0]
    assert "test_mean_rank" in first[-1]
