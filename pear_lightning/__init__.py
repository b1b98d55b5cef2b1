"""Lightning modules, torchmetrics and callbacks for models whose explanations hold up.

The package is imported by its parts, so that each stays light::

    from pear_lightning.modules import PEAR
    from pear_lightning.explainers import explain, IntegratedGradients
    from pear_lightning.metrics import PairwiseRankAgreement
"""

from pathlib import Path

__version__ = "0.1.0.dev0"

# The build moves callbacks/ and datamodules/ into the package. In a clone they are next to it, and
# Python finds this folder before any installed package if it runs in the root of the clone.
_here = Path(__file__).parent
if not (_here / "callbacks").exists() and (_here.parent / "callbacks" / "__init__.py").is_file():
    __path__ = [*__path__, str(_here.parent)]
