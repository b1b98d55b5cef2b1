"""Files, data frames, arrays and what `datasets` reads, all end as the same rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pear_lightning.datamodules import TabularDataModule
from pear_lightning.datamodules.table_source import as_frame, read_file, read_hub


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)).round(6), columns=["a", "b", "c"])
    return frame.assign(y=(frame["a"] > 0).astype(int))


def rows_of(data: TabularDataModule) -> torch.Tensor:
    data.setup()
    return torch.cat([inputs for inputs, _ in data.test_dataloader()])


WRITERS = {
    "rows.csv": lambda frame, path: frame.to_csv(path, index=False),
    "rows.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "rows.CSV": lambda frame, path: frame.to_csv(path, index=False),
    "rows.v2.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "rows.tsv.xz": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "rows.parquet": lambda frame, path: frame.to_parquet(path),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", [str, Path])
def test_files_read_like_the_data_frame(table, tmp_path, name, kind):
    WRITERS[name](table, tmp_path / name)
    from_file = rows_of(TabularDataModule(kind(tmp_path / name), target="y"))
    assert torch.equal(from_file, rows_of(TabularDataModule(table, target="y")))


def test_separator(table, tmp_path):
    table.to_csv(tmp_path / "rows.csv", index=False, sep=";")
    assert len(rows_of(TabularDataModule(tmp_path / "rows.csv", target="y", separator=";"))) == 10


def test_train_and_test_files(table, tmp_path):
    table[:30].to_csv(tmp_path / "train.csv", index=False)
    table[30:].to_parquet(tmp_path / "test.parquet")
    data = TabularDataModule(
        tmp_path / "train.csv", tmp_path / "test.parquet", target="y", scaling="none"
    )
    assert torch.equal(rows_of(data), torch.tensor(table[30:].to_numpy()[:, :3]).float())
    assert data.splits == {"train": 30, "test": 10}


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, np.ndarray.tolist])
def test_arrays_read_like_the_data_frame(table, kind):
    pair = (kind(table[["a", "b", "c"]].to_numpy()), kind(table["y"].to_numpy()))
    data = TabularDataModule(pair)
    assert torch.equal(rows_of(data), rows_of(TabularDataModule(table, target="y")))
    assert data.feature_names == ["x0", "x1", "x2"]


def test_pandas_pair_keeps_names(table):
    data = TabularDataModule((table[["a", "b", "c"]], table["y"]))
    assert torch.equal(rows_of(data), rows_of(TabularDataModule(table, target="y")))
    assert data.feature_names == ["a", "b", "c"]


def test_numbered_columns():
    frame = pd.DataFrame(np.arange(16.0).reshape(8, 2)).assign(y=[0, 1] * 4)
    data = TabularDataModule(frame, target="y", features=["1"])
    data.setup()
    assert data.feature_names == ["1"]


def test_the_data_frame_stays_as_it_is(table):
    before = table.copy()
    rows_of(TabularDataModule(table, target="y", junk_features="double"))
    pd.testing.assert_frame_equal(table, before)


def test_column_vector_as_target():
    assert as_frame((np.ones((3, 2)), np.ones((3, 1))), "y")["y"].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((np.ones((3, 2)), np.ones(4)), "y must have as many rows as X, 3, got 4"),
        ((np.ones(3), np.ones(3)), r"X must have shape .*, got \(3,\)"),
        ((np.ones((3, 2)), np.ones((3, 2))), r"y must have shape .*, got \(3, 2\)"),
        ((pd.DataFrame({"y": [1.0]}), [1]), "must not be the name of a column of X, got 'y'"),
    ],
)
def test_pairs_that_do_not_fit(pair, message):
    with pytest.raises(ValueError, match=message):
        as_frame(pair, "y")


@pytest.mark.parametrize("data", [7, ["train.csv", "test.csv"], {"a": [1]}])
def test_other_sources_are_refused(data):
    with pytest.raises(TypeError, match=f"data must be a path, .*, got {type(data).__name__}"):
        as_frame(data, "y")


@pytest.mark.parametrize("header", ["a,y,b,y", '"y",a,"y",b'])
def test_repeated_columns_of_a_file_are_refused(header, tmp_path):
    """Pandas calls the second one y.1, and the target would be a feature."""
    path = tmp_path / "rows.csv"
    path.write_text(f"{header}\n1,0,2,0\n3,1,4,1\n")
    data = TabularDataModule(path, target="y")
    with pytest.raises(ValueError, match=r"column names .* must differ, got several .*\['y'\]"):
        data.setup()


@pytest.mark.parametrize("separator", [",", "; "])
@pytest.mark.parametrize("ends", [["1", "2"], ["0", "1", "2"], ["1", "", ""]])
def test_rows_with_more_entries_than_the_header_are_refused(ends, separator, tmp_path):
    """Pandas takes their first entry as the name of the row, and the next ones as a, b and y."""
    path = tmp_path / "rows.csv"
    rows = [[str(number), str(2 * number), "0", end] for number, end in enumerate(ends)]
    path.write_text("\n".join(map(separator.join, [["a", "b", "y"], *rows])))
    with pytest.raises(ValueError, match=r"as many entries as its header, got .*rows\.csv'"):
        read_file(path, separator)


def test_separators_at_the_end_of_rows_are_ignored(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("y,a,b\n" + "".join(f"{i % 2},{i},{2 * i},\n" for i in range(8)))
    table = pd.DataFrame({"a": range(20), "b": range(0, 40, 2), "y": [0, 1] * 10})
    data = TabularDataModule(table, target="y", scaling="none", predict_data=path)
    data.setup()
    expected = [[float(i), float(2 * i)] for i in range(8)]
    assert data.predict_rows().inputs.tolist() == expected
    data = TabularDataModule(path, target="y")
    data.setup()
    assert (data.feature_names, data.class_names) == (["a", "b"], ["0", "1"])


def test_the_encoding_of_a_file(tmp_path):
    path, new = tmp_path / "rows.csv", tmp_path / "new.csv"
    table = pd.DataFrame({"city": ["Köln", "Graz"] * 8, "y": [0, 1] * 8})
    table.to_csv(path, index=False, encoding="cp1252")
    table[["city"]].to_csv(new, index=False, encoding="cp1252")
    message = r"encoding must be that of the file '.*rows.csv', got 'utf-8': .*'cp1252'"
    with pytest.raises(ValueError, match=message):
        TabularDataModule(path, target="y").setup()
    data = TabularDataModule(path, target="y", encoding="cp1252")
    data.setup()
    assert data.feature_names == ["city=Graz", "city=Köln"]
    later = TabularDataModule(predict_data=new)
    later.load_state_dict(data.state_dict())
    later.setup("predict")
    assert later.predict_rows().inputs[0].tolist() == [0, 1]


def test_decimal_commas(tmp_path):
    path, new = tmp_path / "rows.csv", tmp_path / "new.csv"
    table = pd.DataFrame(
        {"a": [0.5, 1.5, 2.25, -3.0] * 4, "job": ["x", "1,5"] * 8, "y": [0, 1] * 8}
    )
    table.to_csv(path, index=False, decimal=",", sep=";")
    table[["a", "job"]].to_csv(new, index=False, decimal=",", sep=";")
    with pytest.warns(UserWarning, match=r"got \['a'\] with numbers .* with decimal=','"):
        TabularDataModule(path, target="y", separator=";").setup()
    data = TabularDataModule(path, target="y", separator=";", decimal=",", scaling="none")
    data.setup()
    assert data.feature_names == ["a", "job=1,5", "job=x"]
    later = TabularDataModule(predict_data=new)
    later.load_state_dict(data.state_dict())
    later.setup("predict")
    assert later.predict_rows().inputs[:4, 0].tolist() == [0.5, 1.5, 2.25, -3.0]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path must be a file, got .*rows\.csv"):
        read_file(tmp_path / "rows.csv")


@pytest.mark.parametrize("name", ["rows.json", "rows", "rows.gz", "rows.xlsx"])
def test_unknown_suffix(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"path must end in \.csv.*, got '{name}'"):
        read_file(tmp_path / name)


class TestHub:
    """`datasets.load_dataset` takes a local folder where it takes a name on the hub."""

    def test_folder_of_files(self, table, tmp_path):
        table.to_csv(tmp_path / "rows.csv", index=False)
        data = TabularDataModule(
            hub_id=str(tmp_path), cache_dir=str(tmp_path / "cache"), target="y"
        )
        data.prepare_data()
        assert torch.equal(rows_of(data), rows_of(TabularDataModule(table, target="y")))

    def test_train_and_test_splits(self, table, tmp_path):
        folder = tmp_path / "hub"
        folder.mkdir()
        table[:30].to_parquet(folder / "train-00000.parquet")
        table[30:].to_parquet(folder / "test-00000.parquet")
        data = TabularDataModule(
            hub_id=str(folder), cache_dir=str(tmp_path / "cache"), target="y", scaling="none"
        )
        assert torch.equal(rows_of(data), torch.tensor(table[30:].to_numpy()[:, :3]).float())
        assert data.splits == {"train": 30, "test": 10}

    def test_configuration(self, table, tmp_path):
        folder = tmp_path / "hub"
        (folder / "num").mkdir(parents=True)
        table.to_csv(folder / "num" / "rows.csv", index=False)
        table[:4].to_csv(folder / "num" / "few.csv", index=False)
        (folder / "README.md").write_text(
            "---\nconfigs:\n"
            "- config_name: num_rows\n  data_files: num/rows.csv\n"
            "- config_name: num_few\n  data_files: num/few.csv\n---\n"
        )
        train, test = read_hub(str(folder), "num_few", cache_dir=str(tmp_path / "cache"))
        assert len(train) == 4
        assert test is None

    def test_data_files(self, table, tmp_path):
        table.to_csv(tmp_path / "rows.csv", index=False)
        data = TabularDataModule(
            hub_id="csv",
            data_files={"test": str(tmp_path / "rows.csv")},  # the only split is the table
            cache_dir=str(tmp_path / "cache"),
            target="y",
        )
        assert torch.equal(rows_of(data), rows_of(TabularDataModule(table, target="y")))

    def test_splits_without_train(self, table, tmp_path):
        path = str(tmp_path / "rows.csv")
        table.to_csv(path, index=False)
        with pytest.raises(ValueError, match=r"split called 'train' .* \['test', 'other'\]"):
            read_hub("csv", data_files={"test": path, "other": path}, cache_dir=str(tmp_path / "c"))

    def test_arguments_reach_datasets(self, table, monkeypatch):
        import datasets

        seen = {}

        def load_dataset(path, **kwargs):
            seen.update(kwargs, path=path)
            return datasets.DatasetDict(train=datasets.Dataset.from_pandas(table))

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        read_hub("owner/name", "config", data_files="f.csv", revision="abc", cache_dir="there")
        assert seen == {
            "path": "owner/name",
            "name": "config",
            "data_files": "f.csv",
            "revision": "abc",
            "cache_dir": "there",
        }
