"""What an import costs, and what a missing extra says.

Which of our files import what is in `test_architecture.py`; here a fresh interpreter shows what
really arrives, through third parties too.
"""

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

OPTIONAL = ["captum", "datasets", "matplotlib", "pandas", "sklearn", "timm", "torchsort"]
OPTIONAL += ["transformers"]

PARTS = ["functional", "masking", "explainers", "losses", "metrics", "nn", "modules"]
PARTS += ["callbacks", "datamodules", "cli"]

# torchmetrics itself imports transformers and matplotlib where they are installed, and timm's
# torchvision likewise: what third parties bring is loaded first and does not count as ours.
SCRIPT = """
import importlib, json, sys

def arrived():
    return sorted(set(sys.argv[1].split(",")) & set(sys.modules))

loaded = {}
import pear_lightning
loaded["pear_lightning"] = arrived()
import lightning.pytorch.cli, torch, torchmetrics.classification
brought = arrived()
for part in sys.argv[2].split(","):
    try:
        importlib.import_module(f"pear_lightning.{part}")
    except ModuleNotFoundError as error:
        if error.name != f"pear_lightning.{part}":
            raise
        continue
    loaded[part] = [name for name in arrived() if name not in brought]
    brought = arrived()
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """For each part of the package, the optional packages that its import brings."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, ",".join(OPTIONAL), ",".join(PARTS)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    answer: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("part", ["pear_lightning", *PARTS])
def test_import_brings_no_optional_package(loaded: dict[str, list[str]], part: str) -> None:
    if part == "masking" and part not in loaded:
        pytest.skip("there are no maskers yet")
    assert loaded[part] == []


def _timm_model() -> Any:
    from pear_lightning.nn import timm_model

    return timm_model("resnet18")


def _transformers_classifier() -> Any:
    from pear_lightning.nn import TransformersClassifier

    return TransformersClassifier("prajjwal1/bert-tiny")


def _torchsort_backend() -> Any:
    from pear_lightning.functional import soft_rank

    return soft_rank(torch.tensor([[1.0, 2.0]]), backend="torchsort")


def _plot() -> Any:
    from pear_lightning.metrics import AgreementMatrix

    attributions = torch.randn(2, 4, 3)
    metric = AgreementMatrix()
    metric.update(attributions)
    return metric.plot()


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("timm", "vision", _timm_model),
        ("transformers", "text", _transformers_classifier),
        ("torchsort", "torchsort", _torchsort_backend),
        ("matplotlib", "plot", _plot),
    ],
)
def test_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str, use: Any
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pear-lightning\[{extra}\]"):
        use()
