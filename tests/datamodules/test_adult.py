import gzip
from pathlib import Path

import pandas as pd
import pytest
import torch

from pear_lightning.datamodules import Adult
from pear_lightning.datamodules.adult import COLUMNS

WORDS = ["Private", "Bachelors", "Divorced", "Sales", "Unmarried", "White", "Male", "Cuba"]
PLACES = [1, 3, 5, 6, 7, 8, 9, 13]


def line(age: int, income: str, **words: str) -> str:
    row: list[object] = [age, "", 1000 * age, "", age % 16, "", "", "", "", "", 0, 0, 40, ""]
    for place, word in zip(PLACES, WORDS, strict=True):
        row[place] = words.get(COLUMNS[place], word)
    return ", ".join(map(str, [*row, income]))


TRAIN = [
    line(20, "<=50K"),
    line(30, ">50K", workclass="?"),
    line(40, ">50K", sex="Female"),
    line(50, "<=50K", sex="Female"),
]
TEST = [line(25, "<=50K."), line(35, ">50K.", workclass="State-gov")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "adult.data").write_text("\n".join(TRAIN) + "\n\n")
    with gzip.open(tmp_path / "adult" / "adult.test.gz", "wt") as file:
        file.write("|1x3 Cross validator\n" + "\n".join(TEST) + "\n")
    return tmp_path


def ready(*args, **kwargs) -> Adult:
    data = Adult(*args, **kwargs)
    data.prepare_data()
    data.setup()
    return data


def test_words_become_groups_of_columns(folder):
    data = ready(folder)
    assert data.splits == {"train": 4, "test": 2}
    assert data.class_names == ["<=50K", ">50K"]
    assert data.rows("train").target.tolist() == [0, 1, 1, 0]
    with pytest.warns(UserWarning, match=r"the test table has .*'workclass': \['State-gov'\]"):
        assert data.rows("test").target.tolist() == [0, 1]
    names = data.feature_names
    assert names[:4] == ["age", "workclass=?", "workclass=Private", "fnlwgt"]
    assert [data.group_names[group] for group in data.groups] == [
        name.split("=")[0] for name in names
    ]
    assert data.group_names == COLUMNS
    train = data.rows("train").inputs
    test = data.rows("test").inputs
    assert train[:, 1].tolist() == [0, 1, 0, 0]
    assert train[:, 2].tolist() == [1, 0, 1, 1]
    assert test[:, 1:3].tolist() == [[0, 1], [0, 0]]  # State-gov is unknown
    assert train[:, names.index("sex=Female")].tolist() == [0, 0, 1, 1]


def test_numbers_are_scaled_with_training_statistics(folder):
    data = ready(folder / "adult")
    train = data.rows("train").inputs
    with pytest.warns(UserWarning, match=r"the test table has .*'workclass': \['State-gov'\]"):
        test = data.rows("test").inputs
    age = torch.tensor([20.0, 30, 40, 50])
    torch.testing.assert_close(train[:, 0], (age - 35) / age.std(correction=0))
    torch.testing.assert_close(test[:, 0], (torch.tensor([25.0, 35]) - 35) / age.std(correction=0))
    raw = ready(folder, scaling="none")
    assert raw.rows("train").inputs[:, 0].tolist() == age.tolist()


def test_columns_can_be_chosen(folder):
    data = ready(folder, features=["sex", "age"], junk_features=2)
    assert data.feature_names == ["sex=Female", "sex=Male", "age", "junk_0", "junk_1"]
    assert data.groups == [0, 0, 1, 2, 3]
    assert data.group_names == ["sex", "age", "junk_0", "junk_1"]
    assert ready(folder, features=["sex"]).groups == [0, 0]
    with pytest.raises(ValueError, match=r"features must be columns .*, got \['income'\]"):
        Adult(folder, features=["income"])


def test_columns_can_be_left_out(folder):
    data = ready(folder, exclude=["fnlwgt", "education"])
    assert data.group_names == [name for name in COLUMNS if name not in ("fnlwgt", "education")]
    assert ready(**data.hparams).group_names == data.group_names
    assert ready(folder, features=["sex", "age"], exclude=["age"]).group_names == ["sex"]


def test_rows_with_missing_words_can_be_dropped(folder):
    data = ready(folder, missing="drop")
    assert data.splits == {"train": 3, "test": 2}
    assert "workclass=?" not in data.feature_names
    with pytest.raises(ValueError, match="missing must be 'category' or 'drop', got 'mean'"):
        Adult(folder, missing="mean")  # type: ignore[arg-type]


def test_reloads_from_its_hyperparameters(folder):
    data = ready(folder, features=["sex", "age"])
    again = ready(**data.hparams)
    assert again.groups == data.groups
    assert torch.equal(again.rows("test").inputs, data.rows("test").inputs)


def test_hub(tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    rows = [each.split(", ") for each in TRAIN * 5]
    names = [name.replace("-", ".") for name in [*COLUMNS, "income"]]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "hub" / "rows.csv", index=False)
    monkeypatch.setattr("pear_lightning.datamodules.adult.HUB_ID", str(tmp_path / "hub"))
    data = ready(cache_dir=str(tmp_path / "cache"))
    assert data.splits == {"train": 15, "test": 5}
    assert data.group_names == COLUMNS
    assert data.rows("test").target.float().mean() == pytest.approx(0.5, abs=0.11)


def test_no_source(tmp_path, monkeypatch):
    monkeypatch.setattr("pear_lightning.datamodules.adult.HUB_ID", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError) as caught:
        Adult(cache_dir=str(tmp_path / "cache")).prepare_data()
    assert "give data_dir" in caught.value.__notes__[0]
    with pytest.raises(FileNotFoundError, match=r"must hold adult.data or adult.data.gz"):
        Adult(tmp_path).setup()
    with pytest.raises(ValueError, match="data and hub_id must be None for"):
        Adult(tmp_path, data="rows.csv")


def test_real_files(data_dir):
    data = ready(data_dir)
    assert data.splits == {"train": 32_561, "test": 16_281}
    assert int(data.rows("train").target.sum()) == 7_841
    assert int(data.rows("test").target.sum()) == 3_846
    assert data.num_features == len(data.groups) == 108
    assert len(data.group_names) == max(data.groups) + 1 == 14
    train = data.rows("train").inputs
    blocks = torch.zeros(len(train), 14).index_add(1, torch.tensor(data.groups), train)
    words = [data.groups.count(group) > 1 for group in range(14)]
    assert sum(words) == 8
    assert (blocks[:, words] == 1).all()
    variance = torch.zeros(14).index_add(0, torch.tensor(data.groups), train.var(0, correction=0))
    assert variance.max() < 1.001
    dropped = ready(data_dir, missing="drop")
    assert dropped.splits == {"train": 30_162, "test": 15_060}
