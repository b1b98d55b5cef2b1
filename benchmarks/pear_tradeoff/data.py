"""The data sets of the PEAR benchmark."""

from typing import Any

from benchmarks.pear_tradeoff.setting import Setting
from pear_lightning.datamodules import Adult, BankMarketing, CaliforniaHousing, Electricity
from pear_lightning.masking import ColumnMasker

DATA_SETS = {
    "bank": BankMarketing,
    "california": CaliforniaHousing,
    "electricity": Electricity,
    "adult": Adult,
}


def data_of(name: str, setting: Setting, seed: int, data_dir: str, **options: Any) -> Any:
    """Return a data module that has been set up.

    Args:
        name: Name of the data set.
        setting: How to train.
        seed: Seed of the rows that are held out.
        data_dir: Folder of the files.
        **options: Further arguments of the data module.
    """
    data = DATA_SETS[name](
        data_dir,
        batch_size=setting.batch_size,
        eval_batch_size=500,
        scaling=setting.scaling,
        junk_features="double" if setting.junk else None,
        val_fraction=setting.held_out,
        seed=seed,
        **options,
    )
    data.prepare_data()
    data.setup()
    return data


def masker_of(data: Any) -> ColumnMasker:
    """Return the features of a data module, replaced by their training means when removed."""
    masker: ColumnMasker = data.masker(baseline=data.training_mean)
    return masker
