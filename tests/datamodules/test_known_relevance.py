"""Synthetic tables with known relevance, against their formulas written out plainly."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification

from pear_lightning.datamodules import XOR, Friedman, InvaseSynthetic, SyntheticClassification
from pear_lightning.datamodules.known_relevance import KnownRelevance
from tests.reference import synthetic_tables as reference

SYN = ["syn1", "syn2", "syn3", "syn4", "syn5", "syn6"]
SMALL: list[tuple[Any, dict[str, Any], set[int]]] = [
    (SyntheticClassification, {"num_features": 10}, {1, 2, 3, 4, 5}),
    (SyntheticClassification, {"num_features": 16}, {1, 2, 3, 4, 5}),
    (InvaseSynthetic, {"name": "syn1"}, {1, 2}),
    (InvaseSynthetic, {"name": "syn2", "num_features": 100}, {3, 4, 5, 6}),
    (InvaseSynthetic, {"name": "syn3"}, {7, 8, 9, 10}),
    (InvaseSynthetic, {"name": "syn4"}, {1, 2, 3, 4, 5, 6, 11}),
    (InvaseSynthetic, {"name": "syn5"}, {1, 2, 7, 8, 9, 10, 11}),
    (InvaseSynthetic, {"name": "syn6"}, {3, 4, 5, 6, 7, 8, 9, 10, 11}),
    (XOR, {"variant": "l2x"}, {1, 2}),
    (XOR, {"variant": "corners"}, {1, 2, 3}),
    (Friedman, {}, {1, 2, 3, 4, 5}),
]
every_table = pytest.mark.parametrize(("kind", "options", "relevant"), SMALL)


def ready(kind: Any, **options: Any) -> Any:
    data = kind(**{"n_train": 160, "n_test": 80, **options})
    data.setup()
    return data


def rows_of(inputs: Any) -> list[dict[int, float]]:
    return [dict(enumerate(row, start=1)) for row in np.asarray(inputs).tolist()]


def marked(relevance: torch.Tensor) -> set[int]:
    return {int(i) + 1 for i in relevance.nonzero()}


def split(data: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    rows = data.rows(name)
    return rows.inputs, rows.target


@every_table
class TestEveryTable:
    def test_relevance(self, kind, options, relevant):
        data = ready(kind, junk_features=3, **options)
        assert marked(data.relevance) == relevant
        assert len(data.relevance) == data.num_features == len(data.feature_names)
        assert data.feature_names[:2] == ["x1", "x2"]
        assert data.test_relevance.shape == (80, data.num_features)
        assert set().union(*map(marked, data.test_relevance)) == relevant

    def test_standardised_with_training_statistics(self, kind, options, relevant):
        scaled, raw = ready(kind, **options), ready(kind, scaling="none", **options)
        inputs = split(raw, "train")[0]
        for part in ("train", "test"):
            expected = (split(raw, part)[0] - inputs.mean(0)) / inputs.std(0, correction=0)
            torch.testing.assert_close(split(scaled, part)[0], expected, rtol=1e-4, atol=1e-5)

    def test_no_row_is_in_both_splits_and_the_seed_decides(self, kind, options, relevant):
        first, again, other = (
            ready(kind, scaling="none", seed=seed, **options) for seed in (1, 1, 2)
        )
        for part in ("train", "test"):
            assert torch.equal(split(first, part)[0], split(again, part)[0])
            assert torch.equal(split(first, part)[1], split(again, part)[1])
            assert not torch.equal(split(first, part)[0], split(other, part)[0])
        train, test = (set(map(tuple, split(first, p)[0].tolist())) for p in ("train", "test"))
        assert len(train) == 160
        assert len(test) == 80
        assert not train & test
        # neither are the rows of one seed those of the next
        assert not train & set(map(tuple, split(other, "test")[0].tolist()))

    def test_validation_rows_come_from_the_training_rows(self, kind, options, relevant):
        data = ready(kind, val_fraction=0.25, **options)
        assert data.splits == {"train": 120, "val": 40, "test": 80}

    def test_other_sources_and_sizes_are_refused(self, kind, options, relevant):
        with pytest.raises(ValueError, match="data and hub_id must be None for"):
            kind(data="rows.csv", **options)
        with pytest.raises(ValueError, match="n_test must be at least 1, got 0"):
            kind(n_test=0, **options)
        with pytest.raises(ValueError, match=r"n(um_features|_informative) must .*, got"):
            kind(**{**options, "num_features": 2})


def test_relevance_is_that_of_the_chosen_features():
    options = {"name": "syn4", "junk_features": 1}
    every, chosen = (
        ready(InvaseSynthetic, **options),
        ready(InvaseSynthetic, exclude=["x2"], **options),
    )
    kept = [name != "x2" for name in every.feature_names]
    assert torch.equal(chosen.relevance, every.relevance[kept])
    assert torch.equal(chosen.test_relevance, every.test_relevance[:, kept])


def test_make_classification_is_split_not_drawn_twice():
    data = ready(SyntheticClassification, num_features=16, scaling="none", seed=3)
    inputs, target = make_classification(
        n_samples=240,
        n_features=16,
        n_informative=5,
        n_redundant=0,
        n_repeated=0,
        shuffle=False,
        class_sep=1,
        random_state=3,
    )
    pairs = {tuple(np.float32(row)): y for row, y in zip(inputs, target, strict=True)}
    seen = [
        pairs.pop(tuple(row.numpy())) for part in ("train", "test") for row in split(data, part)[0]
    ]
    assert seen == torch.cat([split(data, "train")[1], split(data, "test")[1]]).tolist()
    assert not pairs
    # rows of both classes everywhere, though they come cluster by cluster
    assert 0.3 < split(data, "test")[1].float().mean() < 0.7


def test_smaller_training_sets_are_parts_of_larger_ones():
    large = ready(SyntheticClassification, n_train=200, n_test=40, scaling="none")
    small = ready(SyntheticClassification, n_train=50, n_test=190, scaling="none")
    assert torch.equal(split(large, "train")[0][:50], split(small, "train")[0])
    assert torch.equal(split(large, "test")[0], split(small, "test")[0][-40:])


def probabilities(data: KnownRelevance) -> Any:
    """Chance of class 0 of test rows by the reference, and the classes that were drawn."""
    inputs, target = split(data, "test")
    if isinstance(data, InvaseSynthetic):
        chances = [reference.invase_probability_of_0(data.table, x) for x in rows_of(inputs)]
    else:
        chances = [reference.xor_probability_of_0(x) for x in rows_of(inputs)]
    return np.array(chances), target.numpy()


@pytest.mark.parametrize(
    ("kind", "options"), [*((InvaseSynthetic, {"name": n}) for n in SYN), (XOR, {})]
)
def test_classes_follow_the_probabilities(kind, options):
    data = ready(kind, n_test=4000, scaling="none", seed=5, **options)
    chance, target = probabilities(data)
    spread = chance * (1 - chance)
    # calibrated in every tenth, and as far from its chance as a draw is
    for tenth in np.array_split(np.argsort(chance), 10):
        error = (target[tenth] == 0).mean() - chance[tenth].mean()
        assert abs(error) < 4 * math.sqrt(spread[tenth].sum()) / len(tenth) + 1e-3
    assert (((target == 0) - chance) ** 2).mean() == pytest.approx(spread.mean(), abs=0.01)
    inputs = split(data, "test")[0]
    assert inputs.mean(0).abs().max() < 0.08
    assert (inputs.std(0) - 1).abs().max() < 0.06


@pytest.mark.parametrize("name", SYN)
def test_relevance_of_each_row(name):
    data = ready(InvaseSynthetic, name=name, scaling="none")
    for row, relevance in zip(rows_of(split(data, "test")[0]), data.test_relevance, strict=True):
        assert marked(relevance) == reference.invase_relevant(name, row)


def test_corners():
    data = ready(XOR, variant="corners", n_train=8000, scaling="none")
    inputs, target = split(data, "train")
    assert data.num_classes == 4
    assert torch.bincount(target).tolist() == [2000] * 4
    blocks = reference.corner_blocks(8000)
    rng = np.random.default_rng([0, 0])
    expected = rng.standard_normal((8000, 10))
    expected[:, :3] += [corner for corner, _ in blocks]
    order = rng.permutation(8000)
    np.testing.assert_allclose(inputs, expected[order], rtol=1e-5, atol=1e-6)
    assert target.tolist() == [blocks[i][1] for i in order]
    # no feature says anything alone, three together nearly everything
    for feature in range(3):
        means = torch.stack([inputs[target == c, feature].mean() for c in range(4)])
        assert means.abs().max() < 0.1


def test_corners_of_any_number_of_rows():
    data = ready(XOR, variant="corners", n_train=13, n_test=9)
    assert data.splits == {"train": 13, "test": 9}


def test_friedman_without_noise_is_the_formula():
    data = ready(Friedman, noise=0.0, scaling="none")
    for part in ("train", "test"):
        inputs, target = split(data, part)
        assert inputs.min() >= 0
        assert inputs.max() <= 1
        expected = torch.tensor([reference.friedman(x) for x in rows_of(inputs)])
        torch.testing.assert_close(target, expected, rtol=1e-4, atol=1e-4)
    noisy = ready(Friedman, n_test=4000, scaling="none")
    inputs, target = split(noisy, "test")
    noise = target - torch.tensor([reference.friedman(x) for x in rows_of(inputs)])
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"name must be .*, got 'syn7'"):
        InvaseSynthetic("syn7")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"variant must be .*, got 'and'"):
        XOR("and")  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="use a subclass"):
        ready(KnownRelevance, num_features=2)


def test_reloads_from_its_hyperparameters():
    data = InvaseSynthetic("syn4", n_train=50, n_test=20, seed=3)
    again = InvaseSynthetic(**data.hparams)
    for each in (data, again):
        each.setup()
    assert torch.equal(split(data, "test")[0], split(again, "test")[0])


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_yaml(tmp_path):
    from lightning.pytorch.cli import LightningArgumentParser

    from pear_lightning.datamodules import TabularDataModule

    (tmp_path / "data.yaml").write_text(
        "class_path: pear_lightning.datamodules.SyntheticClassification\n"
        "init_args: {num_features: 16, n_train: 40, n_test: 20, batch_size: 8}"
    )
    parser = LightningArgumentParser()
    parser.add_subclass_arguments(TabularDataModule, "data")
    config = parser.parse_args([f"--data={tmp_path / 'data.yaml'}"])
    data = parser.instantiate_classes(config).data
    data.setup()
    assert data.splits == {"train": 40, "test": 20}
    assert data.batch_size == 8
