"""Samples next to their explanations."""

from copy import deepcopy
from functools import partial

import pyarrow as pa
import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from pear_lightning.callbacks import SupervisionWriter
from pear_lightning.datamodules import BreastCancer, SupervisionDataModule
from pear_lightning.datamodules.ragged import ragged
from pear_lightning.datamodules.unfinished_samples import UnfinishedSamples
from pear_lightning.explainers import InputXGradient, Occlusion, Prior, explain
from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.losses import LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.modules import DeepFaith, PriorExplanations
from pear_lightning.nn import (
    MLP,
    ExplainerMLP,
    ExplainerTransformer,
    SklearnClassifier,
    TextTokens,
)
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.removals import Removals
from pear_lightning.training.supervision_store import SupervisionStore
from tests.modules.helpers import quiet_trainer

N = 4
LOSS = LocalCorrelationLoss("table", n_subsets=5)


def rows(count=30, n=N):
    return torch.randn(count, n, generator=torch.Generator().manual_seed(0))


def small(masker, names):
    return FaithfulnessSuite(masker, names, n_subsets=10)


def model(n=N, f=None, removals=LOSS):
    torch.manual_seed(1)
    return PriorExplanations(
        MLP(n, hidden_features=(8,)) if f is None else f,
        ColumnMasker(n),
        "model_free",
        suite=small,
        quantile=0.0,  # several survivors
        similarity=1.0,
        removals=removals,
    )


def explained(folder, data=None, prior=None, **kwargs):
    data = SupervisionDataModule(rows() if data is None else data, str(folder), **kwargs)
    trainer = quiet_trainer(callbacks=[SupervisionWriter(str(folder))])
    trainer.predict(model() if prior is None else prior, data)
    data.setup("fit")
    return data


def test_a_run_resumes_within_an_epoch(tmp_path):
    data = explained(tmp_path / "store", batch_size=4, val_fraction=0.0)
    loader = data.train_dataloader()
    batches = iter(loader)
    done = [next(batches)["inputs"] for _ in range(3)]
    state = loader.state_dict()
    rest = [each["inputs"] for each in batches]
    assert len(done) + len(rest) == len(loader)
    again = data.train_dataloader()
    again.load_state_dict(state)
    torch.testing.assert_close([each["inputs"] for each in again], rest, rtol=0, atol=0)


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


def test_the_state_is_that_of_the_data(tmp_path):
    inner = BreastCancer(scaling="minmax")
    data = SupervisionDataModule(inner, str(tmp_path))
    data.setup("fit")
    state = data.state_dict()
    assert state["data"]["encoder"]["scaling"] == "minmax"
    other = SupervisionDataModule(BreastCancer(scaling="standard"), str(tmp_path))
    other.setup("fit")
    other.load_state_dict(state)
    assert torch.equal(other.training_rows(5), data.training_rows(5))
    assert torch.equal(next(iter(other.sample_loader()))[0], next(iter(data.sample_loader()))[0])
    plain = SupervisionDataModule(rows(), str(tmp_path))
    plain.load_state_dict(plain.state_dict())
    assert plain.state_dict() == {}


def test_the_encoding_and_the_names_are_those_of_the_data(tmp_path):
    inner = BreastCancer(val_fraction=0.25)
    f = MLP(30, hidden_features=(8,))
    data = explained(tmp_path, inner, model(30, f), n_samples=24, val_fraction=0.0)
    for name in ("encoding_id", "class_names", "feature_names", "group_names"):
        assert getattr(data, name) == getattr(inner, name)
    trained = DeepFaith(f, ExplainerMLP(30), ColumnMasker(30), local_correlation=LOSS)
    trainer = quiet_trainer(max_epochs=1, limit_val_batches=0)
    trainer.fit(trained, data)
    trainer.test(trained, inner, verbose=False)  # without a warning, which is an error
    with pytest.warns(UserWarning, match="encodes its rows differently from that of the fit"):
        trainer.test(trained, BreastCancer(val_fraction=0.5), verbose=False)
    plain = SupervisionDataModule(rows(), str(tmp_path))
    assert (plain.encoding_id, plain.feature_names) == (None, None)


@pytest.mark.parametrize("share", [0.2, 0.0])
def test_held_out_samples_are_validated_whatever_the_data_hold_out(tmp_path, share):
    inner = BreastCancer(scaling="standard", batch_size=16)  # without validation rows
    f = MLP(30, hidden_features=(8,))
    data = explained(tmp_path, inner, model(30, f), n_samples=24, val_fraction=share)
    trained = DeepFaith(f, ExplainerMLP(30), ColumnMasker(30), 0.5, local_correlation=LOSS)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(trained, data)
    assert ("val_loss" in trainer.callback_metrics) == bool(share)
    assert trainer.limit_val_batches == 1.0  # as it was before the fit


def test_another_model_is_not_trained_on_the_evaluations_of_the_first(tmp_path):
    f = MLP(N, hidden_features=(8,))
    data = explained(tmp_path, prior=model(f=f))
    masker = ColumnMasker(N)
    for other in (MLP(N, hidden_features=(8,)), MLP(N, hidden_features=(9,))):
        with pytest.raises(ValueError, match="target_model must be the model that was explained"):
            quiet_trainer().fit(DeepFaith(other, ExplainerMLP(N), masker, 0.5), data)
    with pytest.raises(ValueError, match="the class of the stored explanations, 'predicted'"):
        quiet_trainer().fit(DeepFaith(f, ExplainerMLP(N), masker, 0.5, explained="true"), data)
    for other in (ColumnMasker(N, baseline=1.0), ColumnMasker(N, groups=[[0, 1]])):
        with pytest.raises(ValueError, match=r"masker must be that of the stored explanations"):
            quiet_trainer().fit(DeepFaith(f, ExplainerMLP(N), other, 0.5), data)
    same = DeepFaith(f.double().float(), ExplainerMLP(N), masker, 0.5, local_correlation=LOSS)
    quiet_trainer(max_epochs=1).fit(same, data)


def test_a_classifier_that_was_fitted_anew_is_another_model(tmp_path):
    naive, labels = pytest.importorskip("sklearn.naive_bayes"), (rows()[:, 0] > 0).long()
    first, same, other = (
        SklearnClassifier(naive.GaussianNB()).fit(rows(), each)
        for each in (labels, labels, 1 - labels)
    )
    data = explained(tmp_path, prior=model(f=first), n_samples=20)
    with pytest.raises(ValueError, match="got one with other layers or weights, or another fit"):
        quiet_trainer().fit(DeepFaith(other, ExplainerMLP(N), ColumnMasker(N), 0.5), data)
    trained = DeepFaith(same, ExplainerMLP(N), ColumnMasker(N), 0.5, local_correlation=LOSS)
    quiet_trainer(max_epochs=1).fit(trained, data)
    again = model(f=other, removals=deepcopy(LOSS))  # a run that ends leaves it in eval mode
    with pytest.raises(ValueError, match="other target_model: "):
        explained(tmp_path, prior=again)


def test_supervision_of_the_true_class_is_imitated_as_that(tmp_path):
    """An exact explainer of all classes has no loss, whatever f predicts."""
    weights = torch.randn(3, N)
    f = nn.Linear(N, 3, bias=False)
    f.weight.data = weights

    class Exact(nn.Module):
        def forward(self, inputs):
            return inputs[:, :, None] * (weights - weights.mean(dim=0)).T

    labels = (f(rows()).argmin(dim=1)).detach()  # never the prediction
    data = TensorDataset(rows(), labels)
    prior = PriorExplanations(
        f, ColumnMasker(N), {"product": Prior(InputXGradient())}, explained="true", suite=small
    )
    pairs = explained(tmp_path, data, prior, val_fraction=0.0)
    trained = DeepFaith(f, Exact(), ColumnMasker(N), 1.0, explained="all")
    for batch in pairs.train_dataloader():
        assert torch.equal(batch["supervision_target"], batch["target"])
        loss = trained.training_loss(trained.batch_of(batch))["pattern_consistency_loss"]
        assert loss.item() == pytest.approx(0, abs=1e-5)
        of_predicted = {k: v for k, v in batch.items() if k != "supervision_target"}
        loss = trained.training_loss(trained.batch_of(of_predicted))["pattern_consistency_loss"]
        assert loss > 0.5


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


class Texts(Dataset):
    """Token ids of different lengths."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.arange(1, index % 5 + 3) + index

    def collate(self, samples, width=None):
        ids = torch.nn.utils.rnn.pad_sequence(samples, batch_first=True)
        if width is not None:
            ids = torch.nn.functional.pad(ids, (0, width - ids.shape[1]))
        return {"input_ids": ids, "attention_mask": (ids != 0).long()}


class OfTexts(nn.Module):
    """Logits of texts, regardless of padding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 2)

    def forward(self, ids, attention_mask):
        return (self.embed(ids) * attention_mask[..., None]).sum(dim=1).tanh()


@pytest.mark.parametrize("width", [None, 9])  # padded to the longest of a batch, or all alike
def test_texts_of_different_lengths_are_stored_without_padding(tmp_path, width):
    texts = Texts()
    loader = DataLoader(texts, batch_size=4, collate_fn=partial(texts.collate, width=width))

    class Data(LightningDataModule):
        def train_dataloader(self):
            return loader

    masker = TokenMasker(mask_token_id=19)
    f = OfTexts()
    prior = PriorExplanations(f, masker, "model_free", suite=small, removals=LOSS)
    data = explained(tmp_path, Data(), prior, batch_size=3, val_fraction=0.0)
    saved = SupervisionStore(tmp_path).read()
    for index, row in enumerate(saved):
        length = len(texts[index])
        assert {len(each) for each in [*row["saliency"], *row["keep"]]} == {length}
    network = ExplainerTransformer(TextTokens(vocabulary=20, n_tokens=9, dim=8), 1, 2)
    trained = DeepFaith(f, network, masker, 0.5, local_correlation=LOSS)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(trained, data.train_dataloader())
    assert trainer.callback_metrics["train_loss"] > 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_supervision_is_that_of_the_text_for_padding_on_either_side(tmp_path, side):
    texts, f, masker = Texts(), OfTexts(), TokenMasker(mask_token_id=19)

    def collate(samples):
        batch = texts.collate(samples)
        if side == "left":
            shift = (batch["attention_mask"] == 0).sum(dim=1)
            moved = map(torch.roll, batch["input_ids"], shift.tolist())
            batch = {"input_ids": torch.stack(list(moved))}
            batch["attention_mask"] = (batch["input_ids"] != 0).long()
        return batch

    class Data(LightningDataModule):
        def train_dataloader(self):
            return DataLoader(texts, batch_size=4, collate_fn=collate)

    occlusion = {"occlusion": Prior(Occlusion(masker))}
    prior = PriorExplanations(f, masker, occlusion, suite=small, removals=LOSS)
    data = explained(tmp_path, Data(), prior, batch_size=4, val_fraction=0.0)
    data.batch_size = 7
    module = DeepFaith(f, ExplainerTransformer(TextTokens(20, n_tokens=9, dim=8), 1, 2), masker)
    for batch in data.train_dataloader():
        read = module.batch_of(batch)
        _, (wanted,) = explain(
            f, read.batch.inputs, batch["supervision_target"], [occlusion["occlusion"].explainer],
            output="centered_logit",
            forward_kwargs=read.batch.forward_kwargs,
        )  # fmt: skip
        torch.testing.assert_close(read.supervision, read.bound.pool(wanted))
        assert read.removals.keep[~read.bound.present[:, None].expand_as(read.removals.keep)].all()
        removed = read.removals.keep.transpose(0, 1)
        again = masked_logits(f, read.batch, read.bound, removed, frozen=True).transpose(0, 1)
        counted = read.removals.weights > 0
        torch.testing.assert_close(read.removals.logits[counted], again[counted])


def test_token_ids_are_no_reference_data(tmp_path):
    data = SupervisionDataModule(torch.ones(6, 4).long(), str(tmp_path))
    data.setup("fit")
    with pytest.raises(TypeError, match=r"got token ids, torch\.int64; use explainers"):
        _ = data.training_mean
    with pytest.raises(TypeError, match="got token ids"):
        data.training_rows(3)


class Numbered(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return {"inputs": rows()[index], "ids": 100 + index}


def test_explanations_are_stored_by_position_whatever_numbers_samples_have(tmp_path):
    data = explained(tmp_path, Numbered(), batch_size=4, val_fraction=0.0)
    assert SupervisionStore(tmp_path).finished() == set(range(12))
    assert len(data.predict_dataloader()) == 0
    assert len(next(iter(data.train_dataloader()))["inputs"]) == 4


def test_lists_of_different_lengths_are_padded():
    lists = [[[1.0, 2.0]], [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], []]
    expected = torch.full((3, 2, 3), -1.0)
    expected[0, 0, :2] = torch.tensor(lists[0][0])
    expected[1] = torch.tensor(lists[1])
    column = pa.chunked_array([lists[:1], lists[1:]], type=pa.list_(pa.list_(pa.float32())))
    assert torch.equal(ragged(column, -1.0), expected)
    flat = pa.chunked_array([[[True, False], [True]]])
    assert ragged(flat, False).tolist() == [[True, False], [True, False]]


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
