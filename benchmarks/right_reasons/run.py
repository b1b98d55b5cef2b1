"""One run of the right-reasons benchmark: train a model, or one after another, and measure it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.right_reasons.data import make_data
from benchmarks.right_reasons.find_sequence import find_sequence
from benchmarks.right_reasons.measurement import measure
from benchmarks.right_reasons.module import make_module
from benchmarks.right_reasons.pictures import keep_pictures
from benchmarks.right_reasons.setting import Setting
from benchmarks.right_reasons.training import fit
from benchmarks.shared.finished_runs import Run


def run(
    experiment: str,
    name: str,
    setting: Setting,
    seed: int,
    data_dir: str | None,
    pictures: Path | None = None,
) -> Run:
    """Train and measure.

    Args:
        experiment: Name of the experiment.
        name: Name of the setting.
        setting: How to train.
        seed: Seed of the network, and of the data unless the setting has one.
        data_dir: Folder of the files of MNIST, Fashion-MNIST and 20 Newsgroups.
        pictures: Folder for gradients of the first test images; None keeps none.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cpu, wall = time.process_time(), time.perf_counter()
    models: list[dict[str, Any]] = []
    if setting.found:
        data = make_data(setting, seed, data_dir, n_annotated=0)
        sequence = find_sequence(setting, data, seed)
        backbones = sequence.trained
        inputs = data.rows("train").inputs
        for backbone, note in zip(backbones, sequence.notes, strict=True):
            marked = [sequence.explanation(backbone, rows) for rows in inputs.split(2000)]
            models.append({**note, "kept": float(torch.cat(marked).double().mean())})
    else:
        data = make_data(setting, seed, data_dir)
        before = time.process_time()
        module = make_module(setting, data, seed)
        trained = fit(module, data, setting.epochs, setting.switch_on)
        models.append({**trained, "train_cpu_seconds": round(time.process_time() - before, 2)})
        backbones = [module.backbone]
    for number, backbone in enumerate(backbones):
        models[number] |= measure(backbone, setting, data, seed, data_dir)
        if pictures is not None and setting.data in ("mnist", "toy"):
            keep_pictures(backbone, data, pictures / f"{experiment}-{name}-{seed}-{number}.npz")
    return {
        "experiment": experiment,
        "setting": name,
        "seed": seed,
        "options": asdict(setting),
        "models": models,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "seconds": round(time.perf_counter() - wall, 1),
    }
