"""Lightning data modules: tables, images, texts, and data with annotations."""

from pear_lightning.datamodules.adult import Adult
from pear_lightning.datamodules.ag_news import AGNews
from pear_lightning.datamodules.always_include import AlwaysInclude
from pear_lightning.datamodules.bank_marketing import BankMarketing
from pear_lightning.datamodules.breast_cancer import BreastCancer
from pear_lightning.datamodules.california_housing import CaliforniaHousing
from pear_lightning.datamodules.cifar10 import CIFAR10
from pear_lightning.datamodules.decoy_digits import DecoyDigits
from pear_lightning.datamodules.decoy_mnist import DecoyMNIST
from pear_lightning.datamodules.electricity import Electricity
from pear_lightning.datamodules.fashion_mnist import FashionMNIST
from pear_lightning.datamodules.friedman import Friedman
from pear_lightning.datamodules.image_classification import ImageClassification
from pear_lightning.datamodules.imdb import IMDb
from pear_lightning.datamodules.invase_synthetic import InvaseSynthetic
from pear_lightning.datamodules.iris_cancer import IrisCancer
from pear_lightning.datamodules.mnist import MNIST
from pear_lightning.datamodules.nhanes_age import NHANESAge
from pear_lightning.datamodules.sst2 import SST2
from pear_lightning.datamodules.supervision import SupervisionDataModule
from pear_lightning.datamodules.synthetic_classification import SyntheticClassification
from pear_lightning.datamodules.tabular import TabularDataModule
from pear_lightning.datamodules.text_classification import TextClassification
from pear_lightning.datamodules.toy_colors import ToyColors
from pear_lightning.datamodules.twenty_newsgroups import TwentyNewsgroups
from pear_lightning.datamodules.wholesale_customers import WholesaleCustomers
from pear_lightning.datamodules.xor import XOR

__all__ = [
    "CIFAR10",
    "MNIST",
    "SST2",
    "XOR",
    "AGNews",
    "Adult",
    "AlwaysInclude",
    "BankMarketing",
    "BreastCancer",
    "CaliforniaHousing",
    "DecoyDigits",
    "DecoyMNIST",
    "Electricity",
    "FashionMNIST",
    "Friedman",
    "IMDb",
    "ImageClassification",
    "InvaseSynthetic",
    "IrisCancer",
    "NHANESAge",
    "SupervisionDataModule",
    "SyntheticClassification",
    "TabularDataModule",
    "TextClassification",
    "ToyColors",
    "TwentyNewsgroups",
    "WholesaleCustomers",
]
