"""Files of predictions have names, probabilities and explanations."""

import pandas as pd
import pytest
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import PredictionWriter
from pear_lightning.datamodules import Friedman, TabularDataModule, TextClassification
from pear_lightning.datamodules.text_tokenizer import train_tokenizer
from pear_lightning.explainers import Gradient, InputXGradient
from pear_lightning.modules import PEAR, FindAnotherExplanation, ScoresActivationModule
from pear_lightning.nn import MLP
from tests.modules.helpers import loader, quiet_trainer

READERS = {"csv": pd.read_csv, "parquet": pd.read_parquet}


def data():
    table = pd.DataFrame(
        {"age": range(40), "job": ["cook", "clerk"] * 20, "left": ["no", "yes", "yes", "no"] * 10}
    )
    return TabularDataModule(
        table, target="left", predict_data=table[["job", "age"]][:7], batch_size=4
    )


def predicted(module, source, folder, format="pt"):
    trainer = quiet_trainer(callbacks=[PredictionWriter(folder, format=format)])
    return trainer.predict(module, source)


def pear(source, **kwargs):
    source.setup()
    explainers = {"gradient": Gradient(), "product": InputXGradient()}
    network = MLP(source.num_features, source.num_classes, hidden_features=(8,))
    return PEAR(network, explainers=explainers, top_k=1, **kwargs)


@pytest.mark.parametrize("format", READERS)
def test_tables_have_names_probabilities_and_explanations(tmp_path, format):
    source = data()
    source.setup()
    batches = predicted(pear(source, masker=source.masker()), source, tmp_path, format)
    table = READERS[format](tmp_path / f"predictions.{format}")
    assert list(table.columns) == [
        "row", "prediction", "probability[no]", "probability[yes]",
        "gradient[age]", "gradient[job]", "product[age]", "product[job]",
    ]  # fmt: skip
    assert table["row"].tolist() == list(range(7))
    logits = torch.cat([batch["logits"] for batch in batches])
    assert table["prediction"].tolist() == [["no", "yes"][i] for i in logits.argmax(1)]
    probabilities = torch.tensor(table[["probability[no]", "probability[yes]"]].to_numpy())
    torch.testing.assert_close(probabilities.float(), logits.softmax(1))
    product = torch.cat([batch["attributions"]["product"] for batch in batches])
    torch.testing.assert_close(torch.tensor(table["product[job]"]).float(), product[:, 1])


def test_columns_of_a_category_have_names_without_a_masker(tmp_path):
    source = data()
    predicted(pear(source), source, tmp_path, "csv")
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table.columns[4:7]) == [
        "gradient[age]",
        "gradient[job=clerk]",
        "gradient[job=cook]",
    ]


class TestExcludedColumns:
    EXCLUDE = ("id", "row")

    def files(self, folder, n):
        table = pd.DataFrame({"id": [f"{i:03}" for i in range(n)], "age": range(n), "row": 1.5})
        table.to_csv(folder / "new.csv", index=False)
        table["left"] = ["no", "yes"] * (n // 2)
        table.to_csv(folder / "old.csv", index=False)
        return folder / "old.csv", folder / "new.csv"

    def check(self, written, identifiers, ages, source):
        """The identifiers are those of the rows that have these explanations."""
        assert list(written.columns) == ["row", "id", "excluded[row]", "inputs"]
        assert written["id"].tolist() == identifiers
        assert written["excluded[row]"].tolist() == ["1.5"] * len(written)
        expected = source.encoder.transform(pd.DataFrame({"age": ages}))
        assert written["inputs"].tolist() == pytest.approx(expected[:, 0].tolist())

    def test_of_new_rows_from_a_checkpoint(self, tmp_path):
        old, new = self.files(tmp_path, 12)
        source = TabularDataModule(old, target="left", exclude=[*self.EXCLUDE], batch_size=4)
        trainer = quiet_trainer(max_epochs=1)
        trainer.fit(pear(source), source)
        trainer.save_checkpoint(tmp_path / "fit.ckpt")
        again = TabularDataModule.load_from_checkpoint(
            tmp_path / "fit.ckpt", predict_data=new, exclude=None, batch_size=5
        )
        predicted(Echo(), again, tmp_path, "csv")
        written = pd.read_csv(tmp_path / "predictions.csv", dtype={"id": str, "excluded[row]": str})
        self.check(written, [f"{i:03}" for i in range(12)], range(12), source)

    def test_of_test_rows(self, tmp_path):
        old, _ = self.files(tmp_path, 24)
        source = TabularDataModule(old, target="left", exclude=[*self.EXCLUDE], batch_size=4)
        predicted(Echo(), source, tmp_path, "parquet")
        written = pd.read_parquet(tmp_path / "predictions.parquet")
        ages = [int(each) for each in written["id"]]
        assert len(set(ages)) == 6
        self.check(written, [f"{i:03}" for i in ages], ages, source)

    def test_new_rows_and_test_rows_in_turns(self, tmp_path):
        old, new = self.files(tmp_path, 24)
        source = TabularDataModule(
            old, target="left", exclude=[*self.EXCLUDE], predict_data=new, batch_size=4
        )
        source.setup()
        source.rows("test")  # read before they are predicted
        found = []
        for data in (new, None, new):
            source.predict_data = data
            predicted(Echo(), source, tmp_path, "parquet")
            written = pd.read_parquet(tmp_path / "predictions.parquet")
            self.check(written, list(written["id"]), [int(each) for each in written["id"]], source)
            found.append(len(written))
        assert found == [24, 6, 24]

    def test_data_without_them_and_names_that_the_rows_lack(self, tmp_path):
        old, new = self.files(tmp_path, 12)
        source = TabularDataModule(old, target="left", features=["age"], predict_data=new)
        predicted(Echo(), source, tmp_path, "csv")
        columns = list(pd.read_csv(tmp_path / "predictions.csv").columns)
        assert columns == ["row", "inputs"]


class Echo(LightningModule):
    """Predicts the first feature."""

    def predict_step(self, batch, batch_idx):
        return {"inputs": (batch if isinstance(batch, torch.Tensor) else batch[0])[:, 0]}


def test_tensors_have_names(tmp_path):
    source = data()
    predicted(pear(source), source, tmp_path)
    saved = torch.load(tmp_path / "predictions.pt")
    assert saved["class_names"] == ["no", "yes"]
    assert saved["feature_names"] == ["age", "job=clerk", "job=cook"]
    assert saved["probabilities"].shape == saved["logits"].shape == (7, 2)


def test_scores_and_values_of_regression(tmp_path):
    source = Friedman(n_train=20, n_test=6)
    source.setup()
    module = ScoresActivationModule(MLP(10, 1), task="regression")
    predicted(module, source, tmp_path, "csv")
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table.columns) == ["row", "prediction", *(f"scores[x{i}]" for i in range(1, 11))]
    assert table["prediction"].dtype == float
    predicted(module, source, tmp_path)
    saved = torch.load(tmp_path / "predictions.pt")
    assert torch.equal(saved["logits"][:, 0], saved["prediction"])
    torch.testing.assert_close(torch.tensor(table["prediction"]).float(), saved["prediction"])


@pytest.mark.parametrize("format", READERS)
def test_logits_that_are_not_the_predictions_are_kept(tmp_path, format):
    class Rounded(ScoresActivationModule):
        def predict_step(self, batch, batch_idx):
            logits = batch[0][:, :1]
            return {"logits": logits, "prediction": logits[:, 0].round()}

    module = Rounded(MLP(3, 1), task="regression")
    rows = DataLoader(TensorDataset(torch.rand(4, 3), torch.rand(4)), batch_size=2)
    predicted(module, rows, tmp_path, format)
    table = READERS[format](tmp_path / f"predictions.{format}")
    assert list(table.columns) == ["row", "prediction", "logits[0]"]


def test_ensembles_and_data_without_names(tmp_path):
    module = FindAnotherExplanation(MLP(6), max_models=1, epochs_per_model=1)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(module, loader(32))
    predicted(module, loader(32), tmp_path, "csv")
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert {"probability[0]", "probability[1]", "mutual_information", "explanations[5]"} <= {
        *table.columns
    }
    assert len(table) == 32


def test_unknown_format():
    with pytest.raises(ValueError, match="format must be one of"):
        PredictionWriter("out", format="xlsx")  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["pt", "csv"])
def test_several_loaders_have_files_of_their_own(tmp_path, format):
    source = data()
    source.setup()
    first, second = torch.rand(5, source.num_features), torch.rand(3, source.num_features)
    loaders = [DataLoader(TensorDataset(rows), batch_size=2) for rows in (first, second)]
    results = predicted(pear(source), loaders, tmp_path, format)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"predictions-dataloader0.{format}", f"predictions-dataloader1.{format}",
    ]  # fmt: skip
    for number, rows in enumerate((first, second)):
        path = tmp_path / f"predictions-dataloader{number}.{format}"
        logits = torch.cat([batch["logits"] for batch in results[number]])
        assert len(logits) == len(rows)
        if format == "pt":
            contents = torch.load(path)
            assert torch.equal(contents["logits"], logits)
            assert contents["indices"].tolist() == list(range(len(rows)))
        else:
            assert pd.read_csv(path)["prediction"].tolist() == logits.argmax(1).tolist()


def test_texts_of_different_lengths_are_padded_with_zeros(tmp_path):
    class Lengths(ScoresActivationModule):
        def predict_step(self, batch, batch_idx):
            x = batch[0] if isinstance(batch, list) else batch
            return {"attributions": {"length": x[:, : 2 + batch_idx]}}

    rows = 1 + torch.arange(18.0).reshape(6, 3)
    module = Lengths(MLP(3))
    predicted(module, DataLoader(TensorDataset(rows), batch_size=3), tmp_path)
    saved = torch.load(tmp_path / "predictions.pt")["attributions"]["length"]
    wanted = rows.clone()
    wanted[:3, 2] = 0
    torch.testing.assert_close(saved, wanted)


@pytest.mark.parametrize("side", ["left", "right"])
def test_texts_are_padded_on_the_side_of_the_tokenizer(tmp_path, side):
    pytest.importorskip("transformers")
    texts = ["a", "a b c d", "a b", "b"]  # two batches of different lengths
    table = pd.DataFrame({"text": texts, "label": [0, 1, 0, 1]})
    tokenizer = train_tokenizer(texts, 40)
    tokenizer.padding_side = side
    source = TextClassification(table, test_data=table, tokenizer=tokenizer, batch_size=2)

    class Ids(ScoresActivationModule):
        def predict_step(self, batch, batch_idx):
            return {"attributions": {"ids": batch["input_ids"]}}

    predicted(Ids(MLP(3)), source, tmp_path)
    saved = torch.load(tmp_path / "predictions.pt")["attributions"]["ids"]
    together = source.rows("test").__getitems__([0, 1, 2, 3])["input_ids"]
    torch.testing.assert_close(saved, together)


@pytest.mark.parametrize("format", READERS)
def test_predictions_in_bfloat16(tmp_path, format):
    model = PEAR(
        MLP(4, 1), task="regression",
        explainers={"gradient": Gradient(), "product": InputXGradient()},
    )  # fmt: skip
    writer = PredictionWriter(tmp_path, format=format)
    rows = DataLoader(TensorDataset(torch.randn(6, 4), torch.randn(6)), batch_size=3)
    quiet_trainer(callbacks=[writer], precision="bf16-mixed").predict(model, rows)
    assert len(READERS[format](tmp_path / f"predictions.{format}")) == 6
