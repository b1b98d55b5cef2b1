import pytest
import torch

from pear_lightning.metrics.faithfulness import FaithfulnessSuite
from tests.metrics.faithfulness.cases import CASES, score
from tests.metrics.faithfulness.configurations import CONFIGURATIONS, make


@pytest.mark.gpu
@pytest.mark.parametrize("kind", CASES)
def test_scores_are_those_of_the_processor(kind: str) -> None:
    case = CASES[kind]()
    metrics = {name: make(name, case.masker) for name in CONFIGURATIONS}
    expected = {name: score(metric, case) for name, metric in metrics.items()}
    case.model.cuda()
    case.inputs, case.attributions = case.inputs.cuda(), case.attributions.cuda()
    case.kwargs = {name: value.cuda() for name, value in case.kwargs.items()}
    for name, metric in metrics.items():
        found = score(metric.cuda(), case)
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), expected[name], rtol=1e-7, atol=1e-9, msg=name)
        metric.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
        torch.testing.assert_close(metric.compute().cpu(), expected[name].mean().float())
    suite = FaithfulnessSuite(case.masker, ["a", "b"], n_steps=4, subset_size=2).cuda()
    given = {"a": case.attributions, "b": -case.attributions}
    suite.update(case.model, case.inputs, given, forward_kwargs=case.kwargs)
    torch.testing.assert_close(
        suite.compute()["a/deletion"].cpu(), expected["deletion"].mean().float()
    )
