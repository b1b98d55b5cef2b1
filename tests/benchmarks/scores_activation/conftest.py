import pytest

from pear_lightning.datamodules import SyntheticClassification


@pytest.fixture
def data() -> SyntheticClassification:
    data = SyntheticClassification(6, 3, n_train=48, n_test=40, batch_size=16)
    data.setup()
    return data
