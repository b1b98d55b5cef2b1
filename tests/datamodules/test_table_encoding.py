"""Categories, missing values, marks and new rows of a table, and the checkpoint of its encoding."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pear_lightning.datamodules import TabularDataModule
from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.datamodules.table_words import are_dates

JOBS = ["clerk", "cook", "nurse"]


def make_table(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "job": rng.choice(JOBS, rows),
            "income": rng.lognormal(3, 1, rows),
            "city": rng.choice(["Graz", "Linz"], rows),
            "left": np.where(np.arange(rows) % 3 == 0, "yes", "no"),
        }
    )


def with_gaps() -> pd.DataFrame:
    table = make_table()
    table.loc[::7, "income"] = np.nan
    table.loc[1::9, "job"] = None
    return table


def ready(data, *args, **kwargs) -> TabularDataModule:
    module = TabularDataModule(data, *args, **{"target": "left", **kwargs})
    module.setup()
    return module


class TestCategories:
    def test_text_becomes_columns_of_one_feature(self):
        table = make_table()
        data = ready(table[:90], table[90:])
        assert data.feature_names == [
            "age", "job=clerk", "job=cook", "job=nurse", "income", "city=Graz", "city=Linz"
        ]  # fmt: skip
        assert data.groups == [0, 1, 1, 1, 2, 3, 3]
        assert data.group_names == ["age", "job", "income", "city"]
        assert (data.num_features, data.num_classes, data.class_names) == (7, 2, ["no", "yes"])
        test = data.rows("test").inputs
        expected = torch.tensor([[job == each for each in JOBS] for job in table["job"][90:]])
        assert torch.equal(test[:, 1:4], expected.float())
        age = table["age"].to_numpy(dtype=float)
        scaled = (age[90:] - age[:90].mean()) / age[:90].std()
        torch.testing.assert_close(test[:, 0], torch.tensor(scaled).float())

    def test_columns_of_a_category_are_one_feature_of_the_masker(self):
        data = ready(make_table(), junk_features=1)
        masker = data.masker()
        assert masker.n_features == 5 == len(data.group_names)
        attributions = torch.arange(8.0)[None]
        assert masker.pool(attributions).tolist() == [[0, 1 + 2 + 3, 4, 5 + 6, 7]]

    def test_numbers_can_be_categories(self):
        table = make_table().assign(code=[1, 2, 3, 4] * 30)
        assert ready(table, categories=["code"]).feature_names[-4:] == [
            "code=1", "code=2", "code=3", "code=4"
        ]  # fmt: skip
        with pytest.raises(ValueError, match=r"categories must be feature columns, .*got \['cod'"):
            ready(table, categories=["cod"])

    def test_numbers_that_pandas_keeps_as_objects_are_numbers(self, tmp_path):
        table = make_table().assign(wei=[(i + 1) * 10**21 + 7 for i in range(120)])
        table["price"] = [Decimal(i) / 4 for i in range(120)]
        table["mixed"] = pd.Series([1, 2.5, None] * 40, dtype=object)
        data = ready(table, impute=True, max_categories=10)
        assert data.encoder.categories == ["job", "city"]
        new = table[:2].drop(columns="left").assign(wei=[1, 10**21])
        new.to_csv(tmp_path / "new.csv", index=False)
        data.predict_data = tmp_path / "new.csv"
        assert data.predict_rows().inputs.isfinite().all()
        with pytest.raises(ValueError, match=r"exclude=\['code'\], or raise `max_categories`$"):
            ready(make_table().assign(code=[1, 2, 3, 4] * 30), categories=["code"],
                  max_categories=3)  # fmt: skip
        flags = make_table().assign(member=pd.Series([True, None] * 60, dtype=object))
        assert "member=True" in ready(flags, impute=True).feature_names

    def test_a_category_is_the_same_word_with_and_without_missing_values(self):
        table = make_table().assign(code=[1, 2, 3, 4] * 30)
        data = ready(table, categories=["code"], impute=True)
        new = table[["age", "job", "income", "city"]].assign(code=[1.0, np.nan] * 60)
        data.predict_data = new
        message = r"predict_data has missing values in \['code'\], where the .* encoded as zeros"
        with pytest.warns(UserWarning, match=message) as found:
            rows = data.predict_rows().inputs
        assert len(found) == 1
        assert rows[0, -4:].tolist() == [1, 0, 0, 0]
        assert rows[1, -4:].tolist() == [0, 0, 0, 0]

    def test_an_identifier_is_no_category(self):
        table = make_table().assign(name=[f"person {i}" for i in range(120)])
        message = r"must have at most 80 values .* got 'name' \(90 in 90 rows, .*exclude=\['name'\]"
        with pytest.raises(ValueError, match=message):
            ready(table, max_categories=80)
        assert ready(table, exclude=["name"]).group_names == ["age", "job", "income", "city"]
        with pytest.raises(ValueError, match=r"exclude must name columns .*, got \['nam'\]"):
            ready(table, exclude=["nam"])

    def test_all_columns_that_are_no_categories_are_named_at_once(self):
        days = pd.Series(pd.date_range("2024-01-01", periods=120))
        table = make_table().assign(
            customer=[f"C{i}" for i in range(120)],
            signup=days.dt.strftime("%Y-%m-%d"),
            last=days.dt.strftime("%d %b %Y"),
            debt=["?", *(f"{i}.5" for i in range(118)), "-"],
            note="x",
        )
        with pytest.raises(ValueError, match="categories must have at most 80 values") as raised:
            ready(table[:118], table[118:], max_categories=80, exclude=["note"])
        said = str(raised.value)
        columns = ["customer", "signup", "last", "debt"]
        assert "'customer' (118 in 118 rows, such as 'C0' and 'C99')" in said
        assert "'signup' (118 dates in 118 rows, such as '2024-01-01' and '2024-04-27')" in said
        assert f"leave them out with exclude={['note', *columns]}, or, if 'debt' holds" in said
        assert "'debt' holds numbers, name ['?'] in `na_values`" in said
        assert "to keep ['signup', 'last'], replace them by a year or the days since" in said
        assert ready(table, exclude=["note", *columns]).group_names[0] == "age"
        with pytest.raises(ValueError, match=r"leave them out with features=\['age'\]"):
            ready(table, max_categories=80, features=["age", *columns])

    def test_dates(self):
        days = ["2024-01-31", "31/1/2024", "1.31.24", "Jan 31, 2024", "31 January 2024", "2024-01"]
        for word in [*days, "2024-01-31T08:30:00Z", "1/31/2024 8:30"]:
            assert are_dates([word]), word
        others = ["2024", "1234.5", "0044-12", "7590-VHVEG", "10.0.0.12", "123-45-6789", "May"]
        for word in [*others, "8:30", "person 1"]:
            assert not are_dates([word]), word

    def test_is_fitted_on_training_rows(self):
        table = make_table()
        table.loc[119, "job"] = "pilot"
        data = ready(table[:90], table[90:])
        assert "job=pilot" not in data.feature_names
        with pytest.warns(UserWarning, match=r"the test table has categories .*'job': \['pilot'\]"):
            test = data.rows("test").inputs
        assert test[-1, 1:4].tolist() == [0, 0, 0]


class TestUninformativeColumns:
    def test_constant_columns_are_named_once(self):
        table = make_table().assign(
            country="AT", year=2024, fee=[None, 3.0] * 60, gap=[None, "x"] * 60
        )
        with pytest.warns(UserWarning, match="should have several values") as found:
            data = ready(table, impute=True, exclude=["city"])
        assert len(found) == 1
        data.setup()
        data.rows("test")  # another warning would be an error
        said = str(found[0].message)
        assert "got one value in ['country', 'year', 'fee']; such columns explain no" in said
        assert said.endswith("leave them out with exclude=['city', 'country', 'year', 'fee']")
        ready(table, impute=True, exclude=["country", "year", "fee"])
        with pytest.warns(UserWarning, match=r"leave them out with features=\['age'\]"):
            ready(table, features=["age", "year"])

    def test_the_training_rows_decide(self):
        table = make_table().assign(flag=[0] * 90 + [1] * 30)
        with pytest.warns(UserWarning, match=r"got one value in \['flag'\]"):
            ready(table[:90], table[90:])

    def test_of_many_constant_columns_the_first_are_named(self):
        values = np.random.default_rng(0).normal(size=(40, 30)) * (np.arange(30) > 24)
        with pytest.warns(UserWarning, match=r"'x19'\] and 5 more; .* out with `exclude`"):
            TabularDataModule((values, [0, 1] * 20)).setup()

    @pytest.mark.parametrize(
        "name", ["id", "customer_id", "PassengerId", "customerID", "ID.number", "Unnamed: 0"]
    )
    def test_distinct_whole_numbers_with_the_name_of_an_identifier(self, name):
        numbers = np.random.default_rng(0).permutation(10**6)[:120]
        table = make_table().assign(**{name: numbers})
        with pytest.warns(UserWarning, match="not be identifiers of the rows, got") as found:
            ready(table, exclude=["city"])
        said = str(found[0].message)
        assert f"[{name!r}] with a different whole number in each of the 90 training rows" in said
        assert f"leave them out with exclude={['city', name]}, or list the features" in said
        ready(table, features=["age", name])  # it is meant
        ready(table, irrelevant=[name])
        ready(table.assign(**{name: numbers + 0.5}))
        ready(table.assign(**{name: numbers // 10**4}))
        ready(table[:60])

    def test_a_counter_has_any_name(self):
        table = make_table()
        for start in (0, 1, 5000):
            with pytest.warns(UserWarning, match=r"identifiers of the rows, got \['nr'\]"):
                ready(table.assign(nr=range(start, start + 120)), val_fraction=0.1)

    def test_other_distinct_numbers_are_no_identifiers(self):
        numbers = np.random.default_rng(0).permutation(10**6)[:120]
        ready(make_table().assign(paid=numbers, valid=np.sort(numbers), grid=numbers * 2))


SPELLINGS = [
    (["true", "false", "unknown"], ["true", "false"]),
    (["01", "02", "A3"], ["01", "02"]),
    (["1.0", "2.0", "x"], ["2.0", "1.0"]),
]


class TestSpellings:
    """The type that pandas gives a column depends on all of its entries in the file."""

    @pytest.mark.parametrize(("entries", "new"), SPELLINGS)
    @pytest.mark.parametrize("in_memory", [False, True])
    def test_words_do_not_depend_on_the_type(self, tmp_path, entries, new, in_memory):
        train, later = tmp_path / "train.csv", tmp_path / "later.csv"
        table = pd.DataFrame({"code": entries * 6, "age": range(18), "left": ["no", "yes"] * 9})
        table.to_csv(train, index=False)
        pd.DataFrame({"code": new, "age": [1, 2], "left": ["no", "yes"]}).to_csv(later, index=False)
        source = pd.read_csv(later) if in_memory else later
        assert not in_memory or not pd.api.types.is_string_dtype(source["code"])
        data = ready(train, source, predict_data=source)
        expected = [[word == name for name in sorted(entries)] for word in new]
        for rows in (data.rows("test"), data.predict_rows()):  # a warning would be an error
            assert rows.inputs[:, :3].bool().tolist() == expected

    def test_words_of_a_checkpoint(self, tmp_path):
        entries, new = SPELLINGS[0]
        table = pd.DataFrame({"code": entries * 6, "left": ["true", "false", "maybe"] * 6})
        state = ready(table).state_dict()
        path = tmp_path / "later.csv"
        pd.DataFrame({"code": new, "left": ["true", "false"]}).to_csv(path, index=False)
        data = TabularDataModule(table, path, target="left")
        data.load_state_dict(state)
        data.setup("test")
        rows = data.rows("test")
        assert rows.inputs.tolist() == [[0, 1, 0], [1, 0, 0]]
        assert rows.target.tolist() == [2, 0]  # false, maybe, true

    def test_equal_numbers_that_are_two_words_stay_apart(self):
        encoder = TableEncoder(["code"], ["code"])
        encoder.fit(pd.DataFrame({"code": ["1", "01", "2.0"]}))
        assert encoder.unknown(pd.DataFrame({"code": ["1.0", "2", "01"]})) == {"code": ["1.0"]}

    def test_a_column_of_a_long_file_has_one_type(self, tmp_path):
        entries = ["01"] * 300_000 + ["A3"] * 4
        path = tmp_path / "train.csv"
        pd.DataFrame({"code": entries, "left": [0, 1] * 150_002}).to_csv(path, index=False)
        assert ready(path, test_fraction=0).feature_names == ["code=01", "code=A3"]


class TestTheRunOfACheckpoint:
    def numbers(self):
        return make_table().assign(left=range(120))

    def test_the_task_is_restored(self):
        table = make_table().assign(left=[0.0, 1.0, 2.0] * 40)
        state = ready(table, task="regression").state_dict()
        data = TabularDataModule(table, target="left")
        data.load_state_dict(state)
        data.setup("validate")
        assert data.rows("test").target.dtype == torch.float32
        assert data.num_classes == 1

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            ({"seed": 0}, r"seed=1, now 0; give seed=1"),
            ({"test_fraction": 0.5}, r"test_fraction=0.25, now 0.5"),
            ({"val_fraction": 0.5}, r"val_fraction=0.2, now 0.5"),
        ],
    )
    def test_other_splits_are_named(self, other, message):
        settings = {"seed": 1, "val_fraction": 0.2}
        state = ready(make_table(), **settings).state_dict()
        data = TabularDataModule(make_table(), target="left", **{**settings, **other})
        data.load_state_dict(state)
        data.setup("test")
        with pytest.warns(UserWarning, match=message):
            data.test_dataloader()
        # without validation rows, the test rows are the same, and there is no warning
        for share in (0.2, 0.0):
            settings["val_fraction"] = share
            same = TabularDataModule(make_table(), target="left", **settings)
            same.load_state_dict(state)
            same.setup("test")
            assert len(same.test_dataloader().dataset) == 30

    def test_another_table_is_named(self):
        state = ready(make_table()).state_dict()
        data = TabularDataModule(make_table(200), target="left")
        data.load_state_dict(state)
        data.setup("test")
        with pytest.warns(UserWarning, match="90 training rows, now 150; give the same table"):
            data.test_dataloader()

    def test_test_rows_of_their_own_need_no_split(self):
        state = ready(make_table(), seed=1).state_dict()
        data = TabularDataModule(make_table(200), make_table(20), target="left")
        data.load_state_dict(state)
        data.setup("test")
        assert len(data.rows("test").target) == 20

    def test_another_target_is_refused(self):
        table = make_table().assign(right=["no", "yes"] * 60)
        state = ready(table, exclude=["right"]).state_dict()
        data = TabularDataModule(table, target="right")
        data.load_state_dict(state)
        data.setup("test")
        with pytest.raises(ValueError, match=r"target must be 'left', that of the fit .* 'right'"):
            data.test_dataloader()

    def test_the_training_mean_needs_no_table(self):
        data = ready(make_table(), junk_features=2)
        new = TabularDataModule(predict_data=make_table())
        new.load_state_dict(data.state_dict())
        new.setup("predict")
        assert torch.equal(new.training_mean, data.training_mean)
        assert new.state_dict()["n_train"] == 90

    @pytest.mark.parametrize("junk", [2, "double"])
    def test_new_rows_have_the_junk_features_of_the_fit(self, junk):
        data = ready(make_table(), junk_features=junk)
        new = TabularDataModule(predict_data=make_table()[:5])
        new.setup("predict")
        new.load_state_dict(data.state_dict())
        assert new.feature_names == data.feature_names
        assert new.predict_rows().inputs.shape == (5, data.num_features)
        for none in (0, 1):  # if it is given
            new = TabularDataModule(predict_data=make_table(), junk_features=none)
            new.load_state_dict(data.state_dict())
            assert new.num_features == 7 + none

    def test_older_states_lack_these(self):
        data = ready(make_table(), seed=1)
        state = data.state_dict()
        for name in ("task", "target", "seed", "val_fraction", "test_fraction", "n_train",
                     "training_mean", "junk_features"):  # fmt: skip
            del state[name]
        other = TabularDataModule(make_table(), target="left")
        other.load_state_dict(state)
        other.setup("test")
        assert len(other.rows("test").target) == 30
        torch.testing.assert_close(other.training_mean, other.rows("train").inputs.mean(dim=0))


class TestMissingValues:
    def test_are_refused_with_advice(self):
        message = r"training table must be finite.*job \(14\), income \(18\).*impute=True"
        with pytest.raises(ValueError, match=message):
            ready(with_gaps())

    def test_are_filled_in(self):
        table = with_gaps()
        data = ready(table[:90], table[90:], impute=True, scaling="none")
        income = data.feature_names.index("income")
        median = np.float32(table["income"][:90].median())
        train = data.rows("train").inputs
        assert train[0, income] == median
        assert (train[:, income] == median).sum() == 13 + 1  # and the median itself
        word = data.feature_names.index("job=missing")
        assert torch.equal(train[:, word].bool(), torch.tensor(table["job"][:90].isna().to_numpy()))
        assert data.groups[word] == 1

    def test_infinite_values_are_not_missing(self):
        table = make_table()
        table.loc[2, "income"] = np.inf
        with pytest.raises(ValueError, match=r"income \(1\) of 120 rows; fill them in or drop"):
            ready(table, impute=True)

    def test_a_column_without_values_is_named(self):
        with pytest.raises(ValueError, match=r"got none in \['age'\]; .* exclude=\['age'\]"):
            ready(make_table().assign(age=np.nan), impute=True)

    def test_marks_of_missing_values_in_a_file(self, tmp_path):
        table = make_table().astype({"age": object})
        table.loc[3, "age"] = "?"
        table.to_csv(tmp_path / "rows.csv", index=False)
        data = ready(tmp_path / "rows.csv", impute=True, na_values=["?"])
        assert data.feature_names[0] == "age"


class TestEmptyTables:
    def test_header_only(self, tmp_path):
        (tmp_path / "rows.csv").write_text("age,left\n")
        with pytest.raises(ValueError, match="training table must have rows, got none"):
            ready(tmp_path / "rows.csv")
        with pytest.raises(ValueError, match="test table must have rows, got none"):
            ready(make_table(), make_table()[:0])

    def test_empty_file(self, tmp_path):
        (tmp_path / "rows.csv").write_text("")
        with pytest.raises(ValueError, match="a table with a header and rows, got an empty file"):
            ready(tmp_path / "rows.csv")

    def test_no_rows_to_predict(self):
        data = ready(make_table(), predict_data=make_table()[:0])
        with pytest.raises(ValueError, match="predict_data must have rows, got none"):
            data.predict_dataloader()

    def test_another_separator_is_suggested(self, tmp_path):
        make_table().to_csv(tmp_path / "rows.csv", index=False, sep=";")
        with pytest.raises(ValueError, match="give the separator"):
            ready(tmp_path / "rows.csv")


class TestQuantileScaling:
    def test_far_values_are_reported(self):
        table = make_table().assign(income=[0, 1] * 60, age=[5, 6, 6] * 40)
        with pytest.warns(UserWarning, match=r"maps 100% .* because \['age', 'income'\] have few"):
            ready(table, scaling="quantile")

    def test_other_tables_are_not(self):
        ready(make_table(), scaling="quantile")


class TestMarks:
    def test_of_features(self):
        data = ready(make_table(), irrelevant=["job"], val_fraction=0.2, junk_features=1)
        for split in data.splits:
            mask = data.rows(split).mask
            assert mask[0].tolist() == [False, *[True] * 3, *[False] * 4]
            assert (mask == mask[0]).all()
        inputs, target, mask = next(iter(data.train_dataloader()))
        assert inputs.shape == mask.shape
        assert len(target) == len(mask)

    def test_of_rows_follow_their_rows(self):
        table = make_table()
        marks = pd.DataFrame({"age": (table["age"] > 50).astype(int), "city": 0})
        data = ready(table, annotations=marks, val_fraction=0.2, scaling="none")
        for split in data.splits:
            rows = data.rows(split)
            assert torch.equal(rows.mask[:, 0], rows.inputs[:, 0] > 50)
            assert not rows.mask[:, 1:].any()

    def test_from_a_file(self, tmp_path):
        table = make_table()
        table[["age"]].gt(50).astype(int).to_csv(tmp_path / "marks.csv", index=False)
        data = ready(table, annotations=tmp_path / "marks.csv", irrelevant=["income"])
        assert data.hparams["annotations"] == str(tmp_path / "marks.csv")
        assert data.rows("train").mask[:, 4].all()
        assert 0 < data.rows("train").mask[:, 0].float().mean() < 1

    def test_errors(self):
        table = make_table()
        marks = pd.DataFrame({"age": [1] * 120})
        with pytest.raises(ValueError, match=r"irrelevant must name features .*, got \['jo'\]"):
            ready(table, irrelevant=["jo"])
        with pytest.raises(ValueError, match="a row for each of the 120 rows"):
            ready(table, annotations=marks[:3])
        with pytest.raises(ValueError, match=r"columns named after features, .* got \['ag'\]"):
            ready(table, annotations=marks.rename(columns={"age": "ag"}))
        with pytest.raises(ValueError, match="must hold 0 and 1"):
            ready(table, annotations=2 * marks)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "quantile", "none"])
def test_state_is_plain_and_gives_the_same_rows(tmp_path, scaling):
    table = with_gaps()
    data = ready(table, impute=True, scaling=scaling, val_fraction=0.2)
    torch.save(data.state_dict(), tmp_path / "state.pt")
    again = TabularDataModule(predict_data=table)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    rows = again.predict_rows().inputs
    assert torch.equal(rows, torch.tensor(data.encoder.transform(clean(data, table))).float())
    assert (again.feature_names, again.class_names) == (data.feature_names, data.class_names)
    assert (again.groups, again.encoding_id) == (data.groups, data.encoding_id)
    other = ready(table, impute=True, scaling=scaling, val_fraction=0.4)
    assert other.encoding_id != data.encoding_id or scaling == "none"


def clean(data: TabularDataModule, table: pd.DataFrame) -> pd.DataFrame:
    from pear_lightning.datamodules.table_checks import clean_columns

    encoder = data.encoder
    names, words = encoder.features, encoder.categories
    return clean_columns(table, names, words, impute=True, part="table")


def test_tables_of_categories_or_numbers_alone(tmp_path):
    for columns in (["age"], ["job"]):
        encoder = ready(make_table(), features=columns).encoder
        again = TableEncoder.from_state(encoder.state_dict())
        assert again.names == encoder.names
        table = clean_of(columns)
        assert np.array_equal(again.transform(table), encoder.transform(table))


def clean_of(columns: list[str]) -> pd.DataFrame:
    table = make_table()[columns]
    return table.astype(float) if columns == ["age"] else table.astype(object)


class TestNewRows:
    def test_missing_values_are_told_from_unknown_words(self):
        data = ready(make_table(), impute=True)
        new = make_table().drop(columns="left")[:6]
        new["job"] = ["missing", "pilot", None, "cook", "cook", "cook"]
        data.predict_data = new
        with pytest.warns(UserWarning, match="predict_data has") as found:
            rows = data.predict_rows().inputs
        words, gaps = (str(each.message) for each in found)
        assert "do not have, {'job': ['missing', 'pilot']}; they are" in words
        assert "missing values in ['job'], where the training rows have none" in gaps
        assert not rows[:3, 1:4].any()

    @pytest.mark.parametrize("source", ["predict_data", "the test table"])
    def test_columns_without_values_are_named(self, source):
        table = with_gaps()
        table.loc[100:, ["income", "city"]] = None
        data = ready(table[:90], table[100:], predict_data=table[100:], impute=True)
        message = rf"^{source} should have values in all feature columns, got none in \['income', "
        message += r"'city'\]; each of these columns is filled in with one value for all rows"
        with pytest.warns(UserWarning, match=message) as found:
            rows = data.predict_rows() if source == "predict_data" else data.rows("test")
        assert len(found) == 1
        income = data.feature_names.index("income")
        assert (rows.inputs[:, income] == rows.inputs[0, income]).all()

    def test_a_single_row_may_lack_a_value(self):
        data = ready(with_gaps(), impute=True)
        data.predict_data = with_gaps().drop(columns="left")[:1]
        assert data.predict_data["income"].isna().all()
        assert len(data.predict_rows()) == 1

    def test_need_no_target(self):
        table = make_table()
        data = ready(table[:90], table[90:], predict_data=table.drop(columns="left")[90:])
        batch = next(iter(data.predict_dataloader()))
        assert torch.equal(batch, data.rows("test").inputs[: len(batch)])

    def test_of_arrays(self):
        x = np.random.default_rng(0).normal(size=(40, 3))
        data = TabularDataModule((x, [0, 1] * 20), predict_data=x[:5], scaling="none")
        data.setup()
        assert torch.equal(data.predict_rows().inputs, torch.tensor(x[:5]).float())

    def test_errors(self):
        table = make_table()
        data = ready(table, predict_data=table.drop(columns="age"))
        message = r"predict_data must have the columns \['age', 'job', 'income', 'city'\], "
        message += r"lacks \['age'\], got \['job', 'income', 'city', 'left'\]"
        with pytest.raises(ValueError, match=message):
            data.predict_dataloader()
        data.predict_data = table.assign(age="old")
        with pytest.raises(ValueError, match=r"must be numeric where .* got age \(.*'old'"):
            data.predict_dataloader()
        data.predict_data = None
        with pytest.raises(ValueError, match="predict_data must be given to predict new rows"):
            data.predict_rows()


def test_checkpoints_name_the_files_as_text(tmp_path):
    make_table().to_csv(tmp_path / "rows.csv", index=False)
    data = TabularDataModule(tmp_path / "rows.csv", predict_data=Path("new.csv"), target="left")
    assert data.hparams["predict_data"] == "new.csv"
