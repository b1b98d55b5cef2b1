"""One run of the right-reasons benchmark: train a model, or one after another, and measure it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.right_reasons.settings import Setting
from benchmarks.right_reasons.training import (
    find_sequence,
    fit,
    gradients,
    looked_at,
    make_data,
    make_module,
    predict,
)
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.metrics import AttributionInside, WrongReason

EXPLAINED_ROWS = 2000
PICTURES = 6
_CORNERS, _TOP_MIDDLE = [0, 4, 20, 24], [1, 2, 3]


def run(
    experiment: str,
    name: str,
    setting: Setting,
    seed: int,
    data_dir: str | None,
    pictures: Path | None = None,
) -> dict[str, Any]:
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
            _keep(backbone, data, pictures / f"{experiment}-{name}-{seed}-{number}.npz")
    return {
        "experiment": experiment,
        "setting": name,
        "seed": seed,
        "options": asdict(setting),
        "models": models,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "seconds": round(time.perf_counter() - wall, 1),
    }


def measure(
    backbone: nn.Module, setting: Setting, data: Any, seed: int, data_dir: str | None
) -> dict[str, Any]:
    """Return accuracies, and where the model looks.

    Args:
        backbone: The trained network.
        setting: How it was trained.
        data: Its data.
        seed: Seed of the run.
        data_dir: Folder of the files.
    """
    train, test = data.rows("train"), data.rows("test")
    predicted = predict(backbone, test.inputs)
    classes = [
        float((predicted[test.target == each] == each).double().mean())
        for each in range(data.num_classes)
    ]
    result: dict[str, Any] = {
        "train": _share(predict(backbone, train.inputs) == train.target),
        "test": _share(predicted == test.target),
        "classes": [round(each, 4) for each in classes],
    }
    part = AnnotatedDataset(*test.__getitems__(list(range(min(EXPLAINED_ROWS, len(test))))))
    if setting.data == "iris":
        # columns of iris as they are: how well the model does with them, and how much it uses them
        kept = make_data(setting, seed, data_dir, test_iris="kept").rows("test")
        result["test_in"] = _share(predict(backbone, kept.inputs) == kept.target)
        marked = looked_at(gradients(backbone, kept.inputs))
        result["iris_share"] = _share_of(marked[:, :4].sum(), marked.sum())
    gradient = gradients(backbone, part.inputs)
    if setting.data == "toy":
        pixels = looked_at(gradient).view(len(part), 25, 3).any(dim=2)
        for name, places in {"corners": _CORNERS, "top_middle": _TOP_MIDDLE}.items():
            some = pixels.any(dim=1)
            inside = pixels[:, places].sum(dim=1)[some] / pixels.sum(dim=1)[some]
            result[name] = float(inside.double().mean())
    elif bool(part.mask.any()):
        wrong, share = WrongReason(), AttributionInside()
        wrong.update(gradient, part.mask)
        share.update(gradient, part.mask)
        result["wrong_reason"] = float(wrong.compute())
        result["threshold"] = float(wrong.threshold_used())
        result["without_score"] = float(wrong.undefined_share())
        result["inside"] = float(share.compute())
    log_p = torch.log_softmax(backbone(part.inputs).detach().double(), dim=1)
    result["entropy"] = float(-(log_p.exp() * log_p).sum(dim=1).mean())
    return result


def _keep(backbone: nn.Module, data: Any, path: Path) -> None:
    """Keep images and gradients of the first test images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = data.rows("test").inputs[:PICTURES]
    gradient = gradients(backbone, inputs)
    gradient = gradient / gradient.abs().amax(dim=1, keepdim=True).clamp(min=1e-300)
    images = (inputs / inputs.max() * 255).to(torch.uint8)
    np.savez_compressed(
        path,
        images=images.numpy(),
        gradients=gradient.to(torch.float16).numpy(),
        predicted=predict(backbone, inputs).numpy(),
        target=data.rows("test").target[:PICTURES].numpy(),
    )


def _share(correct: Tensor) -> float:
    return float(correct.double().mean())


def _share_of(part: Tensor, whole: Tensor) -> float:
    return float(part / whole) if whole else 0.0
