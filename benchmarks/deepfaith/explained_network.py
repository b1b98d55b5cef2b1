"""The explained networks, trained."""

from pathlib import Path

import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.deepfaith.data import load
from benchmarks.deepfaith.problem import Part, Problem, with_predictions
from benchmarks.deepfaith.settings import Terms
from benchmarks.shared.classifier import Classifier
from benchmarks.shared.data_set import Data, Split
from benchmarks.shared.image_cnn import ImageCNN
from benchmarks.shared.model_inputs import model_inputs
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.text_cnn import TextCNN
from pear_lightning.nn import MLP
from pear_lightning.scoring.batch import Batch

MOST_ROWS = 20000
"""Rows that an explained network is trained on, at most."""


def problem_of(name: str, seed: int, terms: Terms, folder: Path, cache: Path) -> Problem:
    """Return a task with its trained network, from the cache where it is there.

    Args:
        name: Name of the task.
        seed: Seed of the network and of the samples.
        terms: Its terms.
        folder: Folder of the data.
        cache: Folder of the weights.
    """
    data, masker = load(name, folder)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(data.train.target), generator=generator)
    held_out = min(terms.val, len(order) // 6)
    chosen: dict[Part, Split] = {
        "val": data.train[order[:held_out]],
        "train": data.train[order[held_out : held_out + MOST_ROWS]],
    }
    tested = torch.randperm(len(data.test.target), generator=generator)[: terms.test]
    model, accuracy = _trained(data, chosen["train"], terms, seed, cache / "network.pt")
    parts: dict[Part, Split] = {
        "train": chosen["train"][torch.arange(min(terms.train, len(chosen["train"].target)))],
        "val": chosen["val"],
        "test": data.test[tested],
    }
    batches: dict[Part, Batch] = {}
    for part, split in parts.items():
        inputs, kwargs = model_inputs(model, split.inputs)
        batches[part] = with_predictions(model, Batch(inputs, None, None, kwargs))
    return Problem(name, seed, terms, model, masker, batches, accuracy, tested)


def _network(data: Data, terms: Terms) -> nn.Module:
    if terms.kind == "text":
        return TextCNN(len(data.words), data.classes)
    if terms.kind == "image":
        return ImageCNN()
    return MLP(data.train.inputs.shape[1], data.classes, (64, 64), dropout=0.1)


def _trained(
    data: Data, rows: Split, terms: Terms, seed: int, path: Path
) -> tuple[nn.Module, float]:
    """Return the trained network in eval mode, and its test accuracy."""
    torch.manual_seed(seed)
    model = _network(data, terms)
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["weights"])
        return model.eval().requires_grad_(False), saved["accuracy"]
    silence_lightning()
    classifier = Classifier(model, 2e-3, unknown=0.1 if terms.kind == "text" else 0.0)
    trainer = Trainer(max_epochs=terms.epochs, accelerator="cpu", barebones=True)
    loader = DataLoader(TensorDataset(rows.inputs, rows.target), batch_size=128, shuffle=True)
    trainer.fit(classifier, loader)
    model.eval().requires_grad_(False)
    found = 100 * _accuracy(model, data.test)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"weights": model.state_dict(), "accuracy": found}, path)
    return model, found


def _accuracy(model: nn.Module, rows: Split) -> float:
    parts = zip(rows.inputs.split(1000), rows.target.split(1000), strict=True)
    right = 0
    for tokens, target in parts:
        inputs, kwargs = model_inputs(model, tokens)
        found = with_predictions(model, Batch(inputs, None, None, kwargs)).target
        right += int((found == target).sum())
    return right / len(rows.target)
