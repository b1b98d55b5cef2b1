"""What an import costs, and what a missing extra says.

Which of our files import what is in `test_architecture.py`; here a fresh interpreter shows what
really arrives, through third parties too.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pear_lightning.functional import soft_rank
from pear_lightning.masking import Slic
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.nn import TransformersClassifier, timm_model

ROOT = Path(__file__).parents[1]

OPTIONAL = ["captum", "datasets", "matplotlib", "pandas", "sklearn", "timm", "torchsort"]
OPTIONAL += ["skimage", "transformers"]

PARTS = ["functional", "masking", "explainers", "losses", "metrics", "nn", "modules"]
PARTS += ["callbacks", "datamodules", "cli"]

# torchmetrics itself imports transformers and matplotlib where they are installed: what third
# parties bring is loaded first and does not count as ours.
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
    except Exception as error:
        loaded[part] = [repr(error)]
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
    assert loaded[part] == []


def _plot() -> None:
    metric = AgreementMatrix(["a", "b"], k=2)
    metric.update({"a": torch.randn(4, 3), "b": torch.randn(4, 3)})
    metric.plot()


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("timm", "vision", lambda: timm_model("resnet18", num_classes=2)),
        ("transformers", "text", lambda: TransformersClassifier("any", num_classes=2)),
        ("skimage", "segments", lambda: Slic()),
        ("torchsort", "torchsort", lambda: soft_rank(torch.ones(1, 2), 0.1, backend="torchsort")),
        ("matplotlib", "plot", _plot),
    ],
)
def test_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str, use: Callable[[], object]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pear-lightning\[{extra}\]"):
        use()


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return project["project"]


def test_the_extra_for_everything_needs_no_compiler() -> None:
    extras = _project()["optional-dependencies"]
    (everything,) = extras["all"]
    names = set(everything.removeprefix("pear-lightning[").removesuffix("]").split(","))
    assert names == set(extras) - {"all", "dev", "torchsort"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["-c", "from pear_lightning.callbacks import AgreementTable\n"
               "from pear_lightning.datamodules import BreastCancer\n"
               "import sys; assert 'callbacks' not in sys.modules"],
        ["-m", "pear_lightning", "--version"],
    ],
)  # fmt: skip
def test_a_clone_shadows_no_installed_package(tmp_path: Path, command: list[str]) -> None:
    # a copy of the source alone; -S hides the editable install of this checkout
    for folder in ("pear_lightning", "callbacks", "datamodules"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    result = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(packages)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
