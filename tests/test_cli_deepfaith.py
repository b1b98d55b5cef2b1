"""The DeepFaith configurations on the command line."""

from pathlib import Path

import pytest
import torch

from pear_lightning.cli import main
from pear_lightning.explainers import AmortizedExplainer
from pear_lightning.losses import CorrelationTerm
from pear_lightning.modules import DeepFaith
from pear_lightning.scoring import Batch
from pear_lightning.training.supervision_store import SupervisionStore

CONFIG = "deepfaith_breast_cancer.yaml"
QUICK = [
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.accelerator=cpu",
]
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=3"]
WRITER = [
    "--trainer.callbacks+=pear_lightning.callbacks.PredictionWriter",
    "--trainer.callbacks.output_dir=out",
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_shipped_configuration_fits_tests_and_predicts():
    common = ["--config", CONFIG, *QUICK]
    cli = main(["fit", *common, *SHORT])
    target = cli.model.target_model
    assert target.is_fitted
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    tested = main(["test", *common, f"--ckpt_path={checkpoint}"])
    assert 0 < tested.trainer.callback_metrics["test_loss"] < 0.5
    assert 1 <= tested.trainer.callback_metrics["test_mean_rank"] <= 8
    main(["predict", *common, *WRITER, f"--ckpt_path={checkpoint}"])
    saved = torch.load("out/predictions.pt")
    assert saved["saliency"].shape == (143, 30)

    explainer = AmortizedExplainer.load_from_checkpoint(checkpoint)
    inputs = torch.cat([batch[0] for batch in cli.datamodule.predict_dataloader()])
    explained = Batch(inputs, saved["target"])
    torch.testing.assert_close(explainer.attributions(explained), saved["saliency"])
    again = DeepFaith.load_from_checkpoint(checkpoint)  # from the configuration alone
    torch.testing.assert_close(again.explainer.attributions(explained), saved["saliency"])


# numbers of values of the categories of Adult, whose other columns are numbers
ADULT = {1: 9, 3: 16, 5: 7, 6: 15, 7: 6, 8: 5, 9: 2, 13: 42}


def write_tables(folder: Path) -> None:
    """Write tiny files of the four tables: the same columns, made-up rows."""
    numbers = [[(7 * row + 3 * column) % 11 for column in range(14)] for row in range(84)]
    bank = "V1,V6,V10,V12,V13,V14,V15,class"
    for part in ("train", "test"):
        lines = [",".join(map(str, [*row[:7], row[0] % 2])) for row in numbers]
        (folder / f"bankmarketing-{part}.csv").write_text("\n".join([bank, *lines]))
        adult = [
            ", ".join(f"v{place % ADULT[i]:02d}" if i in ADULT else str(row[i]) for i in range(14))
            + f", {['<=50K', '>50K'][row[0] % 2]}"
            for place, row in enumerate(numbers)
        ]
        name = {"train": "adult.data", "test": "adult.test"}[part]
        (folder / name).write_text("\n".join(adult) + "\n")
    names = "SEQN,age_group,RIDAGEYR,RIAGENDR,PAQ605,BMXBMI,LBXGLU,DIQ010,LBXGLT,LBXIN"
    people = [f"1,{['Adult', 'Senior'][r[0] % 2]},2,{','.join(map(str, r[:7]))}" for r in numbers]
    (folder / "NHANES_age_prediction.csv").write_text("\n".join([names, *people]))
    names = "Channel,Region,Fresh,Milk,Grocery,Frozen,Detergents_Paper,Delicassen"
    shops = [f"{1 + row[0] % 2},{','.join(map(str, row[:7]))}" for row in numbers]
    (folder / "Wholesale_customers_data.csv").write_text("\n".join([names, *shops]))


@pytest.mark.parametrize(
    ("table", "features"),
    [("bank_marketing", 7), ("adult", 14), ("nhanes_age", 7), ("wholesale_customers", 7)],
)
def test_configurations_of_tables_fit_test_and_predict(table, features, tmp_path, capsys):
    write_tables(tmp_path)
    common = ["--config", f"deepfaith_{table}.yaml", *QUICK, f"--data.data_dir={tmp_path}",
              "--model.target_model.arguments={n_estimators: 3, random_state: 0}"]  # fmt: skip
    main(["fit", *common, *SHORT])
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    tested = main(["test", *common, f"--ckpt_path={checkpoint}", "--trainer.limit_test_batches=1"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("mean rank", "learned", "kernel_shap_prob", "random"))
    assert {"test_mean_rank", "test_place", "test_irof"} <= set(tested.trainer.callback_metrics)
    main(["predict", *common, *WRITER, f"--ckpt_path={checkpoint}"])
    assert torch.load("out/predictions.pt")["saliency"].shape[1] == features


def test_supervision_is_made_continued_and_learned_from(capsys):
    made = ["--config", "deepfaith_breast_cancer_supervision.yaml", *QUICK[1:],
            "--data.n_samples=48"]  # fmt: skip
    main(["predict", *made, "--trainer.limit_predict_batches=2"])
    store = SupervisionStore("supervision")
    assert len(store.finished()) == 32
    main(["predict", *made])
    assert len(store.finished()) == 48
    assert "keep" in store.read().column_names
    common = ["--config", "deepfaith_breast_cancer_supervised.yaml", *QUICK,
              "--data.n_samples=48"]  # fmt: skip
    cli = main(["fit", *common, "--trainer.max_epochs=2"])
    assert {"train_pattern_consistency_loss", "alpha"} <= set(cli.trainer.callback_metrics)
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    tested = main(["test", *common, f"--ckpt_path={checkpoint}", "--trainer.limit_test_batches=1"])
    assert "test_mean_rank" in tested.trainer.callback_metrics
    assert "learned" in capsys.readouterr().out


def test_priors_can_be_given_in_yaml():
    Path("priors.yaml").write_text(
        """
model:
  class_path: pear_lightning.modules.PriorExplanations
  init_args:
    explainers:
      occlusion:
        explainer:
          class_path: pear_lightning.explainers.Occlusion
        output: prob
      shap:
        explainer:
          class_path: pear_lightning.explainers.KernelShap
          init_args: {n_samples: 20, seed: 0}
    suite:
      class_path: pear_lightning.metrics.FaithfulnessSuite
      init_args: {n_subsets: 5}
"""
    )
    cli = main(["predict", "--config", "deepfaith_breast_cancer_supervision.yaml", *QUICK[1:],
                "--config", "priors.yaml", "--data.n_samples=16"])  # fmt: skip
    assert cli.model.methods == ("occlusion", "shap")
    assert cli.model.settings["outputs"] == ["prob", "centered_logit"]
    assert len(SupervisionStore("supervision").finished()) == 16


def test_the_model_of_another_fit_is_explained():
    main(["fit", "--config", "pear_breast_cancer.yaml", *QUICK, *SHORT])
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    cli = main(["fit", "--config", CONFIG, *QUICK, *SHORT, "--trainer.enable_checkpointing=false",
                "--model.target_model=pear_lightning.nn.lightning_checkpoint",
                f"--model.target_model.path={checkpoint}"])  # fmt: skip
    assert type(cli.model.target_model).__name__ == "PEAR"


def test_terms_networks_and_schedules_can_be_given_in_yaml():
    Path("mine.yaml").write_text(
        """
model:
  class_path: pear_lightning.modules.DeepFaith
  init_args:
    network:
      class_path: pear_lightning.nn.ExplainerTransformer
      init_args:
        tokens:
          class_path: pear_lightning.nn.ColumnTokens
          init_args: {n_columns: 30, dim: 8}
        depth: 1
        scale: sigmoid
        norm_first: false
    zero_rule: false
    local_correlation:
      class_path: pear_lightning.losses.LocalCorrelationLoss
      init_args:
        terms:
          - law: {class_path: pear_lightning.scoring.FixedSizeLaw, init_args: {size: 0.2}}
            output: log_prob
            n_subsets: 8
          - law: {class_path: pear_lightning.scoring.ShapleyLaw}
            weight: 0.5
"""
    )
    cli = main(["fit", "--config", CONFIG, "--config", "mine.yaml", *QUICK, *SHORT,
                "--trainer.enable_checkpointing=false"])  # fmt: skip
    terms = cli.model.local_correlation.terms
    assert [type(term) for term in terms] == [CorrelationTerm] * 2
    assert terms[0].law.size == 0.2
    assert terms[0].output == "log_prob"
    assert cli.model.explainer.network.scale == "sigmoid"
