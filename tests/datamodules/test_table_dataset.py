import pytest
import torch
from torch.utils.data import DataLoader

from pear_lightning.datamodules.table_dataset import TableDataset, as_batch


def make() -> TableDataset:
    return TableDataset(torch.arange(20.0).reshape(10, 2), torch.arange(10))


def test_batches_are_the_rows_that_the_sampler_names():
    batches = list(DataLoader(make(), batch_size=4, sampler=[9, 1, 4, 4, 0], collate_fn=as_batch))
    assert [target.tolist() for _, target in batches] == [[9, 1, 4, 4], [0]]
    assert torch.equal(batches[0][0][0], torch.tensor([18.0, 19.0]))


def test_workers_give_the_same_batches():
    data = make()
    plain = list(DataLoader(data, batch_size=4, collate_fn=as_batch))
    workers = list(DataLoader(data, batch_size=4, collate_fn=as_batch, num_workers=1))
    for (a, b), (c, d) in zip(plain, workers, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


def test_a_batch_is_fetched_by_one_call(monkeypatch):
    calls = []
    fetch = TableDataset.__getitems__
    monkeypatch.setattr(
        TableDataset, "__getitems__", lambda self, rows: calls.append(rows) or fetch(self, rows)
    )
    monkeypatch.delattr(TableDataset, "__getitem__")
    assert len(list(DataLoader(make(), batch_size=5, collate_fn=as_batch))) == 2
    assert calls == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_one_row():
    inputs, target = make()[3]
    assert inputs.tolist() == [6.0, 7.0]
    assert target.item() == 3


def test_lengths_have_to_agree():
    with pytest.raises(ValueError, match="target must have as many rows as inputs, 3, got 2"):
        TableDataset(torch.ones(3, 2), torch.ones(2))
