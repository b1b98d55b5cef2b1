"""Does a number of a sample predict its faithfulness, among samples of one class?"""

import torch
from torch import Tensor

from benchmarks.shared.finished_runs import Run


def column(run: Run, name: str) -> Tensor:
    """Return a number of each sample of a run.

    Args:
        run: The record.
        name: ``"agreement"``, the mean over the pairs of explainers; ``"trained pair"``, that of
            the first pair; ``"few features"``, minus the number of features; ``"faithfulness"``,
            the mean rank over the ten metrics, from 0 to 1, higher is better; or a key of the
            record.
    """
    samples = {key: torch.tensor(values) for key, values in run["samples"].items()}
    pairs = [values for key, values in samples.items() if key.startswith("agreement ")]
    if name == "agreement":
        return torch.stack(pairs).mean(dim=0)
    if name == "trained pair":
        return pairs[0]
    if name == "few features":
        return -samples["features"].double()
    if name == "faithfulness":
        ranks = [_ranks(oriented(run, metric)) for metric in run["higher_is_better"]]
        return torch.stack(ranks).mean(dim=0)
    return samples[name].double()


def oriented(run: Run, metric: str) -> Tensor:
    """Return a faithfulness metric of each sample, turned so that higher is better.

    Args:
        run: The record.
        metric: Name of the metric.
    """
    values = torch.tensor(run["samples"][f"faithfulness {metric}"])
    return values if run["higher_is_better"][metric] else -values


def auroc_within(scores: Tensor, values: Tensor, groups: Tensor) -> float:
    """Return how often the sample with the higher score is the more faithful one of two.

    A sample counts as faithful if its value lies above the median of its group. The pairs of a
    faithful and another sample of one group are counted, ties as one half, over all groups: a score
    that only knows the group has .5.

    Args:
        scores: What predicts, ``(N,)``.
        values: What is predicted, ``(N,)``.
        groups: Group of each sample, ``(N,)`` long.

    Returns:
        A number in [0, 1]; NaN without any pair.

    Example:
        >>> scores = torch.tensor([0.1, 0.2, 0.9, 0.8])
        >>> auroc_within(scores, torch.tensor([1.0, 2.0, 1.0, 2.0]), torch.tensor([0, 0, 1, 1]))
        0.5
    """
    won = pairs = 0.0
    for group in groups.unique():
        of_group = groups == group
        own, value = scores[of_group], values[of_group]
        good = value > value.median()
        difference = own[good][:, None] - own[~good][None, :]
        won += float((difference > 0).sum() + 0.5 * (difference == 0).sum())
        pairs += difference.numel()
    return won / pairs if pairs else float("nan")


def thirds(run: Run) -> Tensor:
    """Return groups of equal predicted class and third of the confidence within it.

    Args:
        run: The record.
    """
    predicted, confidence = column(run, "predicted").long(), column(run, "confidence")
    groups = torch.zeros_like(predicted)
    for label in predicted.unique():
        of_class = predicted == label
        ranks = _ranks(confidence[of_class])
        groups[of_class] = 3 * label + (3 * ranks).long().clamp(max=2)
    return groups


def auroc_of(
    run: Run, predictor: str, metric: str | None = None, *, by_thirds: bool = False
) -> float:
    """Return the AUROC of a predictor within the predicted classes of a run.

    Args:
        run: The record.
        predictor: See :func:`column`.
        metric: Name of a faithfulness metric; ``None`` for the mean rank over all ten.
        by_thirds: Whether to compare samples of similar confidence only.
    """
    values = column(run, "faithfulness") if metric is None else oriented(run, metric)
    groups = thirds(run) if by_thirds else column(run, "predicted").long()
    return auroc_within(column(run, predictor), values, groups)


def _ranks(values: Tensor) -> Tensor:
    """Return ranks from 0 to 1; ties share the mean of their ranks."""
    from pear_lightning.functional import average_ranks

    return (average_ranks(values.double()) - 1) / max(len(values) - 1, 1)
