"""Lightning data modules: one for any table, and the data sets of the PEAR paper."""

from pear_lightning.datamodules.bank_marketing import BankMarketing
from pear_lightning.datamodules.breast_cancer import BreastCancer
from pear_lightning.datamodules.california_housing import CaliforniaHousing
from pear_lightning.datamodules.electricity import Electricity
from pear_lightning.datamodules.tabular import TabularDataModule

__all__ = [
    "BankMarketing",
    "BreastCancer",
    "CaliforniaHousing",
    "Electricity",
    "TabularDataModule",
]
