"""What is written of prior explanations, and what happens if it cannot be."""

import errno
import os
import resource
import signal
import stat

import pytest
import torch
from torch.utils.data import DataLoader

from pear_lightning.callbacks import SupervisionWriter
from pear_lightning.datamodules import SupervisionDataModule
from pear_lightning.explainers import KernelShap, Prior
from pear_lightning.losses import LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.modules import DeepFaith, PriorExplanations
from pear_lightning.nn import MLP, ExplainerMLP
from pear_lightning.training.supervision_store import SupervisionStore
from tests.modules.helpers import quiet_trainer

N = 5
LOSS = LocalCorrelationLoss("table", n_subsets=5)


def rows(count=22, seed=0):
    return torch.randn(count, N, generator=torch.Generator().manual_seed(seed))


def build(**kwargs):
    torch.manual_seed(1)
    defaults = {"suite": lambda m, names: FaithfulnessSuite(m, names, n_subsets=10)}
    return PriorExplanations(
        MLP(N, hidden_features=(8,)), ColumnMasker(N), "model_free", **defaults | kwargs
    )


def predict(folder, model=None, data=None, per_shard=8, **kwargs):
    model = build() if model is None else model
    data = SupervisionDataModule(rows(), str(folder), batch_size=4) if data is None else data
    writer = SupervisionWriter(str(folder), per_shard)
    assert quiet_trainer(callbacks=[writer], **kwargs).predict(model, data) is None
    return writer


def test_rows_hold_what_the_module_predicts(tmp_path):
    model = build(removals=LOSS, quantile=0.5, without_survivor="drop")
    predict(tmp_path, model)
    store = SupervisionStore(tmp_path)
    assert [path.name.split("-")[1] for path in store.shards()] == ["000000", "000001", "000002"]
    saved = store.read()
    assert saved["id"][:] == list(range(22))
    expected = build(removals=LOSS, quantile=0.5, without_survivor="drop").predict_step(rows(), 0)
    dropped = 0
    for number, row in enumerate(saved):
        survivors = expected["survivors"][number]
        names = [model.methods[k] for k in survivors.nonzero().flatten().tolist()]
        assert row["methods"] == names
        assert row["candidates"] == expected["candidates"][number].tolist()
        assert row["target"] == expected["target"][number]
        if names:
            found = torch.tensor(row["saliency"])
            torch.testing.assert_close(found, expected["saliency"][number][survivors])
            scores = expected["scores"][number][survivors]
            torch.testing.assert_close(torch.tensor(row["scores"]), scores)
        dropped += not names
        for name, values in expected["removals"].items():
            found = torch.tensor(row[name])
            torch.testing.assert_close(found, values[number], check_dtype=False)
    assert 0 < dropped == store.report().dropped  # recorded, not left out
    report = store.report()
    assert report.to_table() == model.report.to_table()
    assert report.evaluations == model.report.evaluations > 0


# of loaders with batches of their own; the batches have ids
@pytest.mark.filterwarnings("ignore:Couldn't infer the batch indices")
def test_a_plain_loader_is_written_with_positions_and_never_twice(tmp_path):
    model = build()
    predict(tmp_path, model, DataLoader(rows(), batch_size=5), limit_predict_batches=3)
    assert SupervisionStore(tmp_path).finished() == set(range(15))
    predict(tmp_path, model, DataLoader(rows(), batch_size=5))
    assert SupervisionStore(tmp_path).read()["id"][:] == list(range(22))
    batches = [{"inputs": rows(3), "ids": torch.tensor([30, 31, 7])}]
    predict(tmp_path, model, DataLoader(batches, batch_size=None))
    assert SupervisionStore(tmp_path).read()["id"][-2:] == [30, 31]
    with pytest.raises(ValueError, match="samples must have ids"):
        predict(tmp_path, model, DataLoader([rows(3)], batch_size=None))


def test_memory_is_bounded_by_a_shard(tmp_path):
    writer = SupervisionWriter(str(tmp_path), 6)
    held = []

    class Watch(PriorExplanations):
        def predict_step(self, batch, batch_idx):
            held.append(len(writer._rows))
            return super().predict_step(batch, batch_idx)

    model = build()
    model.__class__ = Watch
    trainer = quiet_trainer(callbacks=[writer])
    assert trainer.predict(model, DataLoader(rows(), batch_size=4)) is None
    assert max(held) < 6
    assert trainer.predict_loop.predictions == []


def test_an_exception_keeps_the_finished_samples(tmp_path):
    class Failing(PriorExplanations):
        def predict_step(self, batch, batch_idx):
            if batch_idx == 3:
                raise RuntimeError("no more")
            return super().predict_step(batch, batch_idx)

    model = build()
    model.__class__ = Failing
    with pytest.raises(RuntimeError, match="no more"):
        predict(tmp_path, model, per_shard=100)
    assert SupervisionStore(tmp_path).finished() == set(range(12))


def test_a_full_disk_raises_and_loses_nothing(tmp_path):
    predict(tmp_path, data=DataLoader(rows(8), batch_size=4))
    before = SupervisionStore(tmp_path).read().to_list()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))  # writing more raises OSError
        with pytest.raises(OSError, match="must be writable and have space for a shard of 8"):
            predict(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.glob("unfinished-*"))
    assert SupervisionStore(tmp_path).read().to_list() == before
    predict(tmp_path)
    assert SupervisionStore(tmp_path).read()["id"][:] == list(range(22))


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "its disk is full;"), (errno.EACCES, "Permission denied")]
)
def test_the_reason_is_named_and_nothing_unfinished_remains(tmp_path, monkeypatch, number, reason):
    def fails(store, rows, about, path):
        path.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(SupervisionStore, "_write_table", fails)
    with pytest.raises(OSError, match=f"a shard of 8 samples, got .*{reason}") as raised:
        predict(tmp_path)
    assert raised.value.errno == number
    assert not list(tmp_path.glob("unfinished-*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows does not open folders")
def test_names_of_shards_are_flushed_to_the_disk(tmp_path, monkeypatch):
    flushed = []

    def fsync(file):
        flushed.append(stat.S_ISDIR(os.fstat(file).st_mode))

    monkeypatch.setattr(os, "fsync", fsync)
    predict(tmp_path, data=DataLoader(rows(16), batch_size=4))
    assert flushed.count(True) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_shard_is_named_and_the_others_remain(tmp_path, damage):
    predict(tmp_path)
    store = SupervisionStore(tmp_path)
    whole = store.read().to_list()
    path = store.shards()[1]
    contents = bytearray(path.read_bytes())
    if damage == "flip":
        contents[len(contents) // 2] ^= 1
    path.write_bytes({"cut": contents[:-100], "flip": contents, "empty": b""}[damage])
    for use in (store.read, store.report, lambda: predict(tmp_path)):
        with pytest.raises(ValueError, match=rf"damaged file .*{path.name}; delete it"):
            use()
    path.unlink()
    assert len(store.finished()) == 14
    predict(tmp_path)
    assert store.read().to_list() == whole


def test_what_a_killed_process_left_is_removed_by_its_rank(tmp_path):
    names = [f"unfinished-{rank}-123" for rank in range(3)]
    for name in names:
        (tmp_path / name).write_bytes(b"half a shard")
    store = SupervisionStore(tmp_path)
    assert store.finished() == set()
    store.clear_unfinished(1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [names[0], names[2]]
    store.clear_unfinished(0, 2)  # rank 2 no longer exists
    assert not list(tmp_path.iterdir())


def test_other_settings_do_not_mix(tmp_path):
    predict(tmp_path, data=DataLoader(rows(8), batch_size=4))
    with pytest.raises(ValueError, match=r"same settings, got .* with other quantile"):
        predict(tmp_path, build(quantile=0.5))
    assert len(SupervisionStore(tmp_path).finished()) == 8


def variant(seed=1, masker=None, coalitions=16, n_subsets=10):
    torch.manual_seed(seed)
    return PriorExplanations(
        MLP(N, hidden_features=(8,)),
        ColumnMasker(N) if masker is None else masker,
        {"shap": Prior(KernelShap(coalitions))},
        suite=lambda m, names: FaithfulnessSuite(m, names, n_subsets=n_subsets),
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"seed": 2}, "target_model"),
        ({"masker": ColumnMasker(N, baseline=1.0)}, "masker"),
        ({"coalitions": 32}, "explainers"),
        ({"n_subsets": 12}, "probes"),
    ],
)
def test_another_model_masker_budget_or_suite_do_not_mix(tmp_path, change, name):
    data = DataLoader(rows(8), batch_size=4)
    predict(tmp_path, variant(), data)
    predict(tmp_path, variant(), data)  # the same, built again
    with pytest.raises(ValueError, match=rf"same settings, got .* with other {name}:"):
        predict(tmp_path, variant(**change), data)
    assert len(SupervisionStore(tmp_path).finished()) == 8


def test_an_id_in_two_shards_is_refused(tmp_path):
    predict(tmp_path)
    path = SupervisionStore(tmp_path).shards()[0]
    path.with_name(path.name.replace("000000-0", "000000-1")).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"each sample once, got 8 samples twice in .* as 0;"):
        SupervisionStore(tmp_path).read()


def test_other_modules_and_several_loaders_are_refused(tmp_path):
    other = DeepFaith(MLP(N), ExplainerMLP(N), ColumnMasker(N))
    with pytest.raises(TypeError, match="must be PriorExplanations"):
        predict(tmp_path, other, DataLoader(rows()))
    loaders = [DataLoader(rows(4), batch_size=4)] * 2
    model = build()
    model.__class__ = type("Two", (PriorExplanations,), {
        "predict_step": lambda self, batch, batch_idx, dataloader_idx=0: (
            PriorExplanations.predict_step(self, batch, batch_idx))})  # fmt: skip
    with pytest.raises(ValueError, match="dataloaders must be a single one"):
        predict(tmp_path, model, loaders)
    with pytest.raises(ValueError, match="rows_per_shard must be"):
        SupervisionWriter(str(tmp_path), 0)
