"""What a learned explainer may read of the explained model, for each feature."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.gradients import gradients_at
from pear_lightning.scoring.hidden_features import hidden_features
from pear_lightning.scoring.perturbed_copies import CopySet, evaluate_copies
from pear_lightning.scoring.scorer import Scorer

_HIDDEN = "hidden:"
SIDE_INPUTS = ("gradient", "removals", f"{_HIDDEN}<layer>")
"""``"gradient"``: the gradient of the explained scalar, pooled to features, one pass of the model;
``"removals"``: its drop when a feature is removed alone, n + 1 evaluations; ``"hidden:<layer>"``:
the output of the named layer at each feature, d values, one evaluation."""


def check_side_inputs(names: Sequence[str]) -> None:
    """Raise for an unknown name.

    Args:
        names: Names of side inputs.

    Raises:
        TypeError: If a single string is given instead of a sequence.
        ValueError: If a name is unknown.
    """
    if isinstance(names, str):
        raise TypeError(f"side must be a sequence of names, got {names!r}; write [{names!r}]")
    for name in names:
        if name not in SIDE_INPUTS[:2] and not _layer_of(name):
            raise ValueError(f"side must be one of {', '.join(SIDE_INPUTS)}, got {name!r}")


@torch.no_grad()
def side_inputs(names: Sequence[str], scorer: Scorer, bound: BoundMasker) -> Tensor:
    """Return values of each feature, ``(B, n, S)``.

    Those of one name are scaled to a largest absolute value of 1 in each sample. There is one value
    of a feature for ``"gradient"`` and ``"removals"``, and one for each channel of a layer.

    Args:
        names: See :data:`SIDE_INPUTS`.
        scorer: The explained scalar.
        bound: The features of the scorer's samples.

    Raises:
        TypeError: If a layer does not return one tensor.
        ValueError: If the model has no such layer, or its output does not fit the features.

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
            elif name == "removals":
                values = _removals(scorer, bound)
            else:
                values = hidden_features(_layer_of(name), scorer, bound)
            values = values.unsqueeze(2) if values.ndim == 2 else values
            largest = values.abs().amax(dim=(1, 2), keepdim=True)
            found.append(values / largest.masked_fill(largest == 0, 1))
    return torch.cat(found, dim=-1)


def _layer_of(name: str) -> str:
    return name.removeprefix(_HIDDEN) if name.startswith(_HIDDEN) else ""


def _removals(scorer: Scorer, bound: BoundMasker) -> Tensor:
    """Return the drop of the scalar when each feature is removed alone, ``(B, n)``."""
    n = bound.n_features
    features = torch.arange(n, device=bound.present.device)

    def keep(points: Tensor) -> Tensor:
        return (features != (points - 1)[:, None])[:, None]  # the first copy is the sample

    copies = CopySet(bound, n + 1, keep, lambda points: None)
    ((scores,),) = evaluate_copies(scorer, [copies], copies_per_pass=copies_that_fit(bound.inputs))
    return at_least_float32(scores[:1] - scores[1:]).T.masked_fill(~bound.present, 0)
