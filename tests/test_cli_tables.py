"""A table of one's own on the command line: fit, and predict new rows, without any code."""

import sys
import types
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn

from pear_lightning.cli import main, run
from pear_lightning.cli.arguments import shipped_configurations
from pear_lightning.datamodules import DecoyDigits
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import PEAR
from pear_lightning.training import CosineDecay

QUICK = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
QUICK += ["--trainer.enable_model_summary=false"]


def table(rows: int = 160, classes: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows).astype(float),
            "job": rng.choice(["clerk", "cook", "nurse"], rows),
            "income": rng.lognormal(3, 1, rows),
            "member": rng.choice([True, False], rows),
        }
    )
    frame["left"] = np.array(["no", "maybe", "yes"])[np.arange(rows) % classes]
    frame.loc[::9, "income"] = np.nan
    frame.loc[4::11, "job"] = None
    return frame


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fit(*more: str, epochs: int = 2, rows: pd.DataFrame | None = None):
    (table() if rows is None else rows).to_csv("churn.csv", index=False)
    return main(["fit", "--config=pear_csv.yaml", "--data.data=churn.csv", "--data.target=left",
                 f"--trainer.max_epochs={epochs}", *QUICK, *more])  # fmt: skip


def test_new_rows_are_predicted_in_another_folder(tmp_path, monkeypatch, capsys):
    entries = table().astype({"age": object})
    entries.loc[[2, 5], "age"] = "?"
    entries["member_id"] = [f"{each:03}" for each in range(len(entries))]
    cli = fit("--data.na_values=['?']", "--data.exclude=[member_id]", rows=entries)
    assert "pairwise rank agreement" in capsys.readouterr().out
    model, data = cli.model, cli.datamodule
    assert (model.num_classes, model.backbone.out_features) == (3, 3)
    assert model.backbone.in_features == data.num_features == 7
    assert isinstance(model.consensus.masker, ColumnMasker)
    assert model.consensus.masker.n_features == 4 == len(data.group_names)
    (checkpoint,) = Path("lightning_logs").rglob("*.ckpt")

    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    new = table()[["income", "age", "job", "member"]][:9]
    new.loc[3, "age"] = np.nan
    new["member_id"] = [f"0{each}" for each in range(9)]
    new.to_csv("new.csv", index=False, na_rep="?")  # the checkpoint knows what it means
    checkpoint = tmp_path / checkpoint
    main(["predict", "--config=pear_csv.yaml", f"--ckpt_path={checkpoint}", *QUICK,
          "--data.predict_data=new.csv"])  # fmt: skip
    written = pd.read_csv("predictions/predictions.csv", dtype={"member_id": str})
    names = ["maybe", "no", "yes"]
    probabilities = [f"probability[{name}]" for name in names]
    assert list(written.columns[:6]) == ["row", "member_id", "prediction", *probabilities]
    assert written["member_id"].tolist() == new["member_id"].tolist()
    features = ["age", "job", "income", "member"]
    assert list(written.columns[6:10]) == [f"input_x_gradient[{name}]" for name in features]

    model = PEAR.load_from_checkpoint(checkpoint).eval()
    data.predict_data = new
    with torch.no_grad():
        probabilities = model(data.predict_rows().inputs).softmax(1)
    shown = torch.tensor(written.filter(like="probability").to_numpy()).float()
    torch.testing.assert_close(shown, probabilities, atol=1e-5, rtol=1e-4)
    assert written["prediction"].tolist() == [names[i] for i in probabilities.argmax(1)]

    # labelled rows are tested without the training table, too
    table().to_csv("labelled.csv", index=False)
    tested = main(["test", "--config=pear_csv.yaml", f"--ckpt_path={checkpoint}", *QUICK,
                   "--data.test_data=labelled.csv", "--data.data=gone.csv", "--data.target=left",
                   "--trainer.limit_test_batches=1"])  # fmt: skip
    assert tested.datamodule.encoding_id == data.encoding_id


def test_saved_configuration_is_complete():
    fit("--trainer.limit_train_batches=1", epochs=1)
    (path,) = Path("lightning_logs").rglob("config.yaml")
    model = yaml.safe_load(path.read_text())["model"]["init_args"]
    assert model["backbone"]["init_args"]["in_features"] == 7
    assert model["num_classes"] == 3
    assert model["masker"]["init_args"]["n_columns"] == 7
    cli = main(["fit", f"--config={path}", *QUICK, "--trainer.limit_train_batches=1"])
    assert cli.model.backbone.in_features == 7


@pytest.mark.parametrize("epochs", [1, 3])
def test_last_epoch_is_validated_and_the_schedule_ends_there(epochs):
    cli = fit(epochs=epochs)
    (config,) = cli.trainer.lr_scheduler_configs
    assert isinstance(config.scheduler, CosineDecay)
    assert config.scheduler.n_epochs == epochs
    metrics = pd.read_csv(Path(cli.trainer.log_dir, "metrics.csv"))
    assert metrics["val_loss"].count() == epochs
    assert {type(each).__name__ for each in cli.trainer.callbacks} >= {"EarlyStopping"}


def test_given_sizes_are_kept():
    class_path = "--model.backbone.hidden_features=[8]"
    with pytest.raises(ValueError, match=r"must have shape \(B, 5\)"):
        fit("--model.backbone.in_features=5", class_path)


def test_what_must_not_matter_can_be_a_category():
    table().to_csv("churn.csv", index=False)
    options = ["--model=RightForTheRightReasons", "--model.backbone=MLP", *QUICK,
               "--data=TabularDataModule", "--data.data=churn.csv", "--data.target=left",
               "--data.impute=true", "--data.irrelevant=[job]", "--trainer.max_epochs=1",
               "--trainer.limit_train_batches=1", "--trainer.logger=false",
               "--trainer.enable_checkpointing=false"]  # fmt: skip
    cli = main(["fit", *options])
    assert cli.model.loss.mask_features.n_features == 4
    assert cli.trainer.callback_metrics["train_reasons"] > 0
    cli = main(["fit", *options, "--model.masker=null"])
    assert cli.model.loss.mask_features is None


def test_regression():
    table().assign(left=np.arange(160.0)).to_csv("numbers.csv", index=False)
    with pytest.warns(UserWarning, match="target 'left' should have a mean near 0") as found:
        cli = main(["fit", "--config=pear_csv.yaml", "--data.data=numbers.csv",
                    "--data.target=left", "--data.task=regression", "--trainer.max_epochs=1",
                    *QUICK])  # fmt: skip
    assert sum("should have a mean near 0" in str(each.message) for each in found) == 1
    assert cli.model.task == "regression"
    assert cli.model.backbone.out_features == 1
    assert "val_mse" in cli.trainer.callback_metrics


def test_a_warning_that_explains_an_error_is_shown():
    rows = table().assign(price=[f"{i},5" for i in range(160)])
    with (
        pytest.warns(UserWarning, match="with decimal=','") as found,
        pytest.raises(ValueError, match=r"categories must have .* exclude=\['price'\]"),
    ):
        fit(rows=rows)
    assert sum("decimal=','" in str(each.message) for each in found) == 1


def test_gates_take_the_features_of_the_data():
    table().to_csv("churn.csv", index=False)
    cli = main(["fit", "--config=scores_breast_cancer.yaml", "--data=TabularDataModule",
                "--data.data=churn.csv", "--data.target=left", "--data.impute=true",
                "--data.val_fraction=0.2", "--trainer.max_epochs=1", *QUICK])  # fmt: skip
    assert cli.model.gate.in_features == 7
    assert cli.model.feature_names() == ["age", "job", "income", "member"]


@pytest.fixture
def _other_mlp(monkeypatch):
    other = types.ModuleType("other_ops")

    class MLP(nn.Module):
        """As torchvision.ops.MLP."""

        def __init__(self, in_channels: int) -> None:
            super().__init__()

    MLP.__module__, MLP.__qualname__ = "other_ops", "MLP"
    other.MLP = MLP  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "other_ops", other)
    return MLP


@pytest.mark.usefixtures("_other_mlp")
def test_a_bare_name_is_that_of_this_package():
    cli = fit("--model.backbone=MLP", "--model.backbone.hidden_features=[8]", epochs=1)
    assert type(cli.model.backbone).__module__ == "pear_lightning.nn.mlp"


@pytest.mark.usefixtures("_other_mlp")
def test_a_bare_name_in_a_configuration_is_that_of_this_package():
    backbone = {"class_path": "MLP", "init_args": {"hidden_features": [8]}}
    callbacks = [{"class_path": "AgreementTable"}]
    own = {"model": {"class_path": "PEAR", "init_args": {"backbone": backbone}},
           "trainer": {"callbacks": callbacks}}  # fmt: skip
    Path("own.yaml").write_text(yaml.safe_dump(own))
    cli = fit("--config=own.yaml", epochs=1)
    assert type(cli.model.backbone).__module__ == "pear_lightning.nn.mlp"
    assert any(type(each).__name__ == "AgreementTable" for each in cli.trainer.callbacks)
    saved = yaml.safe_load(next(Path().rglob("config.yaml")).read_text())
    assert saved["model"]["init_args"]["backbone"]["class_path"] == "pear_lightning.nn.MLP"


def test_without_validation_rows_training_does_not_stop_early():
    with pytest.warns(UserWarning, match="no validation rows .*'val_objective' is not known"):
        cli = fit("--data.val_fraction=0")
    assert cli.trainer.current_epoch == 2
    assert not any(isinstance(each, EarlyStopping) for each in cli.trainer.callbacks)
    (checkpoint,) = Path().rglob("*.ckpt")
    assert checkpoint.name.startswith("epoch=1")


def test_checkpoints_of_a_configuration_can_be_switched_off():
    cli = fit("--trainer.enable_checkpointing=false", epochs=1)
    assert not list(Path().rglob("*.ckpt"))
    assert any(isinstance(each, EarlyStopping) for each in cli.trainer.callbacks)


ERRORS = {
    "--data.targget=y": "--data: Option 'targget' is not accepted by TabularDataModule; did you "
    "mean 'target'?",
    "--model.consensus_wieght=1": "--model: Option 'consensus_wieght' is not accepted by PEAR; "
    "did you mean 'consensus_weight'?",
    "--model.backbone.dropout=x": "--model.backbone.dropout: Expected a <class 'float'>",
    "--model.consensus_weight=2": "consensus_weight must lie in [0, 1], got 2",
    "--data.target=lef": "target must be a column of the table, ['age', 'job', 'income', ",
    "--data.data=gone.csv": "path must be a file, got 'gone.csv'",
    "--config=pear_cvs.yaml": "--config must be a file or a shipped configuration, got 'pear_cvs",
    "--ckpt_path=gone.ckpt": "--ckpt_path must be a file, got 'gone.ckpt'",
    "--ckpt_path=churn.csv": "--ckpt_path must be a checkpoint of Lightning, got 'churn.csv'",
    "--ckpt_path=empty.ckpt": "--ckpt_path must be a checkpoint of Lightning, got 'empty.ckpt'",
    "--ckpt_path=objects.ckpt": "--ckpt_path must be a checkpoint of tensors and plain values",
    "--trainer.devices=0": "`Trainer(devices='0')` value is not a valid input",
}


@pytest.mark.parametrize("argument", ERRORS)
def test_errors_begin_with_the_cause(argument, monkeypatch, capsys):
    table().to_csv("churn.csv", index=False)
    Path("empty.ckpt").touch()
    torch.save({"state_dict": {}, "path": Path()}, "objects.ckpt")
    arguments = ["fit", "--config=pear_csv.yaml", "--data.data=churn.csv", "--data.target=left"]
    monkeypatch.setattr(sys, "argv", ["pear-lightning", *arguments, *QUICK, argument])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code in (1, 2)
    said = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line and not line.startswith(("Seed set", "GPU available", "TPU available", "💡"))
    ]
    assert said[0].startswith(f"pear-lightning: error: {ERRORS[argument]}")
    assert len(said) <= 10
    if argument.startswith("--config"):
        assert all(name in said[0] for name in shipped_configurations())


def test_without_a_configuration_the_shipped_ones_are_listed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pear-lightning", "fit"])
    with pytest.raises(SystemExit):
        run()
    said = capsys.readouterr().err
    assert "pear_breast_cancer.yaml" in said
    assert len(said.splitlines()) <= 4


def test_help_says_what_the_command_is_for(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert "Train models whose explanations hold up" in said
    assert "pear_csv.yaml" in said


def test_reports_have_the_features_of_the_table():
    fit("--trainer.limit_train_batches=1", epochs=1)
    (checkpoint,) = Path("lightning_logs").rglob("*.ckpt")
    main(["explain", "--config=pear_csv.yaml", "--data.data=churn.csv", "--data.target=left",
          f"--ckpt_path={checkpoint}", "--rows=6", "--pictures=0", "--faithfulness=false",
          *QUICK])  # fmt: skip
    written = pd.read_csv("explanations/attributions.csv")
    assert list(written.columns[-4:]) == ["age", "job", "income", "member"]


@pytest.mark.parametrize("subcommand", ["explain", "rank"])
def test_reports_encode_rows_as_the_fit_did(subcommand):
    """Neither the columns left out nor the mean and categories of the fit are given again."""
    fit("--data.exclude=[member]", "--trainer.limit_train_batches=1", epochs=1)
    (checkpoint,) = Path("lightning_logs").rglob("*.ckpt")
    other = table()
    other["age"] = other["age"] * 10
    other.assign(job="cook").to_csv("other.csv", index=False)
    cli = main([subcommand, "--config=pear_csv.yaml", "--data.data=churn.csv",
                "--data.test_data=other.csv", "--data.target=left", f"--ckpt_path={checkpoint}",
                "--rows=6", "--n_steps=3", "--n_subsets=5", *QUICK])  # fmt: skip
    assert cli.datamodule.group_names == ["age", "job", "income"]
    assert cli.datamodule.encoder.words["job"] == ["clerk", "cook", "missing", "nurse"]


def test_new_rows_are_explained_in_another_folder(tmp_path, monkeypatch):
    fit("--trainer.limit_train_batches=1", epochs=1)
    (checkpoint,) = Path("lightning_logs").rglob("*.ckpt")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    table().drop(columns="left")[:9].to_csv("new.csv", index=False)
    main(["explain", "--config=pear_csv.yaml", "--split=predict", "--data.predict_data=new.csv",
          f"--ckpt_path={tmp_path / checkpoint}", "--pictures=0", "--n_steps=3", "--n_subsets=5",
          *QUICK])  # fmt: skip
    written = pd.read_csv("explanations/attributions.csv")
    assert list(written.columns[-4:]) == ["age", "job", "income", "member"]
    assert len(written) == 9 * 4


def test_the_task_and_the_splits_are_those_of_the_fit():
    rows = table().assign(left=np.arange(160) % 3)
    fit("--data.task=regression", "--data.seed=1", "--trainer.limit_train_batches=1", epochs=1,
        rows=rows)  # fmt: skip
    (checkpoint,) = Path("lightning_logs").rglob("*.ckpt")
    arguments = ["--config=pear_csv.yaml", "--data.data=churn.csv", "--data.target=left",
                 f"--ckpt_path={checkpoint}", *QUICK]  # fmt: skip
    cli = main(["test", *arguments, "--data.seed=1"])
    assert cli.datamodule.task == "regression"
    assert "test_mse" in cli.trainer.callback_metrics
    with pytest.warns(UserWarning, match="seed=1, now 0; give seed=1"):
        main(["test", *arguments])


@pytest.fixture
def digit_loads(monkeypatch):
    loads = []
    original = DecoyDigits.load_rows

    def load_rows(self):
        loads.append(self)
        return original(self)

    monkeypatch.setattr(DecoyDigits, "load_rows", load_rows)
    return loads


def test_other_data_than_tables_are_read_by_the_fit_alone(digit_loads):
    options = ["--config=right_reasons_decoy_digits.yaml", *QUICK, "--trainer.max_epochs=1",
               "--trainer.limit_train_batches=1"]  # fmt: skip
    main(["fit", *options])
    assert len(digit_loads) == 1
    shipped = Path(str(files("pear_lightning.configs") / "right_reasons_decoy_digits.yaml"))
    Path("open.yaml").write_text(shipped.read_text().replace("        in_features: 64\n", ""))
    cli = main(["fit", "--config=open.yaml", *options[1:]])
    assert len(digit_loads) == 3
    assert cli.model.backbone.in_features == 64


def test_sizes_of_other_data_than_tables_can_be_left_out(digit_loads):
    options = ["fit", "--model=RightForTheRightReasons", "--model.backbone=MLP", *QUICK,
               "--data=DecoyDigits", "--trainer.fast_dev_run=true"]  # fmt: skip
    cli = main(options)
    backbone = cli.model.backbone
    assert (backbone.in_features, backbone.out_features, cli.model.num_classes) == (64, 10, 10)
    assert len(digit_loads) == 2
    cli = main([*options, "--model.backbone.in_features=64"])
    assert (cli.model.backbone.out_features, cli.model.num_classes) == (10, 10)
    assert len(digit_loads) == 3  # the names of the classes are known without the rows
    with pytest.raises(ValueError, match=r"0\.\.1 \(num_classes=2\)"):
        main([*options, "--model.num_classes=2"])


def test_classes_of_texts_can_be_left_out():
    texts = pd.DataFrame({"text": ["good film", "bad film", "no film"] * 8})
    texts["label"] = ["a", "b", "c"] * 8
    texts.to_csv("texts.csv", index=False)
    cli = main(["fit", "--model=RightForTheRightReasons",
                "--model.backbone=TransformerTextClassifier", "--model.backbone.vocab_size=100",
                *QUICK, "--data=TextClassification", "--data.data=texts.csv",
                "--trainer.fast_dev_run=true"])  # fmt: skip
    assert cli.model.num_classes == 3
    assert cli.model.backbone.head.out_features == 3
