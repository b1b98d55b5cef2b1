"""One run of the PEAR benchmark: train a model, then measure it."""

import time
from dataclasses import asdict
from typing import Any

import torch
from lightning.pytorch import Trainer

from benchmarks.pear_tradeoff.classifiers import fit_classifier
from benchmarks.pear_tradeoff.linearity import nonlinearity
from benchmarks.pear_tradeoff.measurement import measure
from benchmarks.pear_tradeoff.module import make_module
from benchmarks.pear_tradeoff.settings import DATA_SETS, Setting
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.table_rows import table_rows


def train_and_evaluate(
    name: str, setting: Setting, data_set: str, seed: int, data_dir: str, max_epochs: int | None
) -> Run:
    """Train one model and measure everything that the report shows.

    Args:
        name: Name of the setting.
        setting: How to train.
        data_set: Name of the data set.
        seed: Seed of the weights and of the order of the batches.
        data_dir: Folder of the paper's files.
        max_epochs: Upper limit on the epochs, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    silence_lightning()
    start, cpu = time.perf_counter(), time.process_time()
    common: dict[str, Any] = {
        "batch_size": setting.batch_size,
        "eval_batch_size": 500,
        "scaling": setting.scaling,
        "junk_features": "double" if setting.junk else None,
    }
    data = DATA_SETS[data_set](data_dir, **common)
    legacy = DATA_SETS[data_set](data_dir, legacy_test_scaling=True, **common)
    data.setup()
    legacy.setup()
    record: Run = {
        "data_set": data_set,
        "setting": name,
        "seed": seed,
        "options": asdict(setting),
    }
    torch.manual_seed(seed)
    if setting.model in ("logistic_regression", "xgboost"):
        record |= fit_classifier(setting.model, data, legacy)
    else:
        record |= _train_network(setting, data, legacy, max_epochs)
    record["seconds"] = round(time.perf_counter() - start, 1)
    record["cpu_seconds"] = round(time.process_time() - cpu, 1)
    return record


def _train_network(
    setting: Setting, data: Any, legacy: Any, max_epochs: int | None
) -> dict[str, Any]:
    epochs = min(setting.n_epochs, max_epochs or setting.n_epochs)
    model = make_module(setting, data, epochs)
    before = time.process_time()
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", barebones=True)
    trainer.fit(model, data)
    cpu = time.process_time() - before
    record: dict[str, Any] = {
        "epochs": epochs,
        "steps": trainer.global_step,
        "ms_per_step": round(1000 * cpu / max(trainer.global_step, 1), 2),
    }
    torch.manual_seed(0)  # the same noise and masks for every model
    for scaling, rows in {"train": data, "own": legacy}.items():
        measured = measure(model, rows, junk=setting.junk)
        record |= {f"{name}_{scaling}": value for name, value in measured.items()}
    record["fvu"] = nonlinearity(model.backbone, table_rows(data, "test")[0])
    chance = model.test_agreement.chance()
    record["metrics"] = list(chance)
    record["chance"] = {name: round(value, 4) for name, value in chance.items()}
    return record
