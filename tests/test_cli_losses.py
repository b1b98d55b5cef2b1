"""Every loss of explanations can be named on the command line and in a YAML file."""

import inspect
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

import pear_lightning.losses
from pear_lightning.cli import main
from pear_lightning.losses import ExplanationLoss

QUICK = [
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.accelerator=cpu",
    "--data.batch_size=16",
]
STEP = ["--trainer.fast_dev_run=true"]
CAM = "{cam: {class_path: GradCAM, init_args: {layer: layers.0, relu: false, resize: false}}}"
LOSSES: dict[str, tuple[str, ...]] = {
    "CDEPLoss": (),
    "CoRMLoss": ("--model.loss.eps=0.2",),
    "ConsensusLoss": ("--model.loss.spearman_weight=0.25", "--model.weight=0.5"),
    "CounterexamplesLoss": ("--model.loss.integers=true",),
    "DeepLassoLoss": ("--model.loss.eps=1e-6", "--model.weight=0.1"),
    "DoubleBackpropagationLoss": (),
    "EnergyLoss": ("--model.loss.marks=relevant",),
    "ExpectedGradientsPrior": ("--model.loss.n_samples=2", "--model.loss.norm=l2"),
    "GraphSmoothnessPrior": ("--model.loss.edges=[[0, 1], [1, 9]]", "--model.loss.weights=[1, .5]"),
    "HINTLoss": ("--model.loss.masker=ColumnMasker", "--model.loss.masker.n_columns=64"),
    "IBPExLoss": ("--model.loss.eps=0.1",),
    "PGDExLoss": ("--model.loss.eps=0.1",),
    "PGDR4Loss": ("--model.loss.eps=0.1", "--model.loss.n_steps=2"),
    "R4Loss": ("--model.loss.eps=0.1",),
    "RBRIdentityHessianLoss": (),
    "RandR4Loss": ("--model.loss.eps=0.1", "--model.loss.n_samples=2"),
    "RightReasonsLoss": ("--model.loss.norm=l1", "--model.loss.output=log_prob"),
    "SmoothnessPrior": ("--model.loss.dims=[-1]",),
    "SparsityPrior": (),
}
OF_IMAGES: dict[str, tuple[str, ...]] = {
    "HINTLoss": (f"--model.loss.explainers={CAM}",),
    "RRRGLoss": ("--model.loss.layer=layers.0",),
    "SimplifiedHINTLoss": ("--model.loss.layer=layers.0", "--model.loss.output=log_prob"),
    "XGradientPrior": ("--model.loss.prior=SmoothnessPrior", "--model.backbone.bias=false"),
}


class Convolutions(nn.Module):
    """A backbone of the user's own, named by its path."""

    def __init__(self, width: int = 4, bias: bool = True) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=bias), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * width, 10, bias=bias),
        )  # fmt: skip

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(inputs)
        return out


IMAGES = [
    "--data.flat=false",
    f"--model.backbone={Convolutions.__module__}.Convolutions",
    "--model.backbone.width=3",
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fit(*options: str) -> Any:
    return main(["fit", "--config=right_reasons_decoy_digits.yaml", *QUICK, *options])


def check(cli: Any, name: str) -> None:
    assert type(cli.model.loss).__name__ == name
    reasons = cli.trainer.callback_metrics["train_reasons"].item()
    assert reasons > 0
    assert math.isfinite(reasons)


def test_there_is_a_test_of_every_loss():
    shipped = {
        name
        for name in pear_lightning.losses.__all__
        if inspect.isclass(kind := getattr(pear_lightning.losses, name))
        and issubclass(kind, ExplanationLoss)
        and not inspect.isabstract(kind)
    }
    assert shipped == {*LOSSES, *OF_IMAGES}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_by_its_name(name):
    check(fit(*STEP, f"--model.loss={name}", *LOSSES[name]), name)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_loss_of_images_or_of_a_layer_that_is_named(name):
    check(fit(*STEP, *IMAGES, f"--model.loss={name}", *OF_IMAGES[name]), name)


def test_the_arguments_arrive():
    cli = fit(*STEP, "--model.loss=GraphSmoothnessPrior", *LOSSES["GraphSmoothnessPrior"])
    assert cli.model.loss.edges.tolist() == [[0, 1], [1, 9]]
    assert cli.model.loss.weights.tolist() == [1, 0.5]
    cli = fit(*STEP, *IMAGES, "--model.loss=HINTLoss", *OF_IMAGES["HINTLoss"])
    assert cli.model.loss.explainers["cam"].layer == "layers.0"
    assert cli.model.backbone.layers[0].out_channels == 3


def test_a_loss_in_a_file_that_a_checkpoint_is_tested_with(capsys):
    loss = {
        "class_path": "pear_lightning.losses.XGradientPrior",
        "init_args": {
            "prior": {
                "class_path": "pear_lightning.losses.EnergyLoss",
                "init_args": {"marks": "relevant"},
            }
        },
    }
    Path("loss.yaml").write_text(yaml.safe_dump({"model": {"init_args": {"loss": loss}}}))
    options = ["--config=loss.yaml", *IMAGES, "--model.backbone.bias=false"]
    cli = fit(*options, "--trainer.max_epochs=1", "--trainer.limit_train_batches=1")
    assert cli.model.loss.prior.marks == "relevant"
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    main(["test", "--config=right_reasons_decoy_digits.yaml", *QUICK, *options,
          "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])  # fmt: skip
    assert "test_reasons" in capsys.readouterr().out


def test_a_printed_configuration_can_be_read_again(capsys):
    options = ["--model.loss=RandR4Loss", *LOSSES["RandR4Loss"], "--model.loss.seed=3"]
    with pytest.raises(SystemExit) as stopped:
        fit(*options, "--print_config")
    assert stopped.value.code == 0
    Path("printed.yaml").write_text(capsys.readouterr().out)
    cli = main(["fit", "--config=printed.yaml", *STEP])
    check(cli, "RandR4Loss")
    assert (cli.model.loss.eps, cli.model.loss.seed) == (0.1, 3)


README = (Path(__file__).parent.parent / "README.md").read_text()
SHOWN = [" ".join(each.split()) for each in re.findall(r"`(--model\.loss [^`]*)`", README)]


@pytest.mark.parametrize("options", SHOWN)
def test_what_the_readme_shows(options):
    images = IMAGES if "layer" in options else []
    check(fit(*STEP, *images, *options.split()), options.split()[1])


def test_the_block_that_the_configuration_shows():
    config = files("pear_lightning.configs") / "right_reasons_decoy_digits.yaml"
    shown = [line[4:] for line in config.read_text().splitlines() if line.startswith("#   ")]
    block = yaml.safe_load("\n".join(shown[shown.index("loss:") :]))
    Path("loss.yaml").write_text(yaml.safe_dump({"model": {"init_args": block}}))
    check(fit("--config=loss.yaml", *STEP), "R4Loss")


def test_what_a_loss_lacks_is_named(capsys):
    with pytest.raises(SystemExit):
        fit(*STEP, "--model.loss=RRRGLoss")
    assert "the following arguments are required: layer" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"layer must name a layer .*, got 'layer4'"):
        fit(*STEP, *IMAGES, "--model.loss=RRRGLoss", "--model.loss.layer=layer4")
