"""Infidelity is Captum's, where both remove the same subsets."""

import pytest
import torch
from torch import Tensor

from tests.metrics.faithfulness.cases import Recorder, images, score, table
from tests.metrics.faithfulness.configurations import make


@pytest.mark.parametrize("kind", ["table", "images"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("size", [2, "bernoulli"])
def test_equals_captum(kind: str, normalize: bool, size: int | str) -> None:
    from captum.metrics import infidelity

    case = table() if kind == "table" else images()
    metric = make("infidelity", case.masker, subset_size=size, normalize=normalize)
    target = case.target
    found = score(metric, case, target=target)
    for i in range(len(case)):
        recorder = Recorder(case.model)
        metric.score(recorder, case.inputs[[i]], case.attributions[[i]], target[[i]])
        copies = torch.cat(recorder.seen)[-12:]

        def perturb(inputs: Tensor, copies: Tensor = copies) -> tuple[Tensor, Tensor]:
            return (inputs != copies).double(), copies  # a binary I, and x without it

        expected = infidelity(
            lambda x: case.model(x).softmax(dim=1),
            perturb,
            case.inputs[[i]],
            case.attributions[[i]],
            target=int(target[i]),
            n_perturb_samples=12,
            normalize=normalize,
        )
        torch.testing.assert_close(found[[i]], expected.clamp(min=0), rtol=1e-9, atol=1e-12)
