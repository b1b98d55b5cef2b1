"""The data sets by name, on the real files where the environment names their folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pear_lightning.datamodules import (
    BankMarketing,
    BreastCancer,
    CaliforniaHousing,
    Electricity,
    TabularDataModule,
)
from pear_lightning.datamodules.paper_table import PaperTable

BANK = ["V1", "V6", "V10", "V12", "V13", "V14", "V15"]
HOUSES = ["MedInc", "HouseAge", "AveRooms", "AveBedrms"]
HOUSES += ["Population", "AveOccup", "Latitude", "Longitude"]
POWER = ["date", "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]

TABLES = [
    (BankMarketing, 7933, 2645, BANK, (3993, 1296)),
    (CaliforniaHousing, 15475, 5159, HOUSES, (7789, 2528)),
    (Electricity, 28855, 9619, POWER, (14483, 4754)),
]


def rows(data: TabularDataModule, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    table = data.rows(split)
    return table.inputs, table.target


@pytest.mark.parametrize(("kind", "train", "test", "features", "positives"), TABLES)
class TestFiles:
    def test_rows_and_columns_of_the_paper(self, data_dir, kind, train, test, features, positives):
        data = kind(data_dir)
        data.prepare_data()
        data.setup()
        assert data.splits == {"train": train, "test": test}
        assert data.feature_names == features
        assert data.num_classes == 2
        assert len(data.class_names) == 2
        assert data.batch_size == 64
        assert data.val_dataloader() == []
        counted = tuple(int(rows(data, split)[1].sum()) for split in ("train", "test"))
        assert counted == positives

    def test_scaling_with_train_statistics(self, data_dir, kind, train, test, features, positives):
        data, legacy = kind(data_dir), kind(data_dir, legacy_test_scaling=True)
        data.setup()
        legacy.setup()
        names = [f"{kind.file_name}-{part}.csv*" for part in ("train", "test")]
        raw = [
            pd.read_csv(next(data_dir.glob(f"{kind.folder}/{name}")))[features] for name in names
        ]
        low, high = raw[0].min(), raw[0].max()
        expected = ((raw[1] - low) / (high - low)).to_numpy()
        np.testing.assert_allclose(rows(data, "test")[0], expected, atol=1e-6)
        low, high = raw[1].min(), raw[1].max()
        expected = ((raw[1] - low) / (high - low)).to_numpy()
        np.testing.assert_allclose(rows(legacy, "test")[0], expected, atol=1e-6)
        assert torch.equal(rows(data, "train")[0], rows(legacy, "train")[0])
        np.testing.assert_allclose(data.training_mean, rows(data, "train")[0].mean(0), atol=1e-6)

    def test_own_folder_and_validation(self, data_dir, kind, train, test, features, positives):
        data = kind(data_dir / kind.folder, val_fraction=0.1, junk_features="double")
        data.setup()
        assert data.splits["train"] + data.splits["val"] == train
        assert data.splits["test"] == test
        assert data.num_features == 2 * len(features)


def test_a_house_far_outside(data_dir):
    """AveOccup reaches 502 in training and 1,243 in testing."""
    data = CaliforniaHousing(data_dir)
    data.setup()
    assert rows(data, "test")[0][:, 5].max() > 2


def test_electricity_without_day(data_dir):
    data = Electricity(data_dir, features=[name for name in POWER if name != "day"])
    data.setup()
    assert data.num_features == 7


@pytest.mark.parametrize("kind", [BankMarketing, CaliforniaHousing, Electricity])
class TestHub:
    """A folder stands in for the hub; the loader is the real one."""

    def make_hub(self, kind, folder: Path) -> None:
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
        (folder / "clf_num").mkdir(parents=True)
        frame.assign(**{kind.hub_target: [0, 1] * 20}).to_csv(
            folder / "clf_num" / "rows.csv", index=False
        )
        (folder / "README.md").write_text(
            "---\nconfigs:\n"
            f"- config_name: {kind.hub_config_name}\n  data_files: clf_num/rows.csv\n---\n"
        )

    def test_hub(self, kind, tmp_path, monkeypatch):
        self.make_hub(kind, tmp_path / "hub")
        monkeypatch.setattr("pear_lightning.datamodules.paper_table.HUB_ID", str(tmp_path / "hub"))
        data = kind(cache_dir=str(tmp_path / "cache"))
        data.prepare_data()
        data.setup()
        assert data.splits == {"train": 30, "test": 10}
        assert data.feature_names == ["a", "b", "c"]
        assert rows(data, "test")[1].float().mean() == 0.5
        assert len(data.class_names) == 2

    def test_no_hub_names_the_files(self, kind, tmp_path, monkeypatch):
        monkeypatch.setattr("pear_lightning.datamodules.paper_table.HUB_ID", str(tmp_path / "none"))
        with pytest.raises(FileNotFoundError) as caught:
            kind(cache_dir=str(tmp_path / "cache")).prepare_data()
        assert "give data_dir" in caught.value.__notes__[0]

    def test_missing_files(self, kind, tmp_path):
        with pytest.raises(FileNotFoundError, match=f"must hold {kind.file_name}-train.csv or"):
            kind(tmp_path).setup()

    def test_other_sources_are_refused(self, kind, tmp_path):
        with pytest.raises(ValueError, match="data and hub_id must be None for"):
            kind(tmp_path, data="rows.csv")


def test_base_has_no_table():
    with pytest.raises(TypeError, match="file_name must be defined, got PaperTable"):
        PaperTable()


def test_breast_cancer():
    data = BreastCancer()
    data.prepare_data()
    data.setup()
    assert data.splits == {"train": 426, "test": 143}
    assert data.class_names == ["malignant", "benign"]
    assert data.feature_names[0] == "mean radius"
    inputs, target = rows(data, "train")
    assert inputs.mean(dim=0).abs().max() < 1e-5
    assert inputs.std(dim=0, correction=0).tolist() == pytest.approx([1.0] * 30, abs=1e-4)
    total = target.sum() + rows(data, "test")[1].sum()
    assert total == 357
    with pytest.raises(ValueError, match="data and hub_id must be None for"):
        BreastCancer(hub_id="owner/name")
