"""The DeepFaith configurations for images and texts, from the classifier on, on small files."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pear_lightning.cli import main
from pear_lightning.explainers import AmortizedExplainer
from pear_lightning.training.supervision_store import SupervisionStore

QUICK = ["--trainer.logger=false", "--trainer.enable_progress_bar=false",
         "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]  # fmt: skip
CUT = [
    *(f"--model.explainers.{name}.explainer.init_args.n_samples=6"
      for name in ("lime", "lime_prob", "kernel_shap_prob")),
    "--model.suite.init_args.n_steps=3", "--model.suite.init_args.n_subsets=4",
    "--model.removals.init_args.n_subsets=4", "--data.n_samples=8", "--data.batch_size=4",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_images(folder: Path) -> None:
    """Write tiny files of MNIST, Fashion-MNIST and CIFAR-10."""
    rng = np.random.default_rng(0)
    labels = (np.arange(40) % 10).astype(np.uint8)
    for part in ("train", "t10k"):
        images = rng.integers(256, size=(40, 28, 28), dtype=np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
            path = folder / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + values.tobytes()))
    images = rng.integers(256, size=(40, 32, 32, 3), dtype=np.uint8)
    splits = {"X_train": images, "y_train": labels, "X_test": images, "y_test": labels}
    np.savez(folder / "cifar10.npz", **splits)


def write_texts(folder: Path) -> None:
    """Write tiny files of AG News and IMDb."""
    rng = np.random.default_rng(0)
    words = ["goal", "bank", "film", "war", "good", "bad", "market", "phone", "win", "slow"]
    texts = [" ".join(rng.choice(words, size=rng.integers(3, 12))) for _ in range(40)]
    for folder_of, classes in (("ag_news", 4), ("imdb", 2)):
        (folder / folder_of).mkdir()
        labels = np.arange(40) % classes
        table = pd.DataFrame({"label": labels + 1, "title": texts, "text": texts})
        if classes == 2:
            table = pd.DataFrame({"text": texts, "label": labels})
        for name in ("train.csv", "test.csv"):
            table.to_csv(folder / folder_of / name, index=False, header=classes == 2)


def learns(data: str, folder: Path, small: list[str], features: int) -> None:
    """Train a classifier, explain it with priors, and learn from them."""
    short = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2",
             "--trainer.limit_val_batches=1"]  # fmt: skip
    main(["fit", "--config", f"deepfaith_{data}_classifier.yaml", *QUICK, *short, *small,
          f"--data.data_dir={folder}", "--data.batch_size=8"])  # fmt: skip
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    shutil.move(checkpoint, "classifier.ckpt")
    of_data = f"--data.data.init_args.data_dir={folder}"
    main(["predict", "--config", f"deepfaith_{data}_supervision.yaml", *QUICK[1:], *CUT, of_data])
    store = SupervisionStore("supervision")
    assert len(store.finished()) == 8
    assert "keep" in store.read().column_names
    common = ["--config", f"deepfaith_{data}_supervised.yaml", *QUICK, of_data,
              "--data.n_samples=8", "--data.batch_size=4",
              "--model.local_correlation.init_args.n_subsets=4"]  # fmt: skip
    cli = main(["fit", *common, "--trainer.max_epochs=2"])
    assert {"train_pattern_consistency_loss", "alpha"} <= set(cli.trainer.callback_metrics)
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    tested = main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}",
                   "--data.data.init_args.batch_size=4"])  # fmt: skip
    assert tested.trainer.callback_metrics["test_place"] >= 1
    explainer = AmortizedExplainer.load_from_checkpoint(checkpoint)
    batch = cli.model.explaining(cli.model.batch_of(next(iter(cli.datamodule.train_dataloader()))))
    saliency = explainer.saliency(batch)
    assert saliency.shape[1] <= features
    assert saliency.isfinite().all()
    assert saliency.std() > 0


@pytest.mark.slow
@pytest.mark.parametrize("data", ["mnist", "fashion_mnist", "cifar10"])
def test_images(data, tmp_path):
    write_images(tmp_path)
    small = ["--model.backbone.init_args.channels=[8, 8]"]
    learns(data, tmp_path, small, 64 if data == "cifar10" else 49)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["ag_news", "imdb"])
def test_texts(data, tmp_path):
    write_texts(tmp_path)
    small = [
        "--model.backbone.init_args.embedding_size=16",
        "--model.backbone.init_args.num_layers=1",
    ]
    learns(data, tmp_path / data, small, 256)
