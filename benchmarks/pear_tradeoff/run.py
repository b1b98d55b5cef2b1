"""One run of the PEAR benchmark: train a model, then measure it."""

import time
from dataclasses import asdict
from typing import Any

import torch
from lightning.pytorch import Trainer

from benchmarks.pear_tradeoff.classifiers import fit_classifier
from benchmarks.pear_tradeoff.consensus import consensus_of_paper
from benchmarks.pear_tradeoff.data import data_of, masker_of
from benchmarks.pear_tradeoff.junk import junk_shares
from benchmarks.pear_tradeoff.linearity import nonlinearity
from benchmarks.pear_tradeoff.measurement import (
    accuracy,
    agreement_of_paper,
    aligned_agreement,
    common_share,
    measure,
)
from benchmarks.pear_tradeoff.module import make_module
from benchmarks.pear_tradeoff.setting import Setting
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.table_rows import table_rows

PAPER_GROUPS = ("paper", "centred", "reference", "ablation", "decay")
"""Groups that are compared with numbers measured with the paper's scaling of the test rows."""


def train_and_evaluate(
    name: str, setting: Setting, data_set: str, seed: int, data_dir: str, max_epochs: int | None
) -> Run:
    """Train one model and measure everything that the report shows.

    Args:
        name: Name of the setting.
        setting: How to train.
        data_set: Name of the data set.
        seed: Seed of the weights, of the order of the batches and of the held-out rows.
        data_dir: Folder of the files.
        max_epochs: Upper limit on the epochs, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    silence_lightning()
    start, cpu = time.perf_counter(), time.process_time()
    data = data_of(data_set, setting, seed, data_dir)
    own = None
    if setting.group in PAPER_GROUPS and data_set != "adult":
        own = data_of(data_set, setting, seed, data_dir, legacy_test_scaling=True)
    record: Run = {"data_set": data_set, "setting": name, "seed": seed, "group": setting.group}
    record["options"] = asdict(setting)
    torch.manual_seed(seed)
    if setting.is_network:
        record |= _train_network(setting, data, own, max_epochs)
    else:
        record |= fit_classifier(setting.model, data, own)
    record["seconds"] = round(time.perf_counter() - start, 1)
    record["cpu_seconds"] = round(time.process_time() - cpu, 1)
    return record


def _train_network(setting: Setting, data: Any, own: Any, max_epochs: int | None) -> dict[str, Any]:
    epochs = min(setting.n_epochs, max_epochs or setting.n_epochs)
    model = make_module(setting, data, epochs)
    before = time.process_time()
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", barebones=True, limit_val_batches=0)
    trainer.fit(model, data)
    cpu = time.process_time() - before
    network, mean, masker = model.backbone.eval(), data.training_mean, masker_of(data)
    rows, target = table_rows(data, "test")
    record: dict[str, Any] = {
        "epochs": epochs,
        "steps": trainer.global_step,
        "ms_per_step": round(1000 * cpu / max(trainer.global_step, 1), 2),
        "accuracy": accuracy(network, rows, target),
        "common_share": round(common_share(network, rows), 4),
    }
    if setting.held_out:
        held_out = table_rows(data, "val")
        record["val_accuracy"] = accuracy(network, *held_out)
        record["val_agreement"] = round(aligned_agreement(network, *held_out, mean, masker), 4)
    if setting.junk:
        n_real = data.num_features // 2
        record["junk"] = junk_shares(network, mean, rows, target, n_real)
        return record
    protocols = ["aligned"]
    aligned_only = setting.weight and setting.group in ("beyond", "levers", "trees")
    if not masker.groups and not aligned_only:
        protocols.append("paper")
    record |= measure(network, rows, target, mean, masker, protocols)
    if own is not None:
        own_rows, own_target = table_rows(own, "test")
        record["accuracy_own"] = accuracy(network, own_rows, own_target)
        record["agreement_own"] = agreement_of_paper(network, own_rows, own_target, mean, masker)
        record["consensus_own"] = consensus_of_paper(network, mean, own_rows, own_target)
        record["fvu"] = nonlinearity(network, rows)
    return record
