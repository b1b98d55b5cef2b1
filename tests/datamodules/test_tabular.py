import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

from pear_lightning.datamodules import TabularDataModule


def make_table(rows: int = 200, classes: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.gamma(2.0, 3.0, size=(rows, 4)), columns=list("abcd"))
    return frame.assign(y=np.arange(rows) % classes)


def ready(data, *args, **kwargs) -> TabularDataModule:
    module = TabularDataModule(data, *args, **{"target": "y", **kwargs})
    module.setup()
    return module


def read(loader) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, target = zip(*loader, strict=True)
    return torch.cat(inputs), torch.cat(target)


def all_rows(module: TabularDataModule) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    loaders = {
        "train": module.train_dataloader(),
        "val": module.val_dataloader(),
        "test": module.test_dataloader(),
    }
    rows = {name: read(loader) for name, loader in loaders.items() if loader}
    train = rows["train"]
    order = torch.argsort(train[0][:, 0])  # training rows come shuffled
    return {**rows, "train": (train[0][order], train[1][order])}


class TestSplits:
    def test_sizes(self):
        assert ready(make_table()).splits == {"train": 150, "test": 50}
        data = ready(make_table(), val_fraction=0.2, test_fraction=0.1)
        assert data.splits == {"train": 144, "val": 36, "test": 20}

    def test_every_row_is_in_one_split(self):
        table = make_table()
        rows = all_rows(ready(table, val_fraction=0.2, scaling="none"))
        values = torch.cat([inputs[:, 0] for inputs, _ in rows.values()]).sort().values
        assert torch.equal(values, torch.tensor(np.sort(table["a"])).float())

    def test_rows_keep_their_target(self):
        table = make_table(classes=3)
        table["a"] = table["y"].astype(float)
        for inputs, target in all_rows(ready(table, val_fraction=0.2, scaling="none")).values():
            assert torch.equal(inputs[:, 0].long(), target)

    def test_classes_keep_their_share(self):
        table = make_table(400)
        table["y"] = [1] * 40 + [0] * 360
        for _, target in all_rows(ready(table, val_fraction=0.25)).values():
            assert target.float().mean().item() == pytest.approx(0.1, abs=0.01)

    def test_the_seed_decides(self):
        table = make_table()
        first, again, other = (all_rows(ready(table, seed=seed)) for seed in (1, 1, 2))
        assert torch.equal(first["test"][0], again["test"][0])
        assert not torch.equal(first["test"][0], other["test"][0])

    def test_no_validation_rows(self):
        assert ready(make_table()).val_dataloader() == []

    def test_no_test_rows(self):
        data = ready(make_table(), test_fraction=0)
        assert data.splits == {"train": 200}
        assert data.test_dataloader() == []
        assert data.predict_dataloader() == []

    def test_test_rows_of_their_own(self):
        table = make_table()
        data = ready(table[:150], table[150:], val_fraction=0.2, scaling="none")
        assert data.splits == {"train": 120, "val": 30, "test": 50}
        expected = torch.tensor(table[150:][list("abcd")].to_numpy()).float()
        assert torch.equal(read(data.test_dataloader())[0], expected)
        assert torch.equal(read(data.predict_dataloader())[0], expected)

    def test_columns_of_test_rows_may_come_in_another_order(self):
        table = make_table()
        data = ready(table[:150], table.loc[150:, ["y", "d", "c", "b", "a"]], scaling="none")
        expected = torch.tensor(table[150:][list("abcd")].to_numpy()).float()
        assert torch.equal(read(data.test_dataloader())[0], expected)

    def test_setup_does_its_work_once(self, monkeypatch):
        data = ready(make_table())
        before = read(data.test_dataloader())[0]
        monkeypatch.setattr(data, "load_tables", lambda: pytest.fail("read twice"))
        for stage in ("fit", "validate", "test", "predict"):
            data.setup(stage)
        assert torch.equal(read(data.test_dataloader())[0], before)


class TestScaling:
    @pytest.mark.parametrize(
        ("name", "scaler"),
        [
            ("minmax", MinMaxScaler()),
            ("standard", StandardScaler()),
            ("quantile", QuantileTransformer(n_quantiles=150, output_distribution="normal")),
        ],
    )
    def test_is_fitted_on_training_rows(self, name, scaler):
        table = make_table()
        columns = list("abcd")
        train, test = table[:150], table[150:]
        rows = all_rows(ready(train, test, scaling=name))
        scaler.fit(train[columns].to_numpy())
        expected = torch.tensor(scaler.transform(test[columns].to_numpy())).float()
        assert torch.equal(rows["test"][0], expected)

    def test_outlier_in_test_does_not_move_training_rows(self):
        table = make_table()
        train, test = table[:150], table[150:].copy()
        clean = all_rows(ready(train, test, val_fraction=0.2))
        test.iloc[0, 0] = 1e6
        spoiled = all_rows(ready(train, test, val_fraction=0.2))
        for split in ("train", "val"):
            assert torch.equal(clean[split][0], spoiled[split][0])
        assert torch.equal(clean["test"][0][1:], spoiled["test"][0][1:])
        assert spoiled["test"][0][0, 0] > 1e4  # outside [0, 1], where it is

    def test_outlier_in_validation_does_not_move_training_rows(self):
        table = make_table()
        data = ready(table, val_fraction=0.2, scaling="none")
        value = read(data.val_dataloader())[0][0, 0].item()
        row = int((table["a"] - value).abs().idxmin())
        clean = all_rows(ready(table, val_fraction=0.2))
        table.loc[row, "a"] = 1e6
        assert torch.equal(clean["train"][0], all_rows(ready(table, val_fraction=0.2))["train"][0])

    def test_legacy_scales_test_rows_by_themselves(self):
        table = make_table()
        train, test = table[:150], table[150:] * 10
        test["y"] = table["y"][150:]
        options = {"val_fraction": 0.2}
        legacy = all_rows(ready(train, test, scaling="minmax", **options, legacy_test_scaling=True))
        proper = all_rows(ready(train, test, scaling="minmax", **options))
        assert legacy["test"][0].amin(dim=0).tolist() == [0.0] * 4
        assert legacy["test"][0].amax(dim=0).tolist() == [1.0] * 4
        assert proper["test"][0].max() > 5
        for split in ("train", "val"):
            assert torch.equal(legacy[split][0], proper[split][0])

    def test_minmax_fills_the_unit_interval(self):
        train = all_rows(ready(make_table(), scaling="minmax"))["train"][0]
        assert train.amin(dim=0).tolist() == [0.0] * 4
        assert train.amax(dim=0).tolist() == [1.0] * 4

    def test_quantile_to_uniform(self):
        data = ready(make_table(), scaling="quantile", quantile_output="uniform")
        train = all_rows(data)["train"][0]
        assert train.mean(dim=0).tolist() == pytest.approx([0.5] * 4, abs=0.01)
        assert train.max() == 1

    def test_constant_column_stays_finite(self):
        for scaling in ("minmax", "standard", "quantile", "none"):
            with pytest.warns(UserWarning, match=r"got one value in \['a'\]"):
                data = ready(make_table().assign(a=3.0), scaling=scaling)
            rows = all_rows(data)
            assert rows["train"][0].isfinite().all()

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 1000), st.sampled_from(["minmax", "standard", "quantile"]))
    def test_order_of_values_is_kept(self, seed, scaling):
        values = np.random.default_rng(seed).lognormal(0, 3, size=(30, 1)).astype(np.float32)
        data = TabularDataModule((values, [0, 1] * 15), test_fraction=0, scaling=scaling)
        data.setup()
        scaled = data.rows("train").inputs[:, 0].double()
        assert (scaled.diff()[np.diff(values[:, 0]) > 0] >= 0).all()


class TestJunkFeatures:
    @pytest.mark.parametrize(("junk", "count"), [(3, 3), ("double", 4), (0, 0), (None, 0)])
    def test_count(self, junk, count):
        data = ready(make_table(), junk_features=junk, val_fraction=0.2)
        assert data.num_features == 4 + count
        assert data.feature_names == [*"abcd", *(f"junk_{i}" for i in range(count))]
        assert {inputs.shape[1] for inputs, _ in all_rows(data).values()} == {4 + count}

    @pytest.mark.parametrize("scaling", ["minmax", "standard", "none"])
    def test_uniform_and_apart_from_all_else(self, scaling):
        table = make_table(4000)
        noisy = all_rows(ready(table, junk_features="double", scaling=scaling, val_fraction=0.2))
        plain = all_rows(ready(table, scaling=scaling, val_fraction=0.2))
        for split, (inputs, target) in noisy.items():
            assert torch.equal(inputs[:, :4], plain[split][0])
            junk = inputs[:, 4:]
            assert junk.min() >= 0
            assert junk.max() <= 1
            assert junk.mean().item() == pytest.approx(0.5, abs=0.02)
            assert junk.std().item() == pytest.approx(12**-0.5, abs=0.02)
            columns = torch.cat([inputs, target[:, None].float()], dim=1)
            correlation = torch.corrcoef(columns.T)[4:8]
            correlation[:, 4:8] -= torch.eye(4)
            assert correlation.abs().max() < 0.15

    def test_splits_get_different_noise(self):
        noise = [
            rows[:40, 4:] for rows, _ in all_rows(ready(make_table(), junk_features=2)).values()
        ]
        assert not torch.equal(*noise)

    def test_the_seed_decides(self):
        def junk(seed):
            table = make_table()
            return read(
                ready(table[:150], table[150:], junk_features=2, seed=seed).test_dataloader()
            )[0]

        assert torch.equal(junk(1), junk(1))
        assert not torch.equal(junk(1), junk(2))


class TestTarget:
    @pytest.mark.parametrize(
        ("values", "names"),
        [
            ([3, 7], ["3", "7"]),
            ([0.0, 1.0], ["0", "1"]),
            ([False, True], ["False", "True"]),
            (["no", "yes"], ["no", "yes"]),
            (["b", 1], ["1", "b"]),
        ],
    )
    def test_classes(self, values, names):
        table = make_table().assign(y=values * 100)
        data = ready(table)
        assert data.class_names == names
        assert data.num_classes == 2
        _, target = read(data.test_dataloader())
        assert target.dtype == torch.long
        assert target.unique().tolist() == [0, 1]

    def test_categorical_column(self):
        table = make_table()
        table["y"] = pd.Categorical(["lo", "hi"] * 100, categories=["lo", "hi"])
        assert ready(table).class_names == ["hi", "lo"]

    def test_given_names(self):
        assert ready(make_table(), class_names=["no", "yes"]).class_names == ["no", "yes"]
        with pytest.raises(ValueError, match=r"class_names must .* \[0, 1\], got \['no'\]"):
            ready(make_table(), class_names=["no"])

    def test_many_classes(self):
        data = ready(make_table(classes=5))
        assert data.num_classes == 5
        assert read(data.test_dataloader())[1].unique().tolist() == [0, 1, 2, 3, 4]

    def test_regression(self):
        frame = load_diabetes(as_frame=True).frame
        data = TabularDataModule(frame, task="regression", scaling="standard", val_fraction=0.1)
        with pytest.warns(UserWarning, match="target 'target' should have a mean near 0"):
            data.setup()
        inputs, target = read(data.test_dataloader())
        assert inputs.dtype == target.dtype == torch.float32
        assert inputs.shape == (111, 10)
        assert target.shape == (111,)
        assert data.num_classes == 1
        assert data.class_names == []
        assert data.splits == {"train": 297, "val": 34, "test": 111}
        values = torch.cat([target, *(rows for _, rows in data.val_dataloader())])
        values = torch.cat([values, *(rows for _, rows in data.train_dataloader())])
        assert sorted(values.tolist()) == sorted(frame["target"].tolist())

    @pytest.mark.parametrize(("scale", "mean"), [(10_000, 40_000), (1, 50), (0.001, 0)])
    def test_a_regression_target_that_a_network_can_hardly_reach_is_named(self, scale, mean):
        table = make_table()
        values = (table["a"] - table["a"].mean()) / table["a"].std()
        ready(table.assign(y=values), task="regression")  # a warning would be an error
        with pytest.warns(
            UserWarning, match=r"target 'y' should .* got .* the target is not scaled"
        ):
            ready(table.assign(y=scale * values + mean), task="regression")

    def test_spaces_around_classes_are_left_out(self):
        data = ready(make_table().assign(y=["a", "b ", " a", "b"] * 50))
        assert data.class_names == ["a", "b"]
        older = data.state_dict() | {"classes": ["a", "b "]}
        again = TabularDataModule(make_table().assign(y=["b ", " a"] * 100), target="y")
        again.load_state_dict(older)
        again.setup("test")
        assert again.rows("train").target.unique().tolist() == [0, 1]

    def test_a_linear_model_learns(self):
        """The rows and targets that come out belong together."""
        frame = load_breast_cancer(as_frame=True).frame
        data = TabularDataModule(frame, scaling="standard")
        data.setup()
        inputs, target = read(data.train_dataloader())
        ones = torch.ones(len(inputs), 1)
        weights = torch.linalg.lstsq(torch.cat([inputs, ones], 1), target[:, None].float()).solution
        inputs, target = read(data.test_dataloader())
        score = torch.cat([inputs, torch.ones(len(inputs), 1)], 1) @ weights
        assert ((score[:, 0] > 0.5) == target).float().mean() > 0.93


class TestLoaders:
    def test_batches(self):
        data = ready(make_table(), batch_size=64, eval_batch_size=20)
        assert [len(target) for _, target in data.train_dataloader()] == [64, 64, 22]
        assert [len(target) for _, target in data.test_dataloader()] == [20, 20, 10]
        data = ready(make_table(), batch_size=32)
        assert [len(target) for _, target in data.test_dataloader()] == [32, 18]

    def test_drop_last(self):
        data = ready(make_table(), batch_size=64, drop_last=True)
        assert [len(target) for _, target in data.train_dataloader()] == [64, 64]
        assert sum(len(target) for _, target in data.test_dataloader()) == 50
        with pytest.raises(ValueError, match=r"at most 150, .* drop_last=True, got"):
            ready(make_table(), batch_size=151, drop_last=True).train_dataloader()

    def test_training_rows_are_shuffled_by_the_global_seed(self):
        epochs = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            epochs.append(read(ready(make_table()).train_dataloader())[0])
        assert torch.equal(epochs[0], epochs[1])
        assert not torch.equal(epochs[0], epochs[2])

    def test_workers(self):
        data = ready(make_table(), num_workers=1, eval_batch_size=20)
        plain = ready(make_table(), eval_batch_size=20)
        assert torch.equal(read(data.test_dataloader())[0], read(plain.test_dataloader())[0])
        assert data.test_dataloader().persistent_workers

    def test_pin_memory_without_cuda_is_quiet(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert not ready(make_table(), pin_memory=True).train_dataloader().pin_memory

    @pytest.mark.gpu
    def test_pin_memory(self):
        inputs, target = next(iter(ready(make_table(), pin_memory=True).train_dataloader()))
        assert inputs.is_pinned()
        assert target.is_pinned()


class TestBackground:
    def test_training_mean(self):
        data = ready(make_table(), val_fraction=0.2, junk_features=2)
        expected = read(data.train_dataloader())[0].mean(dim=0)
        torch.testing.assert_close(data.training_mean, expected)
        assert data.training_mean.dtype == torch.float32

    def test_training_rows(self):
        data = ready(make_table(), val_fraction=0.2)
        rows = data.training_rows(10)
        train = {tuple(row.tolist()) for row in read(data.train_dataloader())[0]}
        assert len({tuple(row.tolist()) for row in rows} & train) == 10
        assert torch.equal(rows, data.training_rows(10))
        assert not torch.equal(rows, data.training_rows(10, seed=1))
        assert data.training_rows(1000).shape == (120, 4)
        with pytest.raises(ValueError, match="n must be at least 1, got 0"):
            data.training_rows(0)

    def test_drawing_rows_leaves_the_global_seed_alone(self):
        data = ready(make_table())
        state = torch.get_rng_state()
        data.training_rows(10)
        assert torch.equal(state, torch.get_rng_state())

    @pytest.mark.parametrize(
        "name", ["splits", "num_features", "feature_names", "class_names", "num_classes"]
    )
    def test_setup_comes_first(self, name):
        data = TabularDataModule(make_table(), target="y")
        with pytest.raises(RuntimeError, match=r"call setup\(\) first"):
            getattr(data, name)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"val_fraction": 1.0}, r"val_fraction must lie in \[0, 1\), got 1.0"),
            ({"test_fraction": -0.1}, r"test_fraction must lie in \[0, 1\), got -0.1"),
            ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
            ({"eval_batch_size": -1}, "eval_batch_size must be at least 1, got -1"),
            ({"task": "ranking"}, "task must be 'classification' or .*, got 'ranking'"),
            ({"scaling": "log"}, "scaling must be 'minmax', .*, got 'log'"),
            ({"scaling": "quantile", "quantile_output": "cauchy"}, "output must .* got 'cauchy'"),
            ({"junk_features": -1}, "junk_features must be .*, got -1"),
            ({"junk_features": "triple"}, "junk_features must be .*, got 'triple'"),
            ({"hub_id": "owner/name"}, "data must be None with hub_id"),
            ({"hub_config": "numbers"}, "hub_id must be given with"),
            ({"task": "regression", "class_names": ["a"]}, "class_names must be None for task"),
        ],
    )
    def test_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            TabularDataModule(make_table(), target="y", **arguments)

    def test_no_source(self):
        with pytest.raises(ValueError, match=r"data .* or hub_id must be given"):
            TabularDataModule().setup()
        with pytest.raises(ValueError, match=r"data, .*, must be given with test_data"):
            TabularDataModule(test_data=make_table())

    def test_columns(self):
        table = make_table()
        available = r"of the table, \['a', 'b', 'c', 'd', 'y'\]"
        with pytest.raises(ValueError, match=f"target must be a column {available}, got 'z'"):
            ready(table, target="z")
        with pytest.raises(ValueError, match=rf"must be columns {available}, got \['e', 'f'\]"):
            ready(table, features=["a", "e", "f"])
        with pytest.raises(ValueError, match="features must not hold the target 'y'"):
            ready(table, features=["a", "y"])
        with pytest.raises(ValueError, match="must name each column once"):
            ready(table, features=["a", "a"])
        with pytest.raises(ValueError, match="features must hold a column other than the target"):
            ready(table, features=[])
        with pytest.raises(ValueError, match=r"names .* must differ, got several columns \['a'\]"):
            ready(pd.concat([table, table[["a"]]], axis=1))
        with pytest.raises(ValueError, match=r"test table must have the columns .*, lacks \['b'\]"):
            ready(table, table.drop(columns="b"))
        with pytest.raises(ValueError, match=r"must be a column of the test table, .*, got 'y'"):
            ready(table, table.drop(columns="y"))

    def test_missing_values(self):
        table = make_table()
        table.loc[3:5, "b"] = np.nan
        table.loc[7, "d"] = np.inf
        with pytest.raises(ValueError, match=r"training table .* b \(3\), d \(1\) of 200 rows"):
            ready(table)
        with pytest.raises(ValueError, match=r"test table .* b \(3\), d \(1\) of 200 rows"):
            ready(make_table(), table)
        ready(table, features=["a", "c"])  # the others are not used

    def test_nullable_columns(self):
        table = make_table().convert_dtypes()
        assert ready(table).splits["train"] == 150
        table.loc[0, "a"] = pd.NA
        with pytest.raises(ValueError, match=r"a \(1\) of 200 rows"):
            ready(table)

    def test_missing_target(self):
        table = make_table()
        table["y"] = table["y"].astype(float)
        table.loc[:2, "y"] = np.nan
        for task in ("classification", "regression"):
            with pytest.raises(ValueError, match=r"target 'y' must .* 3 missing .* in 200 rows"):
                ready(table, task=task)
        table["y"] = ["no", None] * 100
        with pytest.raises(ValueError, match="target 'y' must be finite, got 100 missing"):
            ready(table)

    @pytest.mark.parametrize("word", ["None", "NA", "null"])
    def test_a_class_that_reads_as_missing_is_explained(self, word, tmp_path):
        path = tmp_path / "rows.csv"
        make_table().assign(y=["mild", word] * 100).to_csv(path, index=False)
        with pytest.raises(ValueError, match=r"100 missing .* None, NA, null .* spell a class"):
            ready(path)

    def test_columns_that_are_not_numeric(self):
        table = make_table().assign(when=pd.Timestamp("2026-01-01"))
        message = (
            r"must hold numbers or categories, got when \(datetime64.*out with exclude=\['when'\]"
        )
        with pytest.raises(ValueError, match=message):
            ready(table)
        assert ready(table, exclude=["when"]).num_features == 4
        assert ready(table, features=["a", "b"]).num_features == 2
        assert ready(table, features=["a", "b"], exclude=["b"]).feature_names == ["a"]
        with pytest.raises(ValueError, match=r"features must hold a column .* without \['a'\]"):
            ready(table, features=["a"], exclude=["a"])
        assert ready(make_table().assign(flag=[True, False] * 100)).num_features == 5

    def test_target_of_the_wrong_kind(self):
        table = make_table()
        with pytest.raises(ValueError, match=r"must hold classes, got .*; use task='regression'"):
            ready(table.assign(y=table["a"]))
        with pytest.raises(ValueError, match=r"must hold at least two classes, got \[1\]"):
            ready(table.assign(y=1))
        with pytest.raises(ValueError, match="must be numeric for task='regression'"):
            ready(table.assign(y="yes"), task="regression")
        with pytest.raises(ValueError, match=r"classes of the training table, \[0, 1\], got \[2\]"):
            ready(table, table.assign(y=2))

    def test_split_that_cannot_keep_every_class(self):
        table = make_table().assign(y=[1] + [0] * 199)
        with pytest.raises(ValueError, match=r"test_fraction must .*, got 0\.25 of 200 rows"):
            ready(table)
        with pytest.raises(ValueError, match=r"val_fraction must .*, got 0\.01 of 15 rows"):
            ready(make_table(20), val_fraction=0.01)

    def test_whole_numbers_as_a_target_lead_to_regression(self):
        with pytest.raises(ValueError, match=r"200 classes; .* number .* use task='regression'"):
            ready(make_table().assign(y=range(200)))


def test_a_subclass_brings_its_own_table():
    class Adults(TabularDataModule):
        def load_tables(self):
            table, test = super().load_tables()
            return table[table["a"] > 1].drop(columns="b"), test

    data = Adults(make_table(), target="y")
    data.setup()
    assert data.feature_names == ["a", "c", "d"]
