"""The scalars of the logits that can be explained."""

from typing import get_args

import pytest
import torch

from pear_lightning.scoring.outputs import OF_SEVERAL_CLASSES, OutputName, resolve_output


@pytest.mark.parametrize("name", get_args(OutputName))
def test_scalars_of_several_classes_are_refused_by_a_model_with_one_output(name):
    logits, target = torch.randn(3, 1), torch.zeros(3).long()
    if name in OF_SEVERAL_CLASSES:
        with pytest.raises(ValueError, match=f"C >= 2 for output='{name}'"):
            resolve_output(name)(logits, target)
    else:
        assert torch.equal(resolve_output(name)(logits, target), logits[:, 0])
