"""A table, images and texts with a small model each, and what the plain formulas see of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.masking import ColumnMasker, Masker, PatchMasker, TokenMasker
from tests.reference.faithfulness import Hit, Output

Elements = list[list[tuple[int, ...]]]


@dataclass
class Case:
    """Inputs with a model, and which elements of a sample each of its features consists of."""

    model: nn.Module
    inputs: Tensor
    masker: Masker
    attributions: Tensor
    elements: Callable[[int], Elements]
    baseline: float = 0.0
    kwargs: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def target(self) -> Tensor:
        """The predicted classes."""
        with torch.no_grad():
            target: Tensor = self.model(self.inputs, **self.kwargs).argmax(dim=1)
        return target

    def rows(self, chosen: slice | list[int]) -> "Case":
        """Some of the samples."""
        numbers = range(len(self))[chosen] if isinstance(chosen, slice) else chosen
        return Case(
            self.model,
            self.inputs[chosen],
            self.masker,
            self.attributions[chosen],
            lambda i: self.elements(numbers[i]),
            self.baseline,
            {name: value[chosen] for name, value in self.kwargs.items()},
        )

    def saliency(self, i: int) -> list[float]:
        """Attributions of sample i added up over the elements of each feature."""
        row = self.attributions[i].numpy()
        return [sum(float(row[e]) for e in elements) for elements in self.elements(i)]

    def without(self, i: int, removed: frozenset[int]) -> Tensor:
        """Sample i with features at the baseline."""
        row = self.inputs[i].clone()
        elements = self.elements(i)
        for feature in removed:
            for element in elements[feature]:
                row[element] = self.baseline
        return row

    def removed(self, i: int, copy: Tensor) -> frozenset[int]:
        """Which features of sample i a copy lacks."""
        gone = (copy == self.baseline).numpy()
        return frozenset(
            feature
            for feature, elements in enumerate(self.elements(i))
            if all(gone[element] for element in elements)
        )

    def functions(self, i: int, target: int | None = None) -> tuple[Output, Hit]:
        """The probability of a class of sample i, and whether it is predicted, without features."""
        wanted = int(self.target[i]) if target is None else target
        kwargs = {name: value[i : i + 1] for name, value in self.kwargs.items()}

        @cache
        def logits(removed: frozenset[int]) -> list[float]:
            with torch.no_grad():
                values: list[float] = self.model(self.without(i, removed)[None], **kwargs).tolist()
            return values[0]  # type: ignore[return-value]

        def probability(removed: frozenset[int]) -> float:
            return torch.tensor(logits(removed), dtype=torch.float64).softmax(0)[wanted].item()

        def hit(removed: frozenset[int]) -> bool:
            values = logits(removed)
            return values.index(max(values)) == wanted

        return probability, hit


def mlp(n_inputs: int, n_classes: int = 3, dtype: torch.dtype = torch.float64) -> nn.Module:
    model = nn.Sequential(nn.Linear(n_inputs, 8), nn.Tanh(), nn.Linear(8, n_classes)).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def table(batch: int = 4, dtype: torch.dtype = torch.float64) -> Case:
    """Seven columns, two of which are one feature."""
    columns = [[0], [1, 3], [2], [4], [5], [6]]
    return Case(
        mlp(7, dtype=dtype),
        torch.randn(batch, 7, dtype=dtype),
        ColumnMasker(7, groups=[[3, 1]]),
        torch.randn(batch, 7, dtype=dtype),
        lambda i: [[(column,) for column in group] for group in columns],
    )


def images(batch: int = 3, dtype: torch.dtype = torch.float64) -> Case:
    """Two channels, 5 by 4 pixels, patches of 2 by 3 that do not divide them."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3)
    ).to(dtype)

    def elements(i: int) -> Elements:
        return [
            [
                (channel, y, x)
                for channel in range(2)
                for y in range(top, min(top + 2, 5))
                for x in range(left, min(left + 3, 4))
            ]
            for top in (0, 2, 4)
            for left in (0, 3)
        ]

    return Case(
        model,
        torch.randn(batch, 2, 5, 4, dtype=dtype),
        PatchMasker((2, 3), baseline=0.5),
        torch.randn(batch, 2, 5, 4, dtype=dtype),
        elements,
        baseline=0.5,
    )


class TextClassifier(nn.Module):
    """The mean embedding of what is not padding, through an MLP."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 6, dtype=dtype)
        self.head = mlp(6, dtype=dtype)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        weights = attention_mask[..., None].to(self.embedding.weight.dtype)
        sums = (self.embedding(ids) * weights).sum(dim=1)
        logits: Tensor = self.head(3 * sums / weights.sum(dim=1))
        return logits


def texts(
    lengths: tuple[int, ...] = (8, 3, 5, 6), side: str = "right", dtype: torch.dtype = torch.float64
) -> Case:
    """Texts of several lengths between 1 and 2, the special tokens; 0 is padding, 3 the mask."""
    longest = max(lengths) + 2
    ids = torch.zeros(len(lengths), longest, dtype=torch.long)
    attributions = torch.zeros(len(lengths), longest, dtype=dtype)
    places = []
    for i, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(length)
        start = 0 if side == "right" else longest - length - 2
        ids[i, start], ids[i, start + length + 1] = 1, 2
        here = range(start + 1, start + 1 + length)
        ids[i, here] = torch.randperm(26, generator=generator)[:length] + 4
        values = torch.randn(length, generator=generator, dtype=torch.float64)
        attributions[i, here] = values.to(dtype)
        places.append(here)
    torch.manual_seed(0)  # the same model whatever the lengths
    return Case(
        TextClassifier(dtype),
        ids,
        TokenMasker(mask_token_id=3, special_token_ids=[1, 2]),
        attributions,
        lambda i: [[(place,)] for place in places[i]],
        baseline=3,
        kwargs={"attention_mask": (ids != 0).long()},
    )


CASES: dict[str, Callable[[], Case]] = {"table": table, "images": images, "texts": texts}


class Recorder(nn.Module):
    """Remembers every row that goes through a model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.seen: list[Tensor] = []

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        self.seen.append(inputs)
        logits: Tensor = self.model(inputs, **kwargs)
        return logits

    @property
    def count(self) -> int:
        """How many rows there were."""
        return sum(len(rows) for rows in self.seen)


def score(metric: Any, case: Case, **options: Any) -> Tensor:
    """The scores of a case by a metric, ``(B,)``."""
    options = {"target": None, "forward_kwargs": case.kwargs, **options}
    values: Tensor = metric.score(case.model, case.inputs, case.attributions, **options)
    return values
