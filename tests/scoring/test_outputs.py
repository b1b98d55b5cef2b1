"""The scalars of the logits that can be explained."""

from typing import get_args

import pytest
import torch

from pear_lightning.scoring.outputs import (
    OF_SEVERAL_CLASSES,
    OutputName,
    logit,
    resolve_output,
    sees_common_shift,
)


@pytest.mark.parametrize("name", get_args(OutputName))
def test_scalars_of_several_classes_are_refused_by_a_model_with_one_output(name):
    logits, target = torch.randn(3, 1), torch.zeros(3).long()
    if name in OF_SEVERAL_CLASSES:
        with pytest.raises(ValueError, match=f"C >= 2 for output='{name}'"):
            resolve_output(name)(logits, target)
    else:
        assert torch.equal(resolve_output(name)(logits, target), logits[:, 0])


def test_a_common_shift_is_looked_for_in_the_scalar_of_the_given_class():
    logits, second = torch.randn(4, 3), torch.ones(4).long()

    def of_the_second_alone(logits, target):
        return logits[:, 1] * (target == 1)

    assert sees_common_shift(of_the_second_alone, logits, second)
    assert not sees_common_shift(of_the_second_alone, logits, torch.zeros(4).long())
    assert not sees_common_shift(of_the_second_alone, logits, None)  # the first class
    assert sees_common_shift(logit, logits, None)
    assert not sees_common_shift(logit, logits[:, :1], None)
    assert not sees_common_shift(logit, logits[:0], None)
