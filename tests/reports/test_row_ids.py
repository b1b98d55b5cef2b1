import pytest
from torch.utils.data import DataLoader, DistributedSampler

from pear_lightning.reports.row_ids import first_loader, row_ids


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ids_are_positions_in_the_data_set(world_size):
    data = list(range(100, 111))
    for rank in range(world_size):
        sampler = DistributedSampler(data, world_size, rank, shuffle=False, drop_last=True)
        for loader in (
            DataLoader(data, batch_size=2, sampler=sampler),
            DataLoader(data, batch_sampler=_batches_of(sampler)),
        ):
            seen = 0
            for batch in loader:
                assert [data[i] for i in row_ids(loader, seen, len(batch))] == batch.tolist()
                seen += len(batch)


def _batches_of(sampler):
    from torch.utils.data import BatchSampler

    return BatchSampler(sampler, batch_size=3, drop_last=False)


def test_other_iterables_are_read_in_order():
    assert row_ids([1, 2], 5, 3) == range(5, 8)


@pytest.mark.parametrize("loaders", ["a", ["a", "b"], {"x": "a", "y": "b"}])
def test_the_first_loader(loaders):
    loader = DataLoader([1])
    if loaders == "a":
        assert first_loader(loader) is loader
    elif isinstance(loaders, list):
        assert first_loader([loader, None]) is loader
    else:
        assert first_loader({"x": loader, "y": None}) is loader
