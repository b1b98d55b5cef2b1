"""A run that resumes in the middle of an epoch visits the batches that were left."""

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from pear_lightning.datamodules import DecoyDigits, TabularDataModule


class Recorder(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen: list[list[float]] = []

    def training_step(self, batch, _):
        values = batch[0].flatten(1)
        self.seen.append(values.sum(1).tolist())
        return self.layer(values[:, :1]).mean()

    def validation_step(self, batch, _): ...

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def run(folder, data, *, seed=0, saved_at=None, ckpt_path=None, **kwargs):
    torch.manual_seed(seed)
    model = Recorder()
    callbacks = []
    if saved_at is not None:
        callbacks = [ModelCheckpoint(folder, "half", every_n_train_steps=saved_at)]
    trainer = Trainer(
        accelerator="cpu", default_root_dir=folder, max_epochs=3, logger=False, callbacks=callbacks,
        enable_checkpointing=saved_at is not None, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, **kwargs,
    )  # fmt: skip
    trainer.fit(model, data, ckpt_path=ckpt_path)
    return model.seen


def table(**kwargs):
    rows = (torch.arange(40.0)[:, None], [0, 1] * 20)
    return TabularDataModule(rows, test_fraction=0, scaling="none", batch_size=8, **kwargs)


DATA = {
    "table": table,
    "validation": lambda: table(val_fraction=0.2),
    "workers": lambda: table(num_workers=1),
    "annotated": lambda: DecoyDigits(batch_size=400),
    "annotated, in order": lambda: DecoyDigits(batch_size=400, shuffle=False),
    "annotated in every batch": lambda: DecoyDigits(
        batch_size=400, n_annotated=9, annotated_per_batch=2
    ),
}


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("limit", [1.0, 3])
@pytest.mark.parametrize("steps", [2, 5])
def test_resumed_run_sees_the_batches_of_the_whole_run(tmp_path, name, limit, steps):
    if name == "workers" and steps != 2:
        pytest.skip("slow, and the same code")
    limits = {"limit_train_batches": limit}
    whole = run(tmp_path, DATA[name](), **limits)
    run(tmp_path, DATA[name](), saved_at=steps, **limits)
    # another process has another seed, unless the user sets one
    rest = run(tmp_path, DATA[name](), seed=1, ckpt_path=tmp_path / "half.ckpt", **limits)
    done = len(whole) // steps * steps  # the last checkpoint of this name
    assert rest == whole[done:]
