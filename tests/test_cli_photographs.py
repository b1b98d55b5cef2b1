"""Configurations of DeepFaith for large classifiers of photographs, with small ones."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from pear_lightning.cli import main
from pear_lightning.nn import timm_model
from pear_lightning.nn.timm_model import image_settings
from pear_lightning.scoring import Batch, Scorer, resolve_output
from pear_lightning.scoring.layer_output import layer_output_at

CONFIGS = Path(str(files("pear_lightning.configs")))
pytestmark = pytest.mark.vision
QUICK = ["--trainer.logger=false", "--trainer.enable_progress_bar=false",
         "--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.limit_train_batches=1",
         "--trainer.limit_val_batches=1", "--trainer.precision=32-true", "--data.batch_size=2",
         "--data.eval_batch_size=2", "--data.num_workers=0"]  # fmt: skip
OF_DEEPFAITH = ["--model.local_correlation.n_subsets=3", "--trainer.limit_test_batches=1"]
SMALL = "--model.network.tokens.arguments={depth: 1, embed_dim: 12}"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def photographs(folder: str, splits=("train", "test"), classes: int = 4, channels: int = 3) -> None:
    rng = np.random.default_rng(0)
    for split in splits:
        for number in range(classes):
            place = Path(folder, split, f"class{number}")
            place.mkdir(parents=True)
            for each in range(6):
                pixels = rng.integers(256, size=(60, 50, channels), dtype=np.uint8)
                Image.fromarray(pixels.squeeze()).save(place / f"{each}.png")


def sized(pixels: int) -> list[str]:
    """Return arguments for smaller images, which are explained in less time."""
    return [
        f"--{of}.image_size={pixels}" for of in ("data", "model.masker", "model.network.tokens")
    ]


def fits_and_tests(config: str, *arguments: str) -> None:
    common = ["--config", config, *QUICK, *OF_DEEPFAITH, *arguments]
    cli = main(["fit", *common])
    assert cli.trainer.global_step == 1
    assert all(p.isfinite().all() for p in cli.model.parameters())
    checkpoint = max(Path("checkpoints").glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    cli = main(["test", *common, f"--ckpt_path={checkpoint}"])
    assert "test_loss" in cli.trainer.callback_metrics


def test_photographs():
    photographs("photographs", splits=("",), classes=2)
    fits_and_tests(
        "deepfaith_photographs.yaml",
        "--model.target_model.name=test_efficientnet",
        "--model.target_model.pretrained=false",
        "--model.network.side_channels=256",
        *sized(64),
    )


def test_the_last_map_of_the_classifier_of_photographs_has_the_patches_of_the_configuration():
    settings = yaml.safe_load((CONFIGS / "deepfaith_photographs.yaml").read_text())
    arguments = settings["model"]["init_args"]
    target = arguments["target_model"]["init_args"]
    model = timm_model(target["name"], num_classes=3).eval()
    (layer,) = [name.removeprefix("hidden:") for name in arguments["side"]]
    images = torch.rand(1, 3, *image_settings(target["name"])["input_size"][1:])
    scorer = Scorer(model, Batch(images, torch.tensor([0])), resolve_output("logit"))
    channels = arguments["network"]["init_args"]["side_channels"]
    assert layer_output_at(scorer, images, layer).shape == (1, channels, 7, 7)
    assert images.shape[2:] == (224, 224)


def test_imagenet():
    photographs("imagenet", splits=("train", "val"))
    small = [f"--model.target_model.dict_kwargs.{size}" for size in ("depth=1", "embed_dim=12")]
    fits_and_tests(
        "deepfaith_imagenet.yaml",
        "--model.target_model.pretrained=false",
        "--model.network.tokens.pretrained=false",
        SMALL,
        *small,
        "--model.target_model.dict_kwargs.img_size=32",
        *sized(32),
    )


def test_oct():
    photographs("oct", channels=1)
    short = ["--trainer.limit_train_batches=1", "--data.val_fraction=0.2"]
    cli = main(["fit", "--config", "deepfaith_oct_classifier.yaml", *QUICK, *short,
                "--model.backbone.name=resnet10t", "--model.backbone.pretrained=false",
                "--data.image_size=32"])  # fmt: skip
    cli.trainer.save_checkpoint("classifier.ckpt")
    fits_and_tests(
        "deepfaith_oct.yaml",
        "--data.val_fraction=0.1",
        "--model.network.tokens.pretrained=false",
        *sized(32),
        SMALL,
    )
