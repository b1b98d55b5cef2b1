"""What is explained: a trained network, its features, and samples."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.deepfaith.settings import Terms
from pear_lightning.masking import Masker
from pear_lightning.scoring.batch import Batch

Part = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Problem:
    """A network, what its features are, and samples of three parts.

    Attributes:
        name: Name of the task.
        seed: Seed of the network and of the samples.
        terms: On what terms explainers are compared.
        model: The explained network, in eval mode.
        masker: The features.
        parts: The samples; their target is the class that the network predicts.
        accuracy: Test accuracy of the network, in percent.
        test_rows: Numbers of the test samples in the test rows of the data, which seeds share.
    """

    name: str
    seed: int
    terms: Terms
    model: nn.Module
    masker: Masker
    parts: dict[Part, Batch]
    accuracy: float
    test_rows: Tensor

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.masker.bind(self.parts["val"].inputs, self.data_of("val")).n_features)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        some = self.parts["val"].rows(slice(1))
        return int(self.model(some.inputs, **some.forward_kwargs).shape[1])

    def data_of(self, part: Part) -> dict[str, Tensor]:
        """Return the data of the samples that maskers take."""
        return dict(self.parts[part].sample_data)

    @property
    def at_once(self) -> int:
        """Number of samples that are explained and scored together."""
        return 200 if self.terms.kind == "table" else 20

    def chunks(self, part: Part) -> list[Batch]:
        """Return the samples of a part in batches."""
        batch, size = self.parts[part], self.at_once
        return [batch.rows(slice(start, start + size)) for start in range(0, len(batch), size)]


@torch.no_grad()
def with_predictions(model: nn.Module, batch: Batch) -> Batch:
    """Return samples whose target is the class that a network predicts."""
    logits = [
        model(each.inputs, **each.forward_kwargs)
        for each in (batch.rows(slice(i, i + 500)) for i in range(0, len(batch), 500))
    ]
    return batch.explaining(torch.cat(logits).argmax(dim=1))
