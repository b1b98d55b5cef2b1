"""What a learned explainer may read of the explained model, for each feature."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from pear_lightning.functional.validation import at_least_float32, check_choice
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.gradients import gradients_at
from pear_lightning.scoring.perturbed_copies import CopySet, evaluate_copies
from pear_lightning.scoring.scorer import Scorer

SideInput = Literal["gradient", "removals"]
"""``"gradient"``: the gradient of the explained scalar, pooled to features, one pass of the model;
``"removals"``: its drop when a feature is removed alone, n + 1 evaluations."""


def check_side_inputs(names: Sequence[str]) -> None:
    """Raise for an unknown name.

    Args:
        names: Names of side inputs.

    Raises:
        ValueError: If a name is unknown.
    """
    for name in names:
        check_choice("side", name, get_args(SideInput))


@torch.no_grad()
def side_inputs(names: Sequence[SideInput], scorer: Scorer, bound: BoundMasker) -> Tensor:
    """Return values of each feature, ``(B, n, S)``, each scaled to a largest absolute value of 1.

    Args:
        names: Names of S side inputs.
        scorer: The explained scalar.
        bound: The features of the scorer's samples.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.scoring import Batch, resolve_output
        >>> model, batch = torch.nn.Linear(3, 1), Batch(torch.rand(4, 3))
        >>> scorer = Scorer(model, batch, resolve_output("logit"))
        >>> side_inputs(["gradient", "removals"], scorer, ColumnMasker(3).bind(batch.inputs)).shape
        torch.Size([4, 3, 2])
    """
    found = []
    full = torch.autocast(bound.inputs.device.type, enabled=False)
    with eval_mode(scorer.forward), full:
        for name in names:
            if name == "gradient":
                values = bound.pool(gradients_at(scorer, scorer.batch.inputs[None])[1][0])
            else:
                values = _removals(scorer, bound)
            largest = values.abs().amax(dim=1, keepdim=True)
            found.append(values / largest.masked_fill(largest == 0, 1))
    return torch.stack(found, dim=-1)


def _removals(scorer: Scorer, bound: BoundMasker) -> Tensor:
    """Return the drop of the scalar when each feature is removed alone, ``(B, n)``."""
    n = bound.n_features
    features = torch.arange(n, device=bound.present.device)

    def keep(points: Tensor) -> Tensor:
        return (features != (points - 1)[:, None])[:, None]  # the first copy is the sample

    copies = CopySet(bound, n + 1, keep, lambda points: None)
    ((scores,),) = evaluate_copies(scorer, [copies], copies_per_pass=copies_that_fit(bound.inputs))
    return at_least_float32(scores[:1] - scores[1:]).T.masked_fill(~bound.present, 0)
