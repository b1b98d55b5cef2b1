"""IROF: means of the batch, areas without a scale, one channel."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.faithfulness_speed.differences.written import Difference, error_of, listed
from benchmarks.faithfulness_speed.features import segments_of
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.scores import our_scores, quantus_scores
from benchmarks.shared.watched import Watched
from pear_lightning.masking import SegmentMasker
from pear_lightning.metrics import IROF

_OPTIONS: dict[str, Any] = {"return_aggregate": False, "perturb_baseline": "mean"}


def irof_differences(problem: Problem) -> Iterator[Difference]:
    """Yield how IROF differs.

    Args:
        problem: A model and six images.
    """
    alone = [problem.sample(row) for row in range(len(problem.inputs))]
    together = quantus_scores("IROF", problem, **_OPTIONS)
    apart = torch.cat([quantus_scores("IROF", each, **_OPTIONS) for each in alone])
    metric = IROF(SegmentMasker(baseline="own_mean", pooling="mean"), n_steps=None)
    labels = segments_of(problem)
    ours = our_scores(metric, problem, masker_kwargs={"segments": labels})
    ours_apart = torch.cat(
        [
            our_scores(metric, each, masker_kwargs={"segments": labels[row : row + 1]})
            for row, each in enumerate(alone)
        ]
    )
    yield {
        "metric": "IROF",
        "what": "the mean that replaces segments is that of the whole batch, so a score depends on "
        "the other images; ours is the mean of the image",
        "measured": f"six images together {listed(together)}, one at a time {listed(apart)}; "
        f"ours changes by {(ours - ours_apart).abs().max().item():.1g} at most",
    }

    values = _fills(alone[0])
    yield {
        "metric": "IROF",
        "what": "after every step the mean is taken anew, of the image with segments replaced",
        "measured": f"fill values of one image from {values.min():.3f} to {values.max():.3f}, its "
        f"own mean is {alone[0].inputs.mean():.3f}",
    }

    yield {
        "metric": "IROF",
        "what": "the area is not divided by the number of segments, and the curve begins after the "
        "first step; ours has width 1 and both ends",
        "measured": f"one at a time {listed(apart)} against {listed(ours)}",
    }

    colour = problem.inputs[:2].expand(-1, 3, -1, -1).contiguous()
    model = nn.Sequential(_FirstChannel(), problem.model).eval()
    three = Problem("colour", model, colour, problem.target[:2], colour)
    yield {
        "metric": "IROF",
        "what": "images with more than one channel are refused",
        "measured": error_of(lambda: quantus_scores("IROF", three, **_OPTIONS)),
    }


def _fills(problem: Problem) -> Tensor:
    """Return the values that Quantus fills the segments of one image with, step by step."""
    watched = Watched(problem.model, record=True).eval()
    quantus_scores("IROF", problem.with_model(watched), **_OPTIONS)
    copies = watched.seen()[1:]
    fills = [
        copy[copy != before].unique()
        for before, copy in zip([problem.inputs[0], *copies[:-1]], copies, strict=True)
    ]
    return torch.cat([fill for fill in fills if fill.numel() == 1])


class _FirstChannel(nn.Module):
    """The first channel of an image."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs[:, :1]
