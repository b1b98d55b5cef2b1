"""What a feature of a sample is: an element, a patch, a segment."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.settings import PATCH, PIXELS_PER_STEP
from pear_lightning.masking import ColumnMasker, PatchMasker


def elements(problem: Problem, baseline: Any = 0.0) -> ColumnMasker | PatchMasker:
    """Return the masker whose features are the elements of a sample, as Quantus' are."""
    if problem.is_image:
        return PatchMasker(1, image_size=28, baseline=baseline)
    return ColumnMasker(problem.n_elements, baseline=baseline)


def patches(problem: Problem) -> PatchMasker:
    """Return the masker whose features are patches."""
    return PatchMasker(PATCH, image_size=28, baseline=0.0)


def subset_size(problem: Problem) -> int:
    """Return a tenth of the number of elements."""
    return problem.n_elements // 10


def elements_per_step(problem: Problem) -> int:
    """Return how many elements a step of pixel flipping removes."""
    return PIXELS_PER_STEP if problem.is_image else 1


def segments_of(problem: Problem) -> Tensor:
    """Return SLIC's segments with the settings of Quantus (scikit-image's own), ``(B, H, W)``."""
    from skimage.segmentation import slic

    images = problem.inputs.permute(0, 2, 3, 1).double().cpu().numpy()
    maps = np.stack([slic(image, start_label=0) for image in images])
    return torch.from_numpy(maps).long().to(problem.inputs.device)
