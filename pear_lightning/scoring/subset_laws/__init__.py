"""Laws of random subsets: which features of a sample are removed together.

Explainers (``KernelShap``, ``Lime``), probes of metrics (``RandomSubsets``) and losses of learned
explainers (:class:`~pear_lightning.losses.LocalCorrelationLoss`) take their subsets from here.
"""

from pear_lightning.scoring.subset_laws.base import SubsetLaw, Subsets, seeded_numbers
from pear_lightning.scoring.subset_laws.bernoulli import BernoulliLaw
from pear_lightning.scoring.subset_laws.fixed_size import FixedSizeLaw
from pear_lightning.scoring.subset_laws.prefix import PrefixLaw
from pear_lightning.scoring.subset_laws.shapley import ShapleyLaw
from pear_lightning.scoring.subset_laws.single_removal import SingleRemovalLaw
from pear_lightning.scoring.subset_laws.uniform_size import UniformSizeLaw

__all__ = [
    "BernoulliLaw",
    "FixedSizeLaw",
    "PrefixLaw",
    "ShapleyLaw",
    "SingleRemovalLaw",
    "SubsetLaw",
    "Subsets",
    "UniformSizeLaw",
    "seeded_numbers",
]
