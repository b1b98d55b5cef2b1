"""Reference data from training data of every kind."""

import itertools
import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from pear_lightning.callbacks import ExplanationRegularizer
from pear_lightning.explainers import ExpectedGradients, IntegratedGradients
from pear_lightning.losses import ConsensusLoss, ExpectedGradientsPrior
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.training.reference_data import _batches_per_epoch, reference_data_of
from tests.modules.helpers import loader, quiet_trainer, table
from tests.test_batch_forms import Foreign

ROWS = 48


class Stream(IterableDataset[Any]):
    """Rows of a table without a length, repeated without end if asked."""

    def __init__(self, *, endless: bool = False, mask: bool = False) -> None:
        x, y = table(ROWS).tensors
        marked = (x > 0.7).float() if mask else None
        self.parts = (x, y) if marked is None else (x, y, marked)
        self.endless = endless

    def __iter__(self) -> Iterator[Any]:
        rows = zip(*self.parts, strict=True)
        return itertools.cycle(rows) if self.endless else rows


class Nothing(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(())


def stream(**kwargs: Any) -> DataLoader[Any]:
    return DataLoader(Stream(**kwargs), batch_size=10)


def mean_of(module: nn.Module, name: str = "integrated_gradients") -> Tensor:
    explainers: Any = module.explainers
    return explainers[name].baseline.value  # type: ignore[no-any-return]


def test_the_mean_of_a_data_set_of_unknown_length() -> None:
    model = PEAR(MLP(6, hidden_features=(8,)), top_k=2)
    quiet_trainer().fit(model, stream(), stream())
    torch.testing.assert_close(mean_of(model), table(ROWS).tensors[0].mean(dim=0))


@pytest.mark.parametrize("limit", [{"max_steps": 2}, {"limit_train_batches": 2}])
def test_a_data_set_without_end_is_read_as_far_as_it_is_trained_on(limit: dict[str, int]) -> None:
    model = PEAR(MLP(6, hidden_features=(8,)))
    quiet_trainer(max_epochs=1, **limit).fit(model, stream(endless=True))
    torch.testing.assert_close(mean_of(model), table(ROWS).tensors[0][:20].mean(dim=0))


def test_accumulated_steps_read_several_batches() -> None:
    model = PEAR(MLP(6, hidden_features=(8,)))
    trainer = quiet_trainer(max_steps=2, accumulate_grad_batches=2)
    trainer.fit(model, stream(endless=True))
    torch.testing.assert_close(mean_of(model), table(ROWS).tensors[0][:40].mean(dim=0))


def test_rows_of_losses_from_a_data_set_of_unknown_length() -> None:
    module = RightForTheRightReasons(MLP(6, hidden_features=(8,)), loss=ExpectedGradientsPrior())
    quiet_trainer(max_epochs=1).fit(module, stream(mask=True))
    (explainer,) = module.loss.explainers.values()
    torch.testing.assert_close(explainer.background, table(ROWS).tensors[0])


def test_the_callback_on_a_data_set_of_unknown_length() -> None:
    regularizer = ExplanationRegularizer(ConsensusLoss())
    quiet_trainer(max_epochs=1, callbacks=[regularizer]).fit(Foreign(), stream())
    torch.testing.assert_close(mean_of(regularizer.loss), table(ROWS).tensors[0].mean(dim=0))


def test_batches_are_read_in_every_form() -> None:
    x, y = table(ROWS).tensors
    rows = [{"inputs": a, "labels": b} for a, b in zip(x, y, strict=True)]
    model = PEAR(MLP(6, hidden_features=(8,)))
    quiet_trainer(max_epochs=1).fit(model, DataLoader(rows, batch_size=16))
    torch.testing.assert_close(mean_of(model), x.mean(dim=0))


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.head(embeddings.mean(dim=1))  # type: ignore[no-any-return]


def test_token_ids_are_embedded_first() -> None:
    ids, y = torch.randint(9, (12, 4)), torch.arange(12) % 2
    model = PEAR(Text(), optimizer=lambda params: torch.optim.SGD(params, lr=0.0))
    rows = [{"input_ids": a, "labels": b} for a, b in zip(ids, y, strict=True)]
    quiet_trainer(max_epochs=1).fit(model, DataLoader(rows, batch_size=5))
    mean = model.backbone.embed(ids).mean(dim=0)
    torch.testing.assert_close(mean_of(model), mean.detach())


def test_inputs_of_several_shapes_have_no_mean() -> None:
    batches = [(torch.rand(2, n), torch.zeros(2).long()) for n in (4, 5)]
    model = PEAR(MLP(4))
    wanted = r"must not be the mean of the training data .* got inputs of torch\.float32, \(5,\)"
    with pytest.raises(ValueError, match=wanted):
        quiet_trainer().fit(model, DataLoader(batches, batch_size=None))


def test_training_data_without_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="must hold at least one batch to compute the training"):
        quiet_trainer(max_epochs=1).fit(PEAR(MLP(6)), DataLoader(Nothing()))


def test_a_data_set_with_a_length_is_read_whole() -> None:
    model = PEAR(MLP(6, hidden_features=(8,)))
    quiet_trainer(max_steps=1).fit(model, loader(ROWS))
    torch.testing.assert_close(mean_of(model), table(ROWS).tensors[0].mean(dim=0))


class MeanAlone:
    """A data module that knows the mean of its training rows, as one with a checkpoint does."""

    training_mean = torch.ones(3)

    def training_rows(self, n: int) -> Tensor:
        raise ValueError("there is no table")


def test_rows_are_read_only_for_explainers_that_use_them() -> None:
    integrated = IntegratedGradients(baseline="mean")
    mean, _ = reference_data_of(MeanAlone(), [integrated])
    assert torch.equal(mean, torch.ones(3))
    assert not integrated.uses_training_rows
    with pytest.raises(ValueError, match="there is no table"):
        reference_data_of(MeanAlone(), [integrated, ExpectedGradients()])


@pytest.mark.parametrize(
    ("batches", "max_steps", "accumulated", "at_most"),
    [(7, 1, 2, 7), (math.inf, 1, 1, 1), (math.inf, 3, 2, 6), (math.inf, -1, 2, None)],
)
def test_batches_of_an_epoch_are_those_of_the_data_or_else_of_the_steps(
    batches: float, max_steps: int, accumulated: int, at_most: int | None
) -> None:
    fit_loop = SimpleNamespace(max_batches=batches)
    trainer: Any = SimpleNamespace(
        fit_loop=fit_loop, max_steps=max_steps, accumulate_grad_batches=accumulated
    )
    assert _batches_per_epoch(trainer) == at_most
