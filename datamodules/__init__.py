"""Lightning data modules: one for any table, tables of papers, and ones of known relevance."""

from pear_lightning.datamodules.adult import Adult
from pear_lightning.datamodules.bank_marketing import BankMarketing
from pear_lightning.datamodules.breast_cancer import BreastCancer
from pear_lightning.datamodules.california_housing import CaliforniaHousing
from pear_lightning.datamodules.electricity import Electricity
from pear_lightning.datamodules.friedman import Friedman
from pear_lightning.datamodules.invase_synthetic import InvaseSynthetic
from pear_lightning.datamodules.synthetic_classification import SyntheticClassification
from pear_lightning.datamodules.tabular import TabularDataModule
from pear_lightning.datamodules.xor import XOR

__all__ = [
    "XOR",
    "Adult",
    "BankMarketing",
    "BreastCancer",
    "CaliforniaHousing",
    "Electricity",
    "Friedman",
    "InvaseSynthetic",
    "SyntheticClassification",
    "TabularDataModule",
]
