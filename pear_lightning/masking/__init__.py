"""Maskers, which define features, pool attributions to them and remove them, and baselines."""

from pear_lightning.masking.baseline import Baseline
from pear_lightning.masking.blur import Blur
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.masking.column_masker import ColumnMasker
from pear_lightning.masking.fixed_baseline import FixedBaseline
from pear_lightning.masking.masker import Masker
from pear_lightning.masking.noise import GaussianNoise, UniformNoise
from pear_lightning.masking.own_mean import OwnMean
from pear_lightning.masking.patch_masker import PatchMasker
from pear_lightning.masking.segment_masker import SegmentMasker
from pear_lightning.masking.segmenter import Segmenter
from pear_lightning.masking.shuffle import Shuffle
from pear_lightning.masking.slic import Slic
from pear_lightning.masking.token_baseline import TokenBaseline
from pear_lightning.masking.token_masker import TokenMasker

__all__ = [
    "Baseline",
    "Blur",
    "BoundMasker",
    "ColumnMasker",
    "FixedBaseline",
    "GaussianNoise",
    "Masker",
    "OwnMean",
    "PatchMasker",
    "SegmentMasker",
    "Segmenter",
    "Shuffle",
    "Slic",
    "TokenBaseline",
    "TokenMasker",
    "UniformNoise",
]
