"""NHANES age and wholesale customers."""

import pandas as pd
import pytest
import torch

from pear_lightning.datamodules import NHANESAge, WholesaleCustomers


@pytest.mark.parametrize(
    ("kind", "counts", "first"),
    [(NHANESAge, (1914, 364), "RIAGENDR"), (WholesaleCustomers, (298, 142), "Region")],
)
def test_the_tables_are_those_of_the_files(data_dir, kind, counts, first):
    data = kind(str(data_dir), scaling="none")
    data.setup()
    assert sum(data.splits.values()) == sum(counts)
    assert data.num_features == 7
    assert data.feature_names[0] == first
    loaders = (data.train_dataloader(), data.test_dataloader())
    target = torch.cat([loader.dataset.target for loader in loaders])
    assert torch.bincount(target).tolist() == list(counts)
    inputs = torch.cat([loader.dataset.inputs for loader in loaders]).double()
    raw = pd.read_csv(data_dir / kind.folder / kind.file_name)
    for column, name in enumerate(data.feature_names):
        assert inputs[:, column].mean().item() == pytest.approx(raw[name].mean(), rel=1e-5)
    alone = kind(str(data_dir / kind.folder))  # its own folder
    alone.setup()
    assert alone.splits == data.splits


def test_neither_age_nor_serial_number_is_a_feature(data_dir):
    data = NHANESAge(str(data_dir))
    data.setup()
    assert not {"RIDAGEYR", "SEQN", "age_group"} & set(data.feature_names)


def test_columns_can_be_left_out(tmp_path):
    names = "Channel,Region,Fresh,Milk,Grocery,Frozen,Detergents_Paper,Delicassen"
    rows = "".join(f"{1 + i % 2},3,{i},9,7,2,2,{i}\n" for i in range(8))
    (tmp_path / "Wholesale_customers_data.csv").write_text(f"{names}\n{rows}")
    data = WholesaleCustomers(str(tmp_path), exclude=["Region", "Delicassen"])
    data.setup()
    assert data.feature_names == ["Fresh", "Milk", "Grocery", "Frozen", "Detergents_Paper"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"NHANES_age_prediction\.csv or .*nhanes-age"):
        NHANESAge(str(tmp_path)).setup()
