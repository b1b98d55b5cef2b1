"""The DeepFaith configuration on the command line."""

from pathlib import Path

import pytest
import torch

from pear_lightning.cli import main
from pear_lightning.explainers import AmortizedExplainer
from pear_lightning.losses import CorrelationTerm
from pear_lightning.modules import DeepFaith

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
    main(["predict", *common, *WRITER, f"--ckpt_path={checkpoint}"])
    saved = torch.load("out/predictions.pt")
    assert saved["saliency"].shape == (143, 30)

    explainer = AmortizedExplainer.load_from_checkpoint(checkpoint)
    inputs = torch.cat([batch[0] for batch in cli.datamodule.predict_dataloader()])
    torch.testing.assert_close(explainer.attributions(inputs), saved["saliency"])
    again = DeepFaith.load_from_checkpoint(checkpoint)  # from the configuration alone
    torch.testing.assert_close(again.explainer.attributions(inputs), saved["saliency"])


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
