import csv
import json

import pytest
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import PredictionWriter
from pear_lightning.explainers import Gradient, InputXGradient, KernelShap, explain
from pear_lightning.masking import ColumnMasker, PatchMasker, TokenMasker
from pear_lightning.metrics import FaithfulnessSuite, rank_explainers
from pear_lightning.reports import PictureStyle
from pear_lightning.reports.reporting_trainer import ReportingTrainer
from tests.callbacks.foreign import FEATURES, Foreign, loader
from tests.callbacks.test_attribution_pictures import WORDS, Image, Text, text_batches
from tests.ddp import run_distributed, trainer_of_rank

PAIR = {"gradient": Gradient(), "product": InputXGradient()}
QUIET = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


class Data(LightningDataModule):
    """Splits of different sizes, with names."""

    class_names = ("no", "maybe", "yes")
    feature_names = ("a", "b", "c", "d", "e")

    def test_dataloader(self):
        return loader(20)

    def val_dataloader(self):
        return loader(6)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_what_the_functions_return(tmp_path, capsys):
    module = Foreign()
    trainer = ReportingTrainer(**QUIET)
    trainer.explain(
        module, Data(), str(tmp_path), PAIR, ColumnMasker(FEATURES), rows=10, pictures=2, n_steps=3
    )
    inputs = loader(20).dataset.tensors[0][:10]
    predicted = module.eval()(inputs).argmax(dim=1)
    _, attributions = explain(module, inputs, predicted, PAIR, output="centered_logit")
    rows = table(tmp_path / "attributions.csv")
    assert [(row["id"], row["explainer"]) for row in rows] == [
        (str(number), name) for number in range(10) for name in PAIR
    ]
    for row in rows:
        number = int(row["id"])
        found = torch.tensor([float(row[name]) for name in Data.feature_names])
        torch.testing.assert_close(found, attributions[row["explainer"]][number])
        assert row["predicted"] == Data.class_names[predicted[number]]
        assert row["label"] == Data.class_names[loader(20).dataset.tensors[1][number]]
    suite = FaithfulnessSuite(ColumnMasker(FEATURES), list(PAIR), n_steps=3, n_subsets=50)
    suite.update(module, inputs, attributions, predicted)
    written = table(tmp_path / "faithfulness.csv")
    for name, expected in suite.compute().items():
        explainer, metric = name.split("/")
        (value,) = [row[metric] for row in written if row["explainer"] == explainer]
        assert float(value) == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
    assert "deletion ↓" in (tmp_path / "faithfulness.txt").read_text(encoding="utf-8")
    pictures = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert pictures == ["sample_0.png", "sample_1.png"]
    printed = capsys.readouterr().out
    assert "deletion ↓" in printed
    assert f"explanations of 10 samples: {tmp_path}" in printed


def test_only_needed_batches_of_the_split_are_read(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        Data, "on_before_batch_transfer", lambda s, b, i: read.append(len(b[0])) or b
    )
    options = {"pictures": 0, "faithfulness": False}
    trainer = ReportingTrainer(**QUIET)
    trainer.explain(Foreign(), Data(), str(tmp_path), rows=10, **options)
    assert read == [8, 8]  # of 8, 8, 4
    assert trainer.limit_predict_batches == 1.0
    trainer.explain(Foreign(), Data(), str(tmp_path), split="val", rows=None, **options)
    assert read == [8, 8, 6]
    assert len(table(tmp_path / "attributions.csv")) == 6 * 4


def test_rows_of_the_training_split_have_their_numbers(tmp_path):
    class Shuffled(LightningDataModule):
        def train_dataloader(self):
            inputs = torch.arange(20.0)[:, None].expand(-1, FEATURES) + 0.5
            rows = TensorDataset(inputs.clone(), torch.arange(20) % 3)
            return DataLoader(rows, batch_size=4, shuffle=True)

    class Row(nn.Module):
        """The first logit is the row's value, so input x gradient of it is the value."""

        def forward(self, inputs):
            return torch.stack([inputs[:, 0], 0 * inputs[:, 0], 0 * inputs[:, 0]], dim=1)

    ReportingTrainer(**QUIET).explain(
        Foreign(Row()), Shuffled(), str(tmp_path), [InputXGradient()], split="train", rows=6,
        pictures=0, faithfulness=False,
    )  # fmt: skip
    rows = table(tmp_path / "attributions.csv")
    assert [int(row["id"]) for row in rows] == list(range(6))
    name = list(rows[0])[-FEATURES]  # of the centred logit, two thirds of the value
    found = [float(row[name]) for row in rows]
    assert found == pytest.approx([2 / 3 * (n + 0.5) for n in range(6)], rel=1e-4)


def test_weights_come_from_the_checkpoint_and_callbacks_are_left_alone(tmp_path):
    trained, other = Foreign(), Foreign(nn.Linear(FEATURES, 3))
    nn.init.normal_(other.net.weight)
    fit = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    first = ReportingTrainer(max_epochs=1, callbacks=[ModelCheckpoint(tmp_path)], **fit)
    trained.net = nn.Linear(FEATURES, 3)
    first.fit(trained, loader())
    (path,) = tmp_path.glob("*.ckpt")
    writer = PredictionWriter(str(tmp_path / "predictions"))
    trainer = ReportingTrainer(callbacks=[writer], **QUIET)
    options = {"pictures": 0, "faithfulness": False, "explainers": [Gradient()]}
    trainer.explain(other, Data(), str(tmp_path), ckpt_path=str(path), **options)
    gradient = trained.net.weight - trained.net.weight.mean(dim=0)
    for row in table(tmp_path / "attributions.csv"):
        found = torch.tensor([float(row[name]) for name in Data.feature_names])
        torch.testing.assert_close(found, gradient[Data.class_names.index(row["predicted"])])
    assert writer in trainer.callbacks
    assert not (tmp_path / "predictions").exists()


def test_the_ranking_is_that_of_rank_explainers(tmp_path):
    module = Foreign()
    ReportingTrainer(**QUIET).rank(
        module, Data(), str(tmp_path), PAIR, ColumnMasker(FEATURES), rows=None, control=False
    )
    expected = rank_explainers(module, loader(20), PAIR, ColumnMasker(FEATURES), progress=False)
    assert (tmp_path / "ranking.txt").read_text(encoding="utf-8") == f"{expected.to_table()}\n"
    assert (tmp_path / "ranking.png").read_bytes().startswith(b"\x89PNG")
    rows = table(tmp_path / "ranking.csv")
    assert [row["explainer"] for row in rows] == [expected.explainers[e] for e in expected.order]
    for row, e in zip(rows, expected.order, strict=True):
        assert float(row["mean_rank"]) == expected.mean_rank[e]
        deletion = expected.means[expected.metrics.index("deletion"), e]
        assert float(row["deletion"]) == pytest.approx(float(deletion))


def test_a_ranking_has_a_control_by_default(tmp_path):
    trainer = ReportingTrainer(**QUIET)
    trainer.rank(Foreign(), Data(), str(tmp_path), [Gradient()], rows=4, n_steps=2, n_subsets=5)
    assert {row["explainer"] for row in table(tmp_path / "ranking.csv")} == {"gradient", "random"}


def test_texts(tmp_path):
    class Texts(LightningDataModule):
        tokenizer = WORDS

        def test_dataloader(self):
            return DataLoader(list(text_batches()), batch_size=None)

    masker = TokenMasker(2, special_token_ids=[1, 2])
    ReportingTrainer(**QUIET).explain(
        Foreign(Text()), Texts(), str(tmp_path), [KernelShap(8, masker=masker)], masker, n_steps=2,
        n_subsets=5,
    )  # fmt: skip
    rows = table(tmp_path / "attributions.csv")
    assert [json.loads(row["tokens"]) for row in rows] == [
        ["un", "like"],
        ["any", "film", "<b>"],
        ["so", "very", "good", "!", "un"],
    ]
    for row in rows:
        present = [name for name in row if name.startswith("token_") and row[name]]
        assert present == [f"token_{n + 1}" for n in range(len(json.loads(row["tokens"])))]
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names[:2] == ["sample_0.html", "sample_0.png"]
    assert len(names) == 6


class OfIds(nn.Module):
    """A network that reads ids and cannot embed them for others."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(20, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        return self.head(self.table(ids).mean(dim=1).tanh())


@pytest.mark.parametrize("method", ["explain", "rank"])
def test_token_ids_that_cannot_be_embedded_have_default_explainers(method, tmp_path):
    class Ids(LightningDataModule):
        def test_dataloader(self):
            rows = TensorDataset(torch.randint(3, 20, (4, 6)), torch.arange(4) % 3)
            return DataLoader(rows, batch_size=2)

    run = getattr(ReportingTrainer(**QUIET), method)
    settings = {"pictures": 0} if method == "explain" else {}
    run(Foreign(OfIds()), Ids(), str(tmp_path), masker=TokenMasker(2), n_steps=2, n_subsets=5,
        **settings)  # fmt: skip
    name = "attributions.csv" if method == "explain" else "ranking.csv"
    explainers = {row["explainer"] for row in table(tmp_path / name)}
    assert {"lime", "kernel_shap", "occlusion"} <= explainers


def test_images_as_an_arrow_file(tmp_path):
    pa = pytest.importorskip("pyarrow")

    class Images(LightningDataModule):
        def test_dataloader(self):
            return DataLoader(TensorDataset(torch.rand(3, 1, 8, 8), torch.arange(3)), batch_size=2)

    ReportingTrainer(**QUIET).explain(
        Foreign(Image()), Images(), str(tmp_path), PAIR, PatchMasker(4), format="arrow",
        faithfulness=False, style=PictureStyle(blend="contour"),
    )  # fmt: skip
    with pa.OSFile(str(tmp_path / "attributions.arrow"), "rb") as file:
        read = pa.ipc.open_file(file).read_all()
    assert read.column_names[4:] == [f"patch_{number}" for number in range(4)]
    assert read.num_rows == 6
    assert read.schema.field("patch_0").type == pa.float64()
    assert not (tmp_path / "faithfulness.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "rows must be at least 1"),
        ({"pictures": -1}, "pictures must be at least 0"),
        ({"format": "xlsx"}, "format must be one of"),
        ({"split": "all"}, "split must be one of"),
        ({"target": "true"}, "target must be one of"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ReportingTrainer(**QUIET).explain(Foreign(), Data(), str(tmp_path), **arguments)


def explain_on_rank(rank, world_size, folder):
    trainer = trainer_of_rank(rank, world_size, kind=ReportingTrainer)
    settings = {"rows": 11, "pictures": 3, "n_steps": 3, "n_subsets": 5}
    trainer.explain(Foreign(), Data(), folder, PAIR, ColumnMasker(FEATURES), **settings)


@pytest.mark.ddp
def test_two_processes_write_the_report_of_one(tmp_path):
    explain_on_rank(0, 1, str(tmp_path / "one"))
    run_distributed(explain_on_rank, str(tmp_path / "two"))
    for name in ("attributions.csv", "faithfulness.csv"):
        one, two = (table(tmp_path / folder / name) for folder in ("one", "two"))
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            for key, value in a.items():
                try:
                    assert float(b[key]) == pytest.approx(float(value), rel=1e-4, abs=1e-6)
                except ValueError:
                    assert b[key] == value
    names = [sorted(p.name for p in (tmp_path / f / "pictures").iterdir()) for f in ("one", "two")]
    assert names[0] == names[1] == [f"sample_{number}.png" for number in range(3)]
