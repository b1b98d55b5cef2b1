"""Under the Trainer, in a checkpoint, from YAML and on two processes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn

from pear_lightning.datamodules import BankMarketing, BreastCancer, TabularDataModule

pytestmark = [
    # a table in memory needs no workers
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    # lightning 2.6.6 with torch 2.13, in lightning/pytorch/utilities/_pytree.py
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
]


class Classifier(LightningModule):
    def __init__(self, n_features: int = 30, seed: int = 5, batch_size: int = 7) -> None:
        super().__init__()
        self.save_hyperparameters()  # names that the data module has too, with other values
        self.layer = nn.Linear(n_features, 2)

    def training_step(self, batch, _):
        inputs, target = batch
        return nn.functional.cross_entropy(self.layer(inputs), target)

    def validation_step(self, batch, _):
        inputs, target = batch
        accuracy = (self.layer(inputs).argmax(dim=1) == target).float().mean()
        self.log("accuracy", accuracy, batch_size=len(target))

    test_step = validation_step

    def predict_step(self, batch, _):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def make_trainer(folder: Path, **kwargs) -> Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}
    return Trainer(accelerator="cpu", default_root_dir=folder, **{**quiet, **kwargs})


def test_fit_test_predict(tmp_path):
    data = BreastCancer(val_fraction=0.2)
    trainer = make_trainer(tmp_path, max_epochs=10, logger=False, enable_checkpointing=False)
    model = Classifier()
    trainer.fit(model, data)
    (result,) = trainer.test(model, data, verbose=False)
    assert result["accuracy"] > 0.93
    assert sum(len(logits) for logits in trainer.predict(model, data)) == 143


@pytest.mark.filterwarnings("error:.*Total length of `list` across ranks is zero")
@pytest.mark.filterwarnings("error:.*have no `val_dataloader`")
def test_no_validation(tmp_path):
    trainer = make_trainer(tmp_path, max_epochs=1, logger=False, enable_checkpointing=False)
    trainer.fit(Classifier(), BreastCancer())
    assert trainer.global_step == 7


@pytest.mark.parametrize("as_path", [str, Path])
def test_hyperparameters_reload(tmp_path, as_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    frame.assign(y=[0, 1] * 20).to_csv(tmp_path / "rows.csv", index=False)
    data = TabularDataModule(
        as_path(tmp_path / "rows.csv"), target="y", val_fraction=0.2, scaling="none", seed=3
    )
    trainer = make_trainer(tmp_path, max_epochs=1)
    trainer.fit(Classifier(n_features=3), data)
    checkpoint = trainer.checkpoint_callback.best_model_path
    torch.load(checkpoint, weights_only=True)
    again = TabularDataModule.load_from_checkpoint(checkpoint)
    again.setup()
    assert again.hparams == data.hparams
    assert again.splits == data.splits
    for split in data.splits:
        assert torch.equal(again.rows(split).inputs, data.rows(split).inputs)


def test_a_data_frame_is_no_hyperparameter():
    frame = pd.DataFrame({"a": range(8), "y": [0, 1] * 4})
    assert "data" not in TabularDataModule(frame, target="y").hparams
    pair = TabularDataModule((np.ones((4, 2)), [0, 1, 0, 1]), (np.ones((4, 2)), [0, 1, 0, 1]))
    assert not {"data", "test_data"} & set(pair.hparams)


def test_named_tables_reload(tmp_path):
    rows = "a,b,class\n" + "1,2,0\n3,4,1\n" * 10
    for part in ("train", "test"):
        (tmp_path / f"bankmarketing-{part}.csv").write_text(rows)
    data = BankMarketing(tmp_path, junk_features="double", batch_size=4, val_fraction=0.2)
    assert data.hparams["data_dir"] == str(tmp_path)
    trainer = make_trainer(tmp_path, max_epochs=1)
    trainer.fit(Classifier(n_features=4), data)
    again = BankMarketing.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    again.setup()
    assert again.num_features == 4
    assert again.batch_size == 4


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
@pytest.mark.parametrize(
    ("config", "splits"),
    [
        (
            "class_path: pear_lightning.datamodules.BreastCancer\n"
            "init_args: {scaling: minmax, val_fraction: 0.2, junk_features: double}",
            {"train": 340, "val": 86, "test": 143},
        ),
        (
            "class_path: pear_lightning.datamodules.TabularDataModule\n"
            "init_args: {data: FOLDER/rows.csv, target: y, features: [a], task: classification}",
            {"train": 15, "test": 5},
        ),
        (
            "class_path: pear_lightning.datamodules.BankMarketing\n"
            "init_args: {data_dir: FOLDER, class_names: ['no', 'yes'], eval_batch_size: 8}",
            {"train": 20, "test": 20},
        ),
    ],
    ids=["breast cancer", "file", "paper's files"],
)
def test_yaml(tmp_path, config, splits):
    from lightning.pytorch.cli import LightningArgumentParser

    rows = "1,2,0\n3,4,1\n" * 10
    (tmp_path / "rows.csv").write_text("a,b,y\n" + rows)
    for part in ("train", "test"):
        (tmp_path / f"bankmarketing-{part}.csv").write_text("a,b,class\n" + rows)
    (tmp_path / "data.yaml").write_text(config.replace("FOLDER", str(tmp_path)))
    parser = LightningArgumentParser()
    parser.add_subclass_arguments(TabularDataModule, "data")
    config = parser.parse_args([f"--data={tmp_path / 'data.yaml'}"])
    data = parser.instantiate_classes(config).data
    data.setup()
    assert data.splits == splits


SCRIPT = """
import json, sys, torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import nn
from pear_lightning.datamodules import TabularDataModule

class Recorder(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.epochs = [[], []]
        self.tested = []

    def training_step(self, batch, _):
        self.epochs[self.current_epoch] += batch[0][:, 0].long().tolist()
        return self.layer(batch[0] / 100).mean()

    def test_step(self, batch, _):
        self.tested += batch[0][:, 0].long().tolist()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)

if __name__ == "__main__":
    seed_everything(1, verbose=False)
    rows = (torch.arange(40.0)[:, None], [0, 1] * 20)
    tests = (torch.arange(40.0, 50.0)[:, None], [0, 1] * 5)
    data = TabularDataModule(rows, tests, scaling="none", batch_size=8)
    model = Recorder()
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)
    with open(f"{sys.argv[1]}/rank{trainer.global_rank}.json", "w") as file:
        json.dump([*model.epochs, model.tested], file)
"""


@pytest.mark.slow
@pytest.mark.ddp
def test_each_process_sees_its_own_rows(tmp_path):
    import json

    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    for first, second in zip(*ranks, strict=True):
        assert not set(first) & set(second)
        assert len(first) == len(second)
    for epoch in (0, 1):
        assert sorted(ranks[0][epoch] + ranks[1][epoch]) == list(range(40))
    assert sorted(ranks[0][2] + ranks[1][2]) == list(range(40, 50))
    assert ranks[0][0] != ranks[0][1]  # shuffled anew
    assert ranks[0][0] != sorted(ranks[0][0])
