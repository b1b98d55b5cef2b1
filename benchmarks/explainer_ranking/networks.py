"""Networks of the ranking of explainers, and their training."""

import time
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.explainer_ranking.data import MAX_TOKENS, PADDING, UNKNOWN, Data, Split
from pear_lightning.nn import MLP

EPOCHS = {"mnist": 4, "fashion": 8, "bank": 30, "ag_news": 8}


class ImageCNN(nn.Module):
    """Two convolutions and two linear layers, for images of 28 x 28."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.25), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(B, 10)`` of images ``(B, 1, 28, 28)``."""
        # no nn.Flatten: Captum's LRP has no rule for it
        logits: Tensor = self.classifier(self.features(inputs).flatten(1))
        return logits


class TextCNN(nn.Module):
    """A convolution over three words, the maximum over the text, a linear layer.

    The network takes embeddings, so that they can be explained; :meth:`embed` makes them of ids.
    Padding has the embedding 0 and reaches neither convolution nor maximum.

    Args:
        vocabulary: Number of words.
        classes: Number of classes.
        features: Length of an embedding.
        filters: Number of filters.
    """

    def __init__(
        self, vocabulary: int, classes: int, features: int = 64, filters: int = 128
    ) -> None:
        super().__init__()
        # no nn.Embedding: Captum's LRP has no rule for it, although it is not explained
        self.embedding = nn.Parameter(0.3 * torch.randn(vocabulary, features))
        self.convolution = nn.Conv2d(1, filters, (3, features), padding=(1, 0))
        self.activation = nn.ReLU()
        self.pooling = nn.MaxPool2d((MAX_TOKENS, 1))
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(filters, classes)

    def embed(self, tokens: Tensor) -> Tensor:
        """Return embeddings ``(B, 64, D)`` of token ids ``(B, 64)``."""
        embedded = nn.functional.embedding(tokens, self.embedding)
        return embedded.masked_fill((tokens == PADDING)[..., None], 0)

    def forward(self, inputs: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits ``(B, C)`` of embeddings ``(B, 64, D)``; the mask ``(B, 64)`` has words."""
        mask = attention_mask.to(inputs.dtype)[:, None, :, None]
        hidden = self.activation(self.convolution(inputs[:, None] * mask)) * mask
        logits: Tensor = self.output(self.dropout(self.pooling(hidden).flatten(1)))
        return logits


def network(name: str, data: Data) -> nn.Module:
    """Return the network of a data set, untrained."""
    if name == "ag_news":
        return TextCNN(len(data.words), data.classes)
    return MLP(data.train.inputs.shape[1]) if name == "bank" else ImageCNN()


def model_inputs(model: nn.Module, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what a network takes: inputs to explain, and its keyword arguments."""
    if isinstance(model, TextCNN):
        return model.embed(inputs), {"attention_mask": inputs != PADDING}
    return inputs, {}


class Classifier(LightningModule):
    """Trains a network with cross-entropy.

    Args:
        model: The network.
        learning_rate: Of AdamW, falling to 0 along a half cosine.
        unknown: Share of the words of a text that are hidden in training.
    """

    def __init__(self, model: nn.Module, learning_rate: float, unknown: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.learning_rate = learning_rate
        self.unknown = unknown

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Return the loss of a batch."""
        inputs, target = batch
        if self.unknown:
            hidden = (torch.rand(inputs.shape) < self.unknown) & (inputs != PADDING)
            inputs = inputs.masked_fill(hidden, UNKNOWN)
        embedded, kwargs = model_inputs(self.model, inputs)
        return nn.functional.cross_entropy(self.model(embedded, **kwargs), target)

    def configure_optimizers(self) -> Any:
        """Return AdamW and its schedule."""
        decay = 1e-2 if isinstance(self.model, TextCNN) else 2e-4
        optimizer = torch.optim.AdamW(self.parameters(), self.learning_rate, weight_decay=decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


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
    warnings.filterwarnings("ignore", module="lightning")
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
