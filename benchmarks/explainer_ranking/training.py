"""The networks of the ranking of explainers, trained."""

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.shared.classifier import Classifier
from benchmarks.shared.data_set import Data, Split
from benchmarks.shared.image_cnn import ImageCNN
from benchmarks.shared.model_inputs import model_inputs
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.text_cnn import TextCNN
from pear_lightning.nn import MLP

EPOCHS = {"mnist": 4, "fashion": 8, "bank": 30, "ag_news": 8}


def network(name: str, data: Data) -> nn.Module:
    """Return the network of a data set, untrained."""
    if name == "ag_news":
        return TextCNN(len(data.words), data.classes)
    return MLP(data.train.inputs.shape[1]) if name == "bank" else ImageCNN()


def trained(
    name: str, data: Data, cache: Path, max_epochs: int | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the trained network of a data set, from the cache where it is there.

    Args:
        name: Name of the data set.
        data: The data set.
        cache: Folder for the weights.
        max_epochs: Upper limit on the epochs, for a trial.

    Returns:
        The network in eval mode, and a record of its training.
    """
    path = cache / "network.pt"
    model = network(name, data)
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["weights"])
        return model.eval().requires_grad_(False), saved["record"]
    silence_lightning()
    torch.manual_seed(0)
    model = network(name, data)  # from the seed, not from what was drawn before
    is_text = isinstance(model, TextCNN)
    classifier = Classifier(model, 2e-3, unknown=0.1 if is_text else 0.0)
    rows = TensorDataset(data.train.inputs, data.train.target)
    epochs = min(EPOCHS[name], max_epochs or EPOCHS[name])
    start = time.perf_counter()
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", barebones=True)
    trainer.fit(classifier, DataLoader(rows, batch_size=128, shuffle=True))
    seconds = time.perf_counter() - start
    model.eval().requires_grad_(False)
    record = {
        "epochs": epochs,
        "training_seconds": round(seconds, 1),
        "accuracy": round(100 * accuracy(model, data.test), 2),
        "parameters": sum(each.numel() for each in model.parameters()),
    }
    cache.mkdir(parents=True, exist_ok=True)
    torch.save({"weights": model.state_dict(), "record": record}, path)
    return model, record


@torch.no_grad()
def accuracy(model: nn.Module, rows: Split) -> float:
    """Return the share of rows that a network classifies correctly."""
    right = 0
    for inputs, target in zip(rows.inputs.split(1000), rows.target.split(1000), strict=True):
        embedded, kwargs = model_inputs(model, inputs)
        right += int((model(embedded, **kwargs).argmax(dim=1) == target).sum())
    return right / len(rows.target)
