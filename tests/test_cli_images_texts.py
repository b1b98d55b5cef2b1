"""The shipped configurations for images and texts, on small files."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pear_lightning.cli import main
from pear_lightning.datamodules.text_tokenizer import train_tokenizer
from pear_lightning.nn import TransformersClassifier

CONFIGS = sorted(path.name for path in Path(str(files("pear_lightning.configs"))).glob("*.yaml"))
METHODS = ("pear", "right_reasons")
IMAGES = [name for name in CONFIGS if "cifar10" in name and name.startswith(METHODS)]
TEXTS = [
    name for name in CONFIGS if name.startswith(METHODS) and ("ag_news" in name or "sst2" in name)
]
QUICK = ["--trainer.logger=false", "--trainer.enable_progress_bar=false",
         "--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2",
         "--trainer.limit_val_batches=1", "--trainer.precision=32-true",
         "--data.batch_size=8", "--data.eval_batch_size=8"]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small_data(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(40, 32, 32, 3), dtype=np.uint8)
    labels = (np.arange(40) % 10).astype(np.uint8)
    splits = {"X_train": images, "y_train": labels, "X_test": images, "y_test": labels}
    np.savez(tmp_path / "cifar10.npz", **splits)
    words = ["goal", "bank", "film", "war", "good", "bad", "market", "phone", "win", "slow"]
    texts = [" ".join(rng.choice(words, size=rng.integers(3, 12))) for _ in range(40)]
    news = pd.DataFrame({"label": np.arange(40) % 4 + 1, "title": texts, "text": texts})
    for name in ("train.csv", "test.csv"):
        news.to_csv(tmp_path / name, index=False, header=False)
    films = pd.DataFrame({"sentence": texts, "label": np.arange(40) % 2})
    for name in ("train.tsv", "dev.tsv", "test_labelled.tsv"):
        films.to_csv(tmp_path / name, sep="\t", index=False)
    return tmp_path, texts


def fits_tests_and_predicts(config: str, arguments: list[str]) -> None:
    common = ["--config", config, *QUICK, *arguments]
    cli = main(["fit", *common])
    assert cli.trainer.global_step == 2
    assert all(p.isfinite().all() for p in cli.model.parameters())
    explained = "train_consensus" if config.startswith("pear") else "train_reasons"
    assert cli.trainer.callback_metrics[explained] > 0
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    cli = main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])
    assert cli.trainer.callback_metrics["test_accuracy"] >= 0
    writer = "--trainer.callbacks+=pear_lightning.callbacks.PredictionWriter"
    main(["predict", *common, writer, "--trainer.callbacks.output_dir=out",
          "--trainer.limit_predict_batches=1", f"--ckpt_path={checkpoint}"])  # fmt: skip
    saved = torch.load("out/predictions.pt")
    for attributions in saved["attributions"].values():
        assert len(attributions) == len(saved["prediction"]) == 8
        assert attributions.isfinite().all()


def test_every_method_has_its_configurations():
    assert [f"{method}_cifar10_{name}.yaml" for method in ("pear", "right_reasons")
                      for name in ("resnet", "vit")] == IMAGES  # fmt: skip
    assert [f"pear_{data}_{name}.yaml" for data in ("ag_news", "sst2")
                     for name in ("minilm", "transformer")] == TEXTS  # fmt: skip


@pytest.mark.vision
@pytest.mark.parametrize("config", IMAGES)
def test_images(config, small_data):
    small = ["--model.backbone.name=resnet10t"]
    if "vit" in config:
        small = [
            "--model.backbone.dict_kwargs.depth=1",
            "--model.backbone.dict_kwargs.embed_dim=12",
        ]
    if config.startswith("pear"):
        small.append("--model.test_explainers.kernel_shap.init_args.n_samples=32")
    fits_tests_and_predicts(config, [f"--data.data_dir={small_data[0]}", *small])


@pytest.mark.parametrize("config", TEXTS)
def test_texts(config, small_data):
    folder, texts = small_data
    arguments = [f"--data.data_dir={folder}"]
    arguments.append("--model.test_explainers.kernel_shap.init_args.n_samples=32")
    if "minilm" in config:
        tokenizer = train_tokenizer(texts, 100)
        tokenizer.save_pretrained(folder / "encoder")
        sizes = {"vocab_size": 100, "hidden_size": 8, "num_hidden_layers": 1}
        sizes |= {"num_attention_heads": 2, "intermediate_size": 8}
        TransformersClassifier({"model_type": "bert", **sizes}).model.save_pretrained(
            folder / "encoder"
        )
        arguments.append(f"--model.backbone.model={folder / 'encoder'}")
        arguments.append(f"--data.tokenizer={folder / 'encoder'}")
    fits_tests_and_predicts(config, arguments)
