"""Fixtures and options that every test shares."""

import os
from pathlib import Path

# early: typing keeps the first of two equal unions; after another package's Optional[Union[float,
# int]], the command line reads --trainer.limit_predict_batches=1 as the share 1.0
import lightning.pytorch  # noqa: F401
import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accelerator", default="cpu", help="accelerator of the Trainer in the tests")
    parser.addoption("--devices", default=1, type=int, help="devices of the Trainer in the tests")


def pytest_configure(config: pytest.Config) -> None:
    # One thread: tensors here are too small to share out, and sums come out in one order.
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        _skip(items, "gpu", "needs a CUDA device")
    if any(item.get_closest_marker("vision") for item in items):
        reason = _why_there_is_no_timm()
        if reason:
            _skip(items, "vision", reason)


def _skip(items: list[pytest.Item], marker: str, reason: str) -> None:
    for item in items:
        if item.get_closest_marker(marker):  # keywords hold the names of folders, too
            item.add_marker(pytest.mark.skip(reason=reason))


def _why_there_is_no_timm() -> str:
    try:
        import timm  # noqa: F401
    except Exception as error:  # a torchvision for another torch raises a RuntimeError
        return f"needs timm: {error}"
    return ""


@pytest.fixture(autouse=True)
def seed() -> None:
    """The same random numbers in a test whether it runs alone or after others."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def accelerator(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--accelerator"))


@pytest.fixture(scope="session")
def devices(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--devices"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the real data sets; tests that ask for it skip where there is none."""
    folder = os.environ.get("PEAR_LIGHTNING_DATA")
    if not folder:
        pytest.skip("set PEAR_LIGHTNING_DATA to the folder of the data sets")
    return Path(folder)
