"""The configurations of learned explainers on the command line, on small files."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pear_lightning.cli import main
from pear_lightning.explainers import AmortizedExplainer
from pear_lightning.modules import AmortizedModule, Surrogate
from pear_lightning.training.supervision_store import SupervisionStore

METHODS = ("cxplain", "diet", "evalx", "fastshap", "l2x", "learned_order", "realx")
METHODS += ("stochastic_amortization", "stochastic_amortization_labels", "surrogate")
TASKS = ("bank_marketing", "cifar10", "sst2")
LEARNED = [name for name in METHODS if name not in ("evalx", "surrogate", "diet")][:-1]
QUICK = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu",
         "--trainer.enable_model_summary=false", "--trainer.logger=false"]  # fmt: skip
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2"]
SMALL = {
    "bank_marketing": ["--data.batch_size=16"],
    "cifar10": ["--data.batch_size=8", "--data.eval_batch_size=8"],
    "sst2": ["--data.batch_size=8", "--data.eval_batch_size=8"],
}

CLASSIFIER = """
model:
  class_path: pear_lightning.modules.PEAR
  init_args:
    num_classes: 10
    backbone: {class_path: pear_lightning.nn.SmallCNN, init_args: {num_classes: 10}}
data: {class_path: pear_lightning.datamodules.CIFAR10}
"""

every_task = pytest.mark.parametrize(
    "task", ["bank_marketing", *(pytest.param(t, marks=pytest.mark.slow) for t in TASKS[1:])]
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Made-up files of the three data sets."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(120, 7)).round(3)
    for part in ("train", "test"):
        frame = pd.DataFrame(numbers, columns=["V1", "V6", "V10", "V12", "V13", "V14", "V15"])
        frame["class"] = (numbers[:, 0] > 0).astype(int)
        frame.to_csv(folder / f"bankmarketing-{part}.csv", index=False)
    images = rng.integers(256, size=(40, 32, 32, 3), dtype=np.uint8)
    labels = (np.arange(40) % 10).astype(np.uint8)
    splits = {"X_train": images, "y_train": labels, "X_test": images, "y_test": labels}
    np.savez(folder / "cifar10.npz", **splits)
    words = ["goal", "bank", "film", "war", "good", "bad", "market", "phone", "win", "slow"]
    texts = [" ".join(rng.choice(words, size=rng.integers(3, 12))) for _ in range(40)]
    films = pd.DataFrame({"sentence": texts, "label": np.arange(40) % 2})
    for name in ("train.tsv", "dev.tsv", "test_labelled.tsv"):
        films.to_csv(folder / name, sep="\t", index=False)
    return folder


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def data_of(task, folder, *, wrapped=False):
    place = "data.data" if wrapped else "data"
    small = SMALL[task] if not wrapped else ["--data.batch_size=8", "--data.n_samples=16"]
    return [*small, f"--{place}.data_dir={folder}"]


class Checkpoints(dict):
    """Explained models of text and images, a surrogate and a predictor for each task, on demand."""

    def __init__(self, folder, data):
        super().__init__()
        self.folder, self.data = folder, data

    def __missing__(self, key):
        name, task = key
        (self.folder / f"{name}_{task}").mkdir()
        if name == "f":
            config = self.folder / "pear.yaml"
            config.write_text(CLASSIFIER)
            config = str(config) if task == "cifar10" else "pear_sst2_transformer.yaml"
            further = ["--trainer.limit_val_batches=0"]
        else:
            config = {"v": "surrogate", "q": "evalx"}[name] + f"_{task}.yaml"
            further = target_of(task, self)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder / f"{name}_{task}")
            main(["fit", "--config", config, *QUICK, *SHORT, *data_of(task, self.data), *further])
            (self[key],) = Path().resolve().glob("checkpoints/*.ckpt")
        return self[key]


@pytest.fixture(scope="module")
def checkpoints(data, tmp_path_factory):
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"), data)


def target_of(task, checkpoints):
    if task == "bank_marketing":
        return []
    return [f"--model.target_model.path={checkpoints['f', task]}"]


def arguments_of(method, task, checkpoints):
    found = target_of(task, checkpoints)
    if method == "realx":
        found.append(f"--model.predictor.path={checkpoints['q', task]}")
    if method == "learned_order" and task == "bank_marketing":
        found.append(f"--model.surrogate.path={checkpoints['v', task]}")
    if method == "diet":
        found.append("--model.explanation_steps=2")
    return found


def test_every_method_has_a_configuration_for_a_table_a_text_and_images():
    shipped = {path.name for path in Path(str(files("pear_lightning.configs"))).glob("*.yaml")}
    assert {f"{method}_{task}.yaml" for method in METHODS for task in TASKS} <= shipped


@every_task
@pytest.mark.parametrize("method", LEARNED)
def test_fits_predicts_and_reloads(method, task, data, checkpoints):
    arguments = arguments_of(method, task, checkpoints)
    wrapped = method == "stochastic_amortization"
    if wrapped:
        main(["predict", "--config", f"{method}_labels_{task}.yaml", *QUICK[:-1], *arguments,
              *data_of(task, data, wrapped=True)])  # fmt: skip
        assert len(SupervisionStore("labels").finished()) == 16
    common = ["--config", f"{method}_{task}.yaml", *QUICK, *arguments,
              *data_of(task, data, wrapped=wrapped)]  # fmt: skip
    cli = main(["fit", *common, *SHORT, "--trainer.limit_val_batches=1"])
    assert isinstance(cli.model, AmortizedModule)
    assert cli.trainer.callback_metrics["train_loss"].isfinite()
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    if not wrapped:  # whose predictions are of the samples without labels
        writer = "--trainer.callbacks=pear_lightning.callbacks.PredictionWriter"
        main(["predict", *common, "--trainer.limit_predict_batches=1", writer,
              "--trainer.callbacks.output_dir=out", f"--ckpt_path={checkpoint}"])  # fmt: skip
        saliency = torch.load("out/predictions.pt")["saliency"]
        assert saliency.isfinite().all()
        assert len(saliency) == 8 or task == "bank_marketing"
    explainer = AmortizedExplainer.load_from_checkpoint(checkpoint)
    assert type(explainer.network) is type(cli.model.explainer.network)


@pytest.mark.parametrize("method", ["cxplain", "fastshap"])  # of one class, and of all
def test_a_test_prints_the_ranks_next_to_other_explainers(method, data, capsys):
    config = f"{method}_bank_marketing.yaml"
    common = ["--config", config, *QUICK, *data_of("bank_marketing", data)]
    main(["fit", *common, *SHORT])
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("mean rank", "learned", "random"))


@every_task
def test_surrogates_and_their_siblings_are_models(task, data, checkpoints):
    from pear_lightning.nn import lightning_checkpoint

    for name in ("v", "q"):
        assert isinstance(lightning_checkpoint(checkpoints[name, task]), Surrogate)


@every_task
def test_diet_fits_and_tests(task, data, checkpoints):
    common = ["--config", f"diet_{task}.yaml", *QUICK, *arguments_of("diet", task, checkpoints),
              *data_of(task, data)]  # fmt: skip
    main(["fit", *common, *SHORT, "--trainer.limit_val_batches=1"])
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    cli = main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])
    assert cli.trainer.callback_metrics["test_loss"] >= 0


@pytest.mark.vision
@pytest.mark.slow
def test_vit_shapley_fits_and_reloads(data, checkpoints):
    common = [*QUICK, *SHORT, *data_of("cifar10", data), *target_of("cifar10", checkpoints)]
    main(["fit", "--config", "vit_shapley_surrogate_cifar10.yaml", *common,
          "--model.network.model.dict_kwargs.depth=1"])  # fmt: skip
    (surrogate,) = Path("checkpoints").glob("*.ckpt")
    surrogate = surrogate.rename("v.ckpt")
    cli = main(["fit", "--config", "vit_shapley_cifar10.yaml", *common,
                "--model.network.tokens.arguments={depth: 1}"])  # fmt: skip
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    explainer = AmortizedExplainer.load_from_checkpoint(checkpoint)
    images, target = torch.randn(2, 3, 32, 32), torch.tensor([3, 7])
    found = explainer.attributions((images, target))
    torch.testing.assert_close(found, cli.model.cpu().explainer.attributions((images, target)))
    assert found.shape == images.shape
