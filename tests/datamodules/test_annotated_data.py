"""Data with annotated reasons, against their constructions written out plainly."""

import gzip
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn

from pear_lightning.datamodules import (
    DecoyDigits,
    DecoyMNIST,
    IrisCancer,
    ToyColors,
    TwentyNewsgroups,
)
from pear_lightning.datamodules.annotated import AnnotatedDataModule
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.datamodules.idx_file import read_idx
from pear_lightning.datamodules.scaling import make_scaler
from tests.reference import annotated_data as reference


def ready(cls: Any, *args: Any, **kwargs: Any) -> Any:
    data = cls(*args, **kwargs)
    data.prepare_data()
    data.setup()
    return data


def write_idx(path: Path, values: np.ndarray) -> None:
    content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    content += values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, brightness in {"MNIST": 200, "FashionMNIST": 7}.items():
        folder = tmp_path / name / "raw"
        folder.mkdir(parents=True)
        for prefix, n, ending in (("train", 300, ".gz"), ("t10k", 200, "")):
            images = rng.integers(brightness, size=(n, 28, 28))
            write_idx(folder / f"{prefix}-images-idx3-ubyte{ending}", images)
            write_idx(folder / f"{prefix}-labels-idx1-ubyte{ending}", rng.integers(10, size=n))
    return tmp_path


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    for part, texts in {
        "train": ["God\nall not", "thank God", "not at all"],
        "test": ["no God"],
    }.items():
        rows = "".join(f'{i % 2},x,1,"{text}"\n' for i, text in enumerate(texts))
        (tmp_path / f"atheism-christian-{part}.csv").write_text("label,category,doc,text\n" + rows)
    return tmp_path


# --- toy colours


def test_toy_colors_follow_the_rules():
    data = ready(ToyColors, n_train=2000, n_test=500)
    for split in ("train", "test"):
        rows = data.rows(split)
        for image, label in zip(rows.inputs.view(-1, 5, 5, 3).numpy(), rows.target, strict=True):
            assert reference.rule_1(image) == reference.rule_2(image) == (label == 0)
    colours = {tuple(c) for c in data.rows("train").inputs.view(-1, 3).int().unique(dim=0).tolist()}
    assert colours == set(reference.COLOURS.values())
    assert data.rows("train").target.float().mean() == pytest.approx(0.5, abs=0.05)
    assert not data.rows("train").mask.any()


@pytest.mark.parametrize("label", [0, 1])
def test_toy_colors_are_distributed_as_those_drawn_one_by_one(label):
    rng = random.Random(0)
    expected = np.stack([reference.toy_image(label, rng) for _ in range(6000)]).reshape(-1, 25, 3)
    data = ready(ToyColors, n_train=12_000, n_test=1, flat=True)
    rows = data.rows("train")
    found = rows.inputs[rows.target == label].view(-1, 25, 3).numpy()
    # each pixel alone, and which pixels of the corners and of the top row are equal
    for colour in reference.COLOURS.values():
        shares = [(images == colour).all(-1).mean(0) for images in (found, expected)]
        np.testing.assert_allclose(*shares, atol=0.035)
    places = [0, 1, 2, 3, 4, 20, 24]
    for first in places:
        for second in places:
            shares = [(i[:, first] == i[:, second]).all(-1).mean() for i in (found, expected)]
            assert shares[0] == pytest.approx(shares[1], abs=0.035), (first, second)
    patterns = [
        np.unique((images[:, [[1], [2], [3]]] == images[:, [[2], [3], [1]]]).all((-2, -1)), axis=0)
        for images in (found, expected)
    ]
    np.testing.assert_array_equal(*patterns)


@pytest.mark.parametrize(
    ("mask", "pixels"),
    [
        ("none", []),
        ("corners", [0, 4, 20, 24]),
        ("top_middle", [1, 2, 3]),
        ("both", [0, 1, 2, 3, 4, 20, 24]),
        ("all_but_corners", [i for i in range(25) if i not in (0, 4, 20, 24)]),
        ("all_but_top_middle", [i for i in range(25) if i not in (1, 2, 3)]),
        ("all", list(range(25))),
    ],
)
def test_toy_masks(mask, pixels):
    flat = ready(ToyColors, mask, n_train=5, n_test=5).rows("train")
    marked = [3 * pixel + channel for pixel in pixels for channel in range(3)]
    assert all(row.nonzero().flatten().tolist() == marked for row in flat.mask)
    image = ready(ToyColors, mask, n_train=5, n_test=5, flat=False, scaling="unit").rows("train")
    assert image.inputs.shape == (5, 3, 5, 5)
    for each, whole in ((image.inputs * 255, flat.inputs), (image.mask, flat.mask)):
        assert torch.equal(each.permute(0, 2, 3, 1).flatten(1), whole)


# --- Iris-Cancer


@pytest.mark.parametrize("seed", [0, 7])
def test_iris_cancer(seed):
    from sklearn.datasets import load_breast_cancer, load_iris

    iris, cancer = load_iris(), load_breast_cancer()
    rows = [*np.flatnonzero(cancer.target == 0)[:50], *np.flatnonzero(cancer.target == 1)[:50]]
    table = np.hstack([iris.data[50:150], cancer.data[rows]])
    order = np.random.RandomState(seed).permutation(100)
    kept = ready(IrisCancer, "kept", seed=seed)
    zeroed = ready(IrisCancer, seed=seed)
    assert kept.splits == zeroed.splits == {"train": 67, "test": 33}
    for data in (kept, zeroed):
        for split, part in {"train": order[:67], "test": order[67:]}.items():
            expected = table[part]
            if data is zeroed and split == "test":
                expected[:, :4] = 0
            np.testing.assert_array_equal(data.rows(split).inputs, expected.astype(np.float32))
            np.testing.assert_array_equal(data.rows(split).target, (part >= 50).astype(int))
            assert data.rows(split).mask.sum(dim=0).tolist() == [len(part)] * 4 + [0] * 30


def test_iris_cancer_scales_with_training_statistics_only_if_asked():
    raw, scaled = ready(IrisCancer, "kept"), ready(IrisCancer, "kept", scaling="standard")
    train = raw.rows("train").inputs.double()
    mean, deviation = train.mean(0), train.std(0, correction=0)
    expected = (raw.rows("test").inputs.double() - mean) / deviation
    torch.testing.assert_close(scaled.rows("test").inputs, expected.float(), rtol=1e-4, atol=1e-4)
    zeroed = ready(IrisCancer, scaling="standard").rows("test").inputs
    assert not zeroed[:, :4].any()  # set to 0 afterwards, which is the mean here
    assert torch.equal(zeroed[:, 4:], scaled.rows("test").inputs[:, 4:])


@pytest.mark.parametrize("scaling", ["standard", "minmax", "quantile"])
def test_iris_cancer_scales_without_the_validation_rows(scaling):
    data = ready(IrisCancer, "kept", scaling=scaling, val_fraction=0.4)
    raw = ready(IrisCancer, "kept", val_fraction=0.4)
    scaler = make_scaler(scaling, len(raw.rows("train"))).fit(raw.rows("train").inputs.double())
    for split in data.splits:
        expected = torch.tensor(scaler.transform(raw.rows(split).inputs.double())).float()
        torch.testing.assert_close(data.rows(split).inputs, expected, rtol=1e-4, atol=1e-4)


# --- decoy digits


@pytest.mark.parametrize("seed", [0, 3])
def test_decoy_digits(seed):
    images, labels, masks = reference.decoy_digits(seed)
    data = ready(DecoyDigits, flat=False, seed=seed)
    for split, part in {"train": slice(1300), "test": slice(1300, None)}.items():
        rows = data.rows(split)
        np.testing.assert_allclose(rows.inputs[:, 0], images[part], atol=1e-7)
        np.testing.assert_array_equal(rows.target, labels[part])
        np.testing.assert_array_equal(rows.mask[:, 0], masks[part])
    flat = ready(DecoyDigits, seed=seed).rows("test")
    assert torch.equal(flat.inputs, data.rows("test").inputs.flatten(1))
    assert not ready(DecoyDigits, decoy=False).rows("train").mask.any()


# --- Decoy MNIST


@pytest.mark.parametrize("block_size", [4, 5])
@pytest.mark.parametrize(
    ("test_grey", "grey"),
    [("same", lambda y: 255 - 25 * y), ("reversed", lambda y: 25 * y), ("random", None)],
)
def test_decoy_mnist(digits, block_size, test_grey, grey):
    data = ready(DecoyMNIST, digits, flat=False, block_size=block_size, test_grey=test_grey)
    raw = digits / "MNIST" / "raw"
    for split, name in {"train": "train", "test": "t10k"}.items():
        ending = ".gz" if split == "train" else ""
        images = read_idx(raw / f"{name}-images-idx3-ubyte{ending}")
        labels = read_idx(raw / f"{name}-labels-idx1-ubyte{ending}")
        rows = data.rows(split)
        np.testing.assert_array_equal(rows.target, labels)
        corners = set()
        for i, image in enumerate(images):
            mask = rows.mask[i, 0].numpy()
            bottom, right = bool(mask[-1].any()), bool(mask[:, -1].any())
            corners.add((bottom, right))
            shown = rows.inputs[i, 0][mask].unique()
            assert len(shown) == 1
            if split == "train" or grey is not None:
                rule = grey if split == "test" else lambda y: 255 - 25 * y
                assert shown == rule(int(labels[i]))
            expected = image.copy()
            reference.decoy_block(expected, int(shown), bottom, right, block_size)
            np.testing.assert_array_equal(rows.inputs[i, 0], expected)
            assert mask.sum() == block_size**2
        assert len(corners) == 4


def test_drawn_grey_says_nothing_of_the_digit(digits):
    rows = ready(DecoyMNIST, digits).rows("test")
    shown = (255 - rows.inputs[rows.mask].view(200, 16)[:, 0]) / 25
    assert set(shown.tolist()) == set(range(10))
    assert (shown == rows.target).float().mean() < 0.25
    assert (shown[:, None] == shown[None, rows.target]).float().mean() < 0.25


def test_masks_of_every_quality(digits):
    def masks(kind: str, split: str = "train", **kwargs: Any) -> torch.Tensor:
        return ready(DecoyMNIST, digits, mask=kind, **kwargs).rows(split).mask

    own = masks("own_block")
    for kind, rule in {
        "half_block": reference.half_block,
        "wrong_place": reference.wrong_place,
    }.items():
        for row, right in zip(masks(kind), own, strict=True):
            assert row.nonzero().flatten().tolist() == rule(right.nonzero().flatten().tolist())
    corners = masks("all_corners").view(-1, 28, 28)
    assert (corners.sum((1, 2)) == 64).all()
    assert torch.equal(corners, corners.flip(1))
    assert torch.equal(corners, corners.flip(2))
    assert (own <= corners.flatten(1)).all()
    coins = masks("random")
    assert coins.float().mean() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(coins[0], coins[1])
    assert masks("all").all()
    assert not masks("none").any()
    assert not masks("own_block", decoy=False).any()
    for kind in ("half_block", "wrong_place", "random", "all", "none"):  # the images are the same
        data = ready(DecoyMNIST, digits, mask=kind)
        assert torch.equal(
            data.rows("train").inputs, ready(DecoyMNIST, digits).rows("train").inputs
        )
        assert torch.equal(data.rows("test").mask, masks("own_block", "test"))


def test_scalings(digits):
    raw = ready(DecoyMNIST, digits, fashion=True).rows("train").inputs
    assert raw.max() == 255
    unit = ready(DecoyMNIST, digits, fashion=True, scaling="unit").rows("train").inputs
    symmetric = ready(DecoyMNIST, digits, fashion=True, scaling="symmetric").rows("train").inputs
    torch.testing.assert_close(unit * 255, raw)
    torch.testing.assert_close((symmetric + 1) * 127.5, raw)


def test_fashion_is_another_folder(digits):
    data = ready(DecoyMNIST, digits, fashion=True, decoy=False)
    assert data.rows("train").inputs.max() < 7
    assert data.class_names[9] == "ankle boot"
    assert len(data.class_names) == DecoyMNIST("x").num_classes == 10
    assert DecoyMNIST("x").class_names == tuple("0123456789")
    inside = ready(DecoyMNIST, digits / "FashionMNIST" / "raw", fashion=True, decoy=False)
    assert torch.equal(inside.rows("train").inputs, data.rows("train").inputs)


@pytest.mark.parametrize("end", ["", "raw"])
@pytest.mark.parametrize(
    ("folder", "fashion"),
    [("MNIST", True), ("FashionMNIST", False), ("KMNIST", False), ("fashion-mnist", False)],
)
def test_files_in_the_folder_of_another_data_set_are_refused(
    digits, monkeypatch, folder, fashion, end
):
    where = digits / folder / end
    if not where.is_dir():
        (digits / "MNIST").rename(digits / folder)
    wanted = "FashionMNIST" if fashion else "MNIST"
    with pytest.raises(
        ValueError, match=rf"^data_dir must be the folder of {wanted}, .* folder of"
    ):
        DecoyMNIST(where, fashion=fashion).setup()
    monkeypatch.chdir(where)
    with pytest.raises(ValueError, match=f"data_dir must be the folder of {wanted}"):
        DecoyMNIST(".", fashion=fashion).setup()


def test_a_folder_named_after_one_data_set_may_hold_another(digits):
    (digits / "MNIST").rename(digits / "digits")
    above = digits / "MNIST"
    above.mkdir()
    (digits / "FashionMNIST").rename(above / "FashionMNIST")
    assert ready(DecoyMNIST, above, fashion=True, decoy=False).rows("train").inputs.max() < 7
    assert ready(DecoyMNIST, digits / "digits", decoy=False).rows("train").inputs.max() > 7


def test_idx_files_that_are_none(digits, tmp_path):
    (tmp_path / "bad").write_bytes(b"PNG.....")
    with pytest.raises(ValueError, match=r"must begin with 00 00 08, .*, got 50 4e 47"):
        read_idx(tmp_path / "bad")
    (tmp_path / "short").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 1]))
    with pytest.raises(ValueError, match=r"must hold values of shape \(3,\), .*, got 1 values"):
        read_idx(tmp_path / "short")
    labels = digits / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    write_idx(labels, np.zeros(3))
    with pytest.raises(ValueError, match="got 200 images and 3 labels"):
        DecoyMNIST(digits).setup()
    labels.unlink()
    with pytest.raises(FileNotFoundError, match="must hold t10k-labels-idx1-ubyte or"):
        DecoyMNIST(digits).setup()


def test_images_from_the_hub(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    from datasets import Dataset, Features, Image, Value

    (tmp_path / "hub").mkdir()
    images = {s: np.full((4, 28, 28), i, np.uint8) for i, s in enumerate(("train", "test"))}
    for split, values in images.items():
        Dataset.from_dict(
            {"image": list(values), "label": [0, 1, 2, 3]},
            features=Features({"image": Image(), "label": Value("int64")}),
        ).to_parquet(tmp_path / "hub" / f"{split}.parquet")
    ids = {"MNIST": str(tmp_path / "hub")}
    monkeypatch.setattr("pear_lightning.datamodules.digit_images.HUB_IDS", ids)
    data = ready(DecoyMNIST, cache_dir=str(tmp_path / "cache"))
    assert data.splits == {"train": 4, "test": 4}
    assert data.rows("train").target.tolist() == [0, 1, 2, 3]
    assert (data.rows("test").inputs[~data.rows("test").mask] == 1).all()
    ids["MNIST"] = str(tmp_path / "none")
    with pytest.raises(FileNotFoundError) as caught:
        DecoyMNIST(cache_dir=str(tmp_path / "cache")).prepare_data()
    assert "give data_dir" in caught.value.__notes__[0]


# --- 20 Newsgroups


def test_messages_become_weights(messages):
    data = ready(TwentyNewsgroups, messages, max_features=3, irrelevant_words=["God"])
    assert data.words == ["God", "all", "not"]  # the frequent ones, by the alphabet
    frequency = np.array([2, 2, 2])
    idf = np.log(4 / (frequency + 1)) + 1
    weights = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 1]]) * idf
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    np.testing.assert_allclose(data.rows("train").inputs, weights, atol=1e-6)
    assert data.rows("train").target.tolist() == [0, 1, 0]
    assert data.rows("test").inputs.tolist() == [[1, 0, 0]]
    assert data.rows("train").mask.tolist() == [[True, False, False]] * 3
    with pytest.raises(ValueError, match=r"irrelevant_words must be among the 3 .* \['Satan'\]"):
        TwentyNewsgroups(messages, 3, ["Satan"]).setup()


def test_messages_held_out_for_validation_have_no_part_in_the_weights(tmp_path):
    for part in ("train", "test"):
        texts = "".join(f"{i % 2},all {'both' if i > 3 else ''} word{i}\n" for i in range(10))
        (tmp_path / f"atheism-christian-{part}.csv").write_text("label,text\n" + texts)
    data = ready(TwentyNewsgroups, tmp_path, val_fraction=0.4)
    assert data.splits == {"train": 6, "val": 4, "test": 10}
    assert len(data.words) == 8
    train = data.rows("train").inputs
    used = (train > 0).sum(dim=0)
    assert (used > 0).all()
    own, common = train[0, used == 1].max(), train[0, used == 6]
    assert float(own / common) == pytest.approx(np.log(7 / 2) + 1)  # both idf of six messages


def test_messages_from_the_archive(tmp_path):
    for part in ("train", "test"):
        for group in ("alt.atheism", "soc.religion.christian"):
            folder = tmp_path / "20newsgroups" / f"20news-bydate-{part}" / group
            folder.mkdir(parents=True)
            (folder / "1").write_bytes(f"{group} caf\xe9".encode("latin-1"))
    data = ready(TwentyNewsgroups, tmp_path)
    assert data.rows("train").target.tolist() == [0, 1]
    assert "café" in data.words
    with pytest.raises(FileNotFoundError, match="20news-bydate-train"):
        TwentyNewsgroups(tmp_path / "20newsgroups" / "20news-bydate-train").setup()


def test_scikit_learn_fetches_messages(monkeypatch):
    class Found:
        data = ("thank God", "no God")
        target = (1, 0)
        target_names = ("alt.atheism", "soc.religion.christian")

    asked = []

    def fetch(**kwargs: Any) -> Any:
        asked.append((kwargs["subset"], kwargs["categories"]))
        assert not kwargs.get("remove")  # headers are kept
        return Found

    monkeypatch.setattr("sklearn.datasets.fetch_20newsgroups", fetch)
    data = ready(TwentyNewsgroups)
    assert data.rows("test").target.tolist() == [1, 0]
    assert {part for part, _ in asked} == {"train", "test"}
    assert all(each == ["alt.atheism", "soc.religion.christian"] for _, each in asked)

    def refuse(**kwargs: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr("sklearn.datasets.fetch_20newsgroups", refuse)
    with pytest.raises(OSError, match="no network") as caught:
        TwentyNewsgroups().prepare_data()
    assert "give data_dir" in caught.value.__notes__[0]


# --- what all share


class Numbers(AnnotatedDataModule):
    class_names = ("even", "odd")

    def load_rows(self) -> dict[str, AnnotatedDataset]:
        x = torch.arange(20.0)[:, None].expand(20, 3).contiguous()
        rows = AnnotatedDataset(x, torch.arange(20) % 2, torch.ones(20, 3, dtype=torch.bool))
        return {"train": rows, "test": rows}


def test_batches_splits_and_order():
    data = ready(Numbers, batch_size=6, val_fraction=0.25, eval_batch_size=5)
    assert data.splits == {"train": 15, "val": 5, "test": 20}
    split = {name: set(data.rows(name).inputs[:, 0].int().tolist()) for name in ("train", "val")}
    assert split["train"] | split["val"] == set(range(20))
    inputs, target, mask = next(iter(data.train_dataloader()))
    assert inputs.shape == mask.shape == (6, 3)
    assert mask.dtype == torch.bool
    assert torch.equal(inputs[:, 0] % 2, target.float())
    orders = [[b[0][:, 0].tolist() for b in data.train_dataloader()] for _ in range(2)]
    assert orders[0] == orders[1]  # a loader of its own begins with epoch 0
    loader = data.train_dataloader()
    assert [b[0][:, 0].tolist() for b in loader] != [b[0][:, 0].tolist() for b in loader]
    plain = ready(Numbers, shuffle=False, batch_size=6, drop_last=True)
    assert [b[0][:, 0].tolist() for b in plain.train_dataloader()] == [
        [float(i) for i in range(start, start + 6)] for start in (0, 6, 12)
    ]
    assert [len(b[0]) for b in data.val_dataloader()] == [5]
    assert ready(Numbers).val_dataloader() == []
    assert data.input_shape == (3,)
    torch.testing.assert_close(data.training_mean, data.rows("train").inputs.mean(0))
    assert len(data.training_rows(4).unique(dim=0)) == 4


def test_few_annotations_leave_the_first_rows():
    data = ready(Numbers, n_annotated=3)
    assert data.rows("train").mask.any(dim=1).tolist() == [True] * 3 + [False] * 17
    assert data.rows("test").mask.all()
    assert not ready(Numbers, n_annotated=0).rows("train").mask.any()
    masked = ready(ToyColors, "corners", n_train=4, n_test=2, n_annotated=2)
    assert masked.rows("train").mask.sum(dim=1).tolist() == [12, 12, 0, 0]


def test_the_first_annotated_rows_keep_their_masks():
    class Halves(Numbers):
        def load_rows(self) -> dict[str, AnnotatedDataset]:
            rows = super().load_rows()["train"]
            rows.mask[::2] = False
            return {"train": rows, "test": rows}

    rows = ready(Halves, n_annotated=3).rows("train")
    assert rows.mask.any(dim=1).nonzero().flatten().tolist() == [1, 3, 5]
    with pytest.raises(
        ValueError, match=r"must be at most 10, .* annotated rows among 20 training"
    ):
        ready(Halves, n_annotated=11)
    some = ready(Halves, val_fraction=0.5)
    most = int(some.rows("train").mask.any(dim=1).sum())
    few = ready(Halves, val_fraction=0.5, n_annotated=most)
    assert torch.equal(few.rows("train").mask, some.rows("train").mask)
    with pytest.raises(ValueError, match=f"must be at most {most}, .* annotated rows among 10"):
        ready(Halves, val_fraction=0.5, n_annotated=most + 1)


@pytest.mark.parametrize("asked", [{"n_annotated": 2}, {"annotated_per_batch": 2}])
@pytest.mark.parametrize(
    ("cls", "kwargs", "by"),
    [
        (ToyColors, {"n_train": 5, "n_test": 5}, "mask"),
        (DecoyDigits, {"decoy": False}, "decoy"),
        (DecoyMNIST, {"mask": "none"}, "mask"),
        (DecoyMNIST, {"decoy": False}, "mask and decoy"),
        (TwentyNewsgroups, {}, "irrelevant_words"),
    ],
)
def test_annotations_that_there_are_none_of_are_refused(cls, kwargs, by, asked, digits, messages):
    if cls in (DecoyMNIST, TwentyNewsgroups):
        kwargs = {"data_dir": digits if cls is DecoyMNIST else messages, **kwargs}
    (name,) = asked
    with pytest.raises(ValueError, match=f"^{name} must be .*, got 2; see {by}"):
        ready(cls, **kwargs, **asked)
    for none in (
        {},
        {"n_annotated": 0},
        {"n_annotated": 0, "annotated_per_batch": 2},
    ):  # what nobody asked for may be absent
        assert not ready(cls, **kwargs, **none).rows("train").mask.any()


def test_rows_can_be_keyed_and_masks_written_to():
    rows = ready(IrisCancer, n_annotated=0).rows("train")
    for i in (0, 66):
        inputs, target, mask = rows[i]
        assert torch.equal(inputs, rows.inputs[i])
        assert target == rows.target[i]
        assert torch.equal(mask, rows.mask[i])
    rows.mask[5, 7] = True
    assert rows[5][2].nonzero().tolist() == [[7]]


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (ToyColors, {"n_train": 50, "n_test": 20, "mask": "both"}),
        (IrisCancer, {"scaling": "minmax"}),
        (DecoyDigits, {"flat": False}),
        (DecoyMNIST, {"mask": "random", "n_annotated": 9}),
        (TwentyNewsgroups, {"max_features": 2, "val_fraction": 0.4}),
    ],
)
def test_seeds_and_hyperparameters(cls, kwargs, digits, messages):
    if cls in (DecoyMNIST, TwentyNewsgroups):
        kwargs = {"data_dir": digits if cls is DecoyMNIST else messages, **kwargs}
    data = ready(cls, seed=3, **kwargs)
    again = ready(cls, **data.hparams)
    for split in data.splits:
        for name in ("inputs", "target", "mask"):
            assert torch.equal(getattr(data.rows(split), name), getattr(again.rows(split), name))
    if cls is not TwentyNewsgroups:
        other = ready(cls, seed=4, **kwargs)
        assert not torch.equal(data.rows("train").inputs, other.rows("train").inputs)
        assert not torch.equal(data.rows("test").inputs, other.rows("test").inputs)


class Classifier(LightningModule):
    def __init__(self, seed: int = 5) -> None:
        super().__init__()
        self.save_hyperparameters()  # a name that the data module has too, with another value
        self.layer = nn.Linear(64, 10)

    def training_step(self, batch, _):
        inputs, target, mask = batch
        return nn.functional.cross_entropy(self.layer(inputs * ~mask), target)

    def test_step(self, batch, batch_idx):
        inputs, target, _ = batch
        self.log("accuracy", (self.layer(inputs).argmax(1) == target).float().mean())

    validation_step = test_step

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def test_under_the_trainer(tmp_path):
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=4,
        default_root_dir=tmp_path,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = DecoyDigits(val_fraction=0.1)
    trainer.fit(Classifier(), data)
    (result,) = trainer.test(Classifier(), data, verbose=False)
    assert 0 < result["accuracy"] < 1
    again = DecoyDigits.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    assert again.hparams == data.hparams


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_yaml(digits):
    from lightning.pytorch import LightningDataModule
    from lightning.pytorch.cli import LightningArgumentParser

    (digits / "data.yaml").write_text(
        "class_path: pear_lightning.datamodules.DecoyMNIST\n"
        f"init_args: {{data_dir: '{digits}', mask: half_block, n_annotated: 25, batch_size: 8}}"
    )
    parser = LightningArgumentParser()
    parser.add_subclass_arguments(LightningDataModule, "data")
    data = parser.instantiate_classes(parser.parse_args([f"--data={digits / 'data.yaml'}"])).data
    data.setup()
    assert data.splits == {"train": 300, "test": 200}
    assert int(data.rows("train").mask.sum()) == 25 * 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ToyColors("corner"), "mask must be one of .*, got 'corner'"),
        (lambda: ToyColors(scaling="x"), "scaling must be .*, got 'x'"),
        (lambda: ToyColors(n_test=0), "n_test must be at least 1, got 0"),
        (lambda: IrisCancer("gone"), "test_iris must be .*, got 'gone'"),
        (lambda: IrisCancer(scaling="x"), "scaling must be .*, got 'x'"),
        (lambda: DecoyMNIST(mask="x"), "mask must be one of .*, got 'x'"),
        (lambda: DecoyMNIST(test_grey="x"), "test_grey must be one of .*, got 'x'"),
        (lambda: DecoyMNIST(scaling="x"), "scaling must be one of .*, got 'x'"),
        (lambda: DecoyMNIST(block_size=15), "block_size must .*, got 15"),
        (lambda: TwentyNewsgroups(max_features=0), "max_features must be at least 1, got 0"),
        (lambda: DecoyDigits(n_annotated=-1), "n_annotated must be at least 0 or None, got -1"),
        (
            lambda: ready(IrisCancer, n_annotated=1000),
            "n_annotated must be at most 67, .* among 67 training rows, .* got 1000",
        ),
        (lambda: DecoyDigits(val_fraction=1.0), r"val_fraction must lie in \[0, 1\), got 1.0"),
        (lambda: DecoyDigits(batch_size=0), "batch_size must be at least 1, got 0"),
        (lambda: Numbers(val_fraction=0.01).setup(), "val_fraction must leave rows in both splits"),
        (lambda: ready(Numbers).rows("dev"), "split must be one of .*, got 'dev'"),
        (lambda: ready(Numbers).training_rows(0), "n must be at least 1, got 0"),
        (
            lambda: ready(Numbers, batch_size=21, drop_last=True).train_dataloader(),
            "batch_size must be at most .*, got 21",
        ),
        (
            lambda: AnnotatedDataset(torch.ones(2, 3), torch.ones(3), torch.ones(2, 3)),
            "target must have as many rows as inputs, 2, got 3",
        ),
        (
            lambda: AnnotatedDataset(torch.ones(2, 3), torch.ones(2), torch.ones(2, 2)),
            r"mask must have the shape .*, got \(2, 2\)",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_errors_of_another_kind():
    with pytest.raises(RuntimeError, match="call setup"):
        _ = DecoyDigits().splits
    with pytest.raises(NotImplementedError, match="use a subclass"):
        AnnotatedDataModule().setup()
    with pytest.raises(TypeError, match=r"mask must be bool, .*, got torch\.float32"):
        AnnotatedDataset(torch.ones(2, 3), torch.ones(2), torch.ones(2, 3))


def test_real_files(data_dir):
    data = ready(DecoyMNIST, data_dir)
    assert data.splits == {"train": 60_000, "test": 10_000}
    assert torch.bincount(data.rows("train").target)[[5, 1]].tolist() == [5421, 6742]
    assert (data.rows("train").mask.sum(dim=1) == 16).all()
    fashion = ready(DecoyMNIST, data_dir, fashion=True)
    assert (torch.bincount(fashion.rows("train").target) == 6000).all()
    news = ready(TwentyNewsgroups, data_dir)
    assert news.splits == {"train": 1079, "test": 717}
    assert torch.bincount(news.rows("test").target).tolist() == [319, 398]
    assert len(news.words) == 5000
