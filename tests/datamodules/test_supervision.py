"""Samples next to their explanations."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from pear_lightning.callbacks import SupervisionWriter
from pear_lightning.datamodules import BreastCancer, SupervisionDataModule
from pear_lightning.datamodules.ragged import ragged
from pear_lightning.datamodules.unfinished_samples import UnfinishedSamples
from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.losses import LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.modules import DeepFaith, PriorExplanations
from pear_lightning.nn import MLP, ExplainerMLP, SklearnClassifier
from pear_lightning.scoring.removals import Removals
from pear_lightning.training.supervision_store import SupervisionStore
from tests.modules.helpers import quiet_trainer

N = 4
LOSS = LocalCorrelationLoss("table", n_subsets=5)


def rows(count=30, n=N):
    return torch.randn(count, n, generator=torch.Generator().manual_seed(0))


def model(n=N, f=None):
    torch.manual_seed(1)
    return PriorExplanations(
        MLP(n, hidden_features=(8,)) if f is None else f,
        ColumnMasker(n),
        "model_free",
        suite=lambda masker, names: FaithfulnessSuite(masker, names, n_subsets=10),
        quantile=0.0,  # several survivors
        similarity=1.0,
        removals=LOSS,
    )


def explained(folder, data=None, prior=None, **kwargs):
    data = SupervisionDataModule(rows() if data is None else data, str(folder), **kwargs)
    trainer = quiet_trainer(callbacks=[SupervisionWriter(str(folder))])
    trainer.predict(model() if prior is None else prior, data)
    data.setup("fit")
    return data


def all_pairs(loader):
    return {
        (int(seed), tuple(s.tolist()))
        for batch in loader
        for seed, s in zip(sample_seeds(batch["inputs"]), batch["supervision"], strict=True)
    }


def test_batches_pair_each_sample_with_each_of_its_explanations_and_evaluations(tmp_path):
    data = explained(tmp_path, val_fraction=0.2, batch_size=7)
    saved = SupervisionStore(tmp_path).read()
    by_seed = {int(seed): row for seed, row in zip(sample_seeds(rows()), saved, strict=True)}
    expected = {
        (seed, tuple(torch.tensor(s).tolist()))
        for seed, row in by_seed.items()
        for s in row["saliency"]
    }
    train, val = all_pairs(data.train_dataloader()), all_pairs(data.val_dataloader())
    assert len(expected) > 40
    assert train | val == expected
    assert len({seed for seed, _ in val}) == 6  # of 30 samples
    assert not {seed for seed, _ in train} & {seed for seed, _ in val}
    for batch in data.train_dataloader():
        read = Removals.of(batch["removals"])
        assert len(read) == len(batch["inputs"])
        for place, seed in enumerate(sample_seeds(batch["inputs"]).tolist()):
            for name, value in read.as_dict().items():
                torch.testing.assert_close(value[place], torch.tensor(by_seed[seed][name]))


def test_deepfaith_trains_with_stored_evaluations_alone(tmp_path):
    data = explained(tmp_path)

    def never(inputs):
        raise AssertionError("the explained model must not be evaluated")

    trained = DeepFaith(never, ExplainerMLP(N), ColumnMasker(N), 0.5, local_correlation=LOSS)
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(trained, data)
    logged = trainer.callback_metrics
    assert {"train_pattern_consistency_loss", "val_local_correlation_loss"} <= set(logged)


def test_any_data_module_is_read_by_position_and_delivers_reference_data(tmp_path):
    inner = BreastCancer(scaling="standard", batch_size=16)
    ensemble = pytest.importorskip("sklearn.ensemble")
    trees = ensemble.GradientBoostingClassifier(n_estimators=3, random_state=0)
    target = SklearnClassifier(trees)  # fitted to the samples, in order, before they are explained
    data = explained(tmp_path, inner, model(30, target), n_samples=24, batch_size=8)
    assert target.is_fitted
    assert len(SupervisionStore(tmp_path).finished()) == 24
    batch = next(iter(data.train_dataloader()))
    samples = inner.train_dataloader().dataset
    position = (samples.inputs == batch["inputs"][:1]).all(dim=1).nonzero().item()
    assert batch["target"][0] == samples.target[position]
    assert torch.equal(data.training_mean, inner.training_mean)
    assert torch.equal(data.training_rows(5), inner.training_rows(5))
    inner.setup("test")
    assert len(data.test_dataloader().dataset) == 143
    more = explained(tmp_path, inner, model(30, target), n_samples=40, batch_size=8)
    assert len(SupervisionStore(tmp_path).finished()) == 40  # the first 24 are among them
    assert len(more.val_dataloader().dataset) > 0


def test_reference_data_of_a_plain_data_set(tmp_path):
    data = SupervisionDataModule(TensorDataset(rows(), torch.zeros(30).long()), str(tmp_path))
    data.setup("fit")
    torch.testing.assert_close(data.training_mean, rows().mean(dim=0))
    drawn = data.training_rows(6)
    assert len(drawn) == 6
    assert all((rows() == row).all(dim=1).any() for row in drawn)


def test_changed_data_are_noticed(tmp_path):
    explained(tmp_path)
    changed = SupervisionDataModule(rows() + 1e-3, str(tmp_path), batch_size=4)
    changed.setup("fit")
    with pytest.raises(ValueError, match="data must be those that were explained"):
        next(iter(changed.train_dataloader()))


def test_training_without_explanations_says_what_to_run(tmp_path):
    data = SupervisionDataModule(rows(), str(tmp_path))
    data.setup("fit")
    with pytest.raises(FileNotFoundError, match=r"run trainer\.predict with PriorExplanations"):
        data.train_dataloader()


class Words(Dataset):
    """Rows of different lengths, padded by the collate function."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return torch.arange(1.0, index + 2)

    @staticmethod
    def collate(samples):
        padded = torch.nn.utils.rnn.pad_sequence(samples, batch_first=True)
        return {"inputs": padded}


def test_rows_of_different_lengths_are_padded(tmp_path):
    """As texts have them: a sample has as many features as tokens."""
    store = SupervisionStore(tmp_path)
    written = []
    for index in range(6):
        inputs = Words()[index][None]
        size = index + 1
        written.append({
            "id": index, "fingerprint": int(sample_seeds(Words.collate([*inputs])["inputs"])),
            "target": 0, "methods": ["a"], "saliency": [[float(index)] * size],
            "scores": [[0.0]], "candidates": [True], "survivors": [True],
            "undefined": [[False]], "without_survivor": False,
            "keep": [[False] * size] * 2, "logits": [[0.0, 1.0]] * 2, "original": [0.0, 1.0],
            "weights": [1.0, 1.0], "laws": [0, 1],
        })  # fmt: skip
    store.write(written, {"settings": {}})
    data = SupervisionDataModule(Words(), str(tmp_path), batch_size=1, val_fraction=0.0)
    data.setup("fit")
    data._collate = Words.collate
    pairs = data._pairs(validation=False)
    batch = pairs.__getitems__([2])
    assert batch["supervision"].tolist() == [[2.0, 2.0, 2.0]]
    table = pairs._rows[[0, 2]]
    assert ragged(table["saliency"], 0.0)[:, 0].tolist() == [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]]
    assert ragged(table["keep"], True)[0, 0].tolist() == [False, True, True]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_unfinished_samples_are_the_same_batches_for_any_number_of_processes(processes):
    samples = list(range(3, 25))

    def batches(finished):
        found = []
        for rank in range(processes):
            sampler = UnfinishedSamples(
                range(40), samples, finished, 4, num_replicas=processes, rank=rank
            )
            mine = list(DataLoader(range(40), batch_size=4, sampler=sampler, collate_fn=list))
            found += [tuple(batch) for batch in mine]
            assert len(sampler) == sum(map(len, mine))
        return sorted(found)

    whole = [tuple(samples[i : i + 4]) for i in range(0, len(samples), 4)]
    assert batches(set()) == whole
    assert batches({*whole[0], *whole[3]}) == [whole[1], whole[2], *whole[4:]]
    assert batches(set(samples)) == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": iter([])}, TypeError, "data must be a LightningDataModule"),
        ({"val_fraction": 1.0}, ValueError, "val_fraction must lie"),
        ({"batch_size": 0}, ValueError, "batch_size must be"),
        ({"n_samples": 0}, ValueError, "n_samples must be"),
    ],
)
def test_arguments_are_checked(change, error, message):
    with pytest.raises(error, match=message):
        SupervisionDataModule(**{"data": rows(), "folder": "nowhere"} | change)
