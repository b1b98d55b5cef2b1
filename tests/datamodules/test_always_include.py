from collections import Counter

import pytest
import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader, SequentialSampler

from pear_lightning.datamodules import AlwaysInclude, IrisCancer
from pear_lightning.datamodules.resumable_loader import ResumableLoader
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from tests.ddp import run_distributed
from tests.modules.helpers import quiet_trainer


def test_chosen_rows_take_turns_before_the_ordinary_ones():
    batches = list(AlwaysInclude(SequentialSampler(range(12)), 2, False, [20, 21, 22], 2))
    assert [batch[2:] for batch in batches] == [[i, i + 1] for i in range(0, 12, 2)]
    fronts = [row for batch in batches for row in batch[:2]]
    assert set(Counter(fronts).values()) == {4}
    assert all(len(set(batch)) == 4 for batch in batches)


@pytest.mark.parametrize(("rows", "per_batch"), [(5, 3), (4, 3), (3, 2), (7, 5)])
def test_no_batch_has_a_chosen_row_twice(rows, per_batch):
    """When the turns wrap around within a batch, rows that still wait are not drawn again."""
    batches = list(
        AlwaysInclude(range(4 * rows), 1, False, list(range(100, 100 + rows)), per_batch)
    )
    fronts = [batch[:per_batch] for batch in batches]
    assert all(len(set(front)) == per_batch for front in fronts)
    assert set(Counter(row for front in fronts for row in front).values()) == {4 * per_batch}


def test_all_of_them_is_the_papers_way():
    batches = list(AlwaysInclude(range(5), 2, True, [3, 1]))
    assert [sorted(batch[:2]) for batch in batches] == [[1, 3], [1, 3]]
    assert [batch[2:] for batch in batches] == [[0, 1], [2, 3]]
    assert len(AlwaysInclude(range(5), 2, True, [3], 9)) == 2


def test_epochs_differ_and_can_be_repeated():
    torch.manual_seed(3)
    batches = AlwaysInclude(range(40), 4, False, list(range(100, 130)), 2)
    first, second = list(batches), list(batches)
    assert first != second
    batches.epoch = 0
    assert list(batches) == first


def test_a_seed_of_the_sampler_replaces_the_global_one():
    """The seed of a ``DistributedSampler`` is that of all ranks, also if none was set."""
    orders = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        sampler = torch.utils.data.DistributedSampler(range(40), num_replicas=2, rank=1)
        orders.append(list(AlwaysInclude(sampler, 4, False, list(range(100, 130)), 2)))
    assert orders[0] == orders[1]


def test_a_loader_restores_the_seed_without_a_sampler_that_has_one():
    def loader(seed):
        torch.manual_seed(seed)
        batches = AlwaysInclude(SequentialSampler(range(40)), 4, False, list(range(30)), 2)
        return ResumableLoader(torch.arange(40), batch_sampler=batches)

    whole, again = loader(0), loader(1)
    again.load_state_dict(whole.state_dict())
    torch.testing.assert_close(list(again), list(whole))


class Fronts(Callback):
    """Records the annotated rows in front of each batch, by epoch."""

    def __init__(self):
        self.seen = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.setdefault(trainer.current_epoch, []).append(batch[0][:2].clone())


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_run_that_resumes_goes_on_with_the_order(shuffle, tmp_path):
    def fit(max_epochs, **arguments):
        torch.manual_seed(0)
        fronts = Fronts()
        data = IrisCancer(n_annotated=9, annotated_per_batch=2, batch_size=16, shuffle=shuffle)
        trainer = quiet_trainer(max_epochs=max_epochs, callbacks=[fronts])
        trainer.fit(RightForTheRightReasons(MLP(34)), data, **arguments)
        trainer.save_checkpoint(tmp_path / f"{max_epochs}.ckpt")
        return fronts.seen

    whole = fit(3)
    fit(1)
    resumed = fit(3, ckpt_path=tmp_path / "1.ckpt")
    assert list(resumed) == [1, 2]
    assert not torch.equal(torch.cat(whole[0]), torch.cat(whole[1]))
    for epoch, fronts in resumed.items():
        torch.testing.assert_close(fronts, whole[epoch])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="rows must hold at least one row"):
        AlwaysInclude(range(5), 2, False, [])
    with pytest.raises(ValueError, match="per_batch must be at least 1 or None, got 0"):
        AlwaysInclude(range(5), 2, False, [1], 0)
    with pytest.raises(ValueError, match="annotated_per_batch must be at least 0, got -1"):
        IrisCancer(annotated_per_batch=-1)


@pytest.mark.parametrize("shuffle", [True, False])
def test_annotated_data_modules_put_annotated_rows_in_every_batch(shuffle):
    data = IrisCancer(n_annotated=5, annotated_per_batch=3, batch_size=16, shuffle=shuffle)
    data.setup()
    batches = list(data.train_dataloader())
    assert [len(x) for x, *_ in batches] == [19, 19, 19, 19, 6]
    assert all(mask[:3].any(1).all() for *_, mask in batches)
    plain = IrisCancer(n_annotated=0, annotated_per_batch=3, batch_size=16)
    plain.setup()
    assert [len(x) for x, *_ in plain.train_dataloader()] == [16, 16, 16, 16, 3]


def loader_of_rank(rank, world_size):
    """What Lightning makes of the loader when it gives every rank its share."""
    torch.manual_seed(0)
    data = IrisCancer(n_annotated=6, annotated_per_batch=2, batch_size=8)
    trainer = quiet_trainer(max_epochs=1)
    data.setup()
    loader = data.train_dataloader()
    assert isinstance(loader, DataLoader)
    sampler = torch.utils.data.DistributedSampler(loader.dataset, world_size, rank)
    again = AlwaysInclude(sampler, 8, False, loader.batch_sampler.rows, per_batch=2)
    assert trainer.world_size == 1
    return [batch[:2] for batch in again], [row for batch in again for row in batch[2:]]


@pytest.mark.ddp
def test_ranks_share_the_ordinary_rows_and_begin_elsewhere_among_the_chosen():
    (fronts_a, rows_a), (fronts_b, rows_b) = run_distributed(loader_of_rank)
    assert set(rows_a) | set(rows_b) == set(range(67))
    assert len(rows_a) == len(rows_b) == 34
    assert fronts_a != fronts_b
