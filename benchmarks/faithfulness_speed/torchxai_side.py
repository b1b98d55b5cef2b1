"""How TorchXAI's metrics are prepared for a problem.

TorchXAI is imported where it is used: without it our side still runs. Its infidelity and
max-sensitivity call Captum's.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.settings import RUNS

_AT_ONCE = 256  # perturbed samples, and features of one sample


def torchxai_faithfulness_correlation(problem: Problem) -> Callable[[], Tensor]:
    """Prepare TorchXAI's faithfulness correlation: random subsets of a tenth of the elements.

    Args:
        problem: Model and samples.
    """
    from torchxai.data_types import SingleTargetPerSample
    from torchxai.metrics import faithfulness_corr

    target = SingleTargetPerSample(indices=problem.target.tolist())
    return lambda: faithfulness_corr(
        _probabilities(problem),
        problem.inputs,
        problem.attributions,
        baselines=torch.zeros_like(problem.inputs),
        target=target,
        n_perturb_samples=RUNS,
        max_examples_per_batch=_AT_ONCE,
        percent_features_perturbed=0.1,
        show_progress=False,
    )


def torchxai_faithfulness_estimate(problem: Problem) -> Callable[[], Tensor]:
    """Prepare TorchXAI's faithfulness estimate: every element removed alone.

    Args:
        problem: Model and samples.
    """
    from torchxai.data_types import SingleTargetPerSample
    from torchxai.metrics import faithfulness_estimate

    target = SingleTargetPerSample(indices=problem.target.tolist())
    return lambda: faithfulness_estimate(
        _probabilities(problem),
        problem.inputs,
        problem.attributions,
        baselines=torch.zeros_like(problem.inputs),
        target=target,
        max_features_processed_per_batch=_AT_ONCE,
        show_progress=False,
    )


def _probabilities(problem: Problem) -> Callable[[Tensor], Tensor]:
    return lambda inputs: problem.model(inputs).softmax(dim=1)
