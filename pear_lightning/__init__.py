"""Lightning modules, torchmetrics and callbacks for models whose explanations hold up.

The package is imported by its parts, so that each stays light::

    from pear_lightning.modules import PEAR
    from pear_lightning.explainers import explain, IntegratedGradients
    from pear_lightning.metrics import PairwiseRankAgreement
"""

__version__ = "0.1.0.dev0"
