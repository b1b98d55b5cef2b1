import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import pear_lightning.callbacks.attribution_pictures as module_under_test
from pear_lightning.callbacks import AgreementMonitor, AttributionPictures
from pear_lightning.explainers import (
    Gradient,
    IntegratedGradients,
    KernelShap,
    SmoothGrad,
    explain,
)
from pear_lightning.masking import ColumnMasker, PatchMasker, TokenMasker
from pear_lightning.reports.pictures import spread_over_pixels
from tests.callbacks.foreign import Foreign, loader
from tests.ddp import run_distributed, trainer_of_rank
from tests.modules.helpers import quiet_trainer

PAIR = {"gradient": Gradient(), "integrated": IntegratedGradients(3)}


@pytest.fixture
def drawn(monkeypatch):
    """The samples that are drawn, evaluation by evaluation."""
    calls: list[Any] = []

    def draw(groups, style):
        calls.append(groups)
        return []

    monkeypatch.setattr(module_under_test, "draw_pictures", draw)
    return calls


def test_only_the_chosen_samples_are_explained_in_one_call(drawn, monkeypatch):
    calls = []
    original = module_under_test.explain_samples

    def count(network, batch, *args, **kwargs):
        calls.append(len(batch))
        return original(network, batch, *args, **kwargs)

    monkeypatch.setattr(module_under_test, "explain_samples", count)
    module = Foreign()
    pictures = AttributionPictures(explainers=PAIR, samples=[17, 2, 9], target="label")
    quiet_trainer(callbacks=[pictures]).validate(module, loader(), verbose=False)
    assert calls == [3]
    (((samples),),) = drawn
    inputs, target = (each[[17, 2, 9]] for each in loader().dataset.tensors)
    logits, expected = explain(module, inputs, target, PAIR, output="centered_logit")
    assert list(samples.ids) == [17, 2, 9]
    torch.testing.assert_close(samples.logits, logits)
    torch.testing.assert_close(samples.labels, target)
    for name, each in expected.items():
        torch.testing.assert_close(samples.attributions[name], each)


def test_samples_are_the_same_in_all_validations_and_the_model_is_the_current_one(drawn):
    pictures = AttributionPictures(explainers={"s": SmoothGrad(2)}, samples=2)
    module = Foreign()
    trainer = quiet_trainer(max_epochs=2, callbacks=[pictures], num_sanity_val_steps=1)
    shuffled = DataLoader(loader().dataset, batch_size=8, shuffle=True)
    with pytest.warns(UserWarning, match="shuffling enabled"):
        trainer.fit(module, loader(), shuffled)
    (first,), (second,) = drawn
    torch.testing.assert_close(first.batch.inputs, second.batch.inputs)
    assert (first.logits != second.logits).any()
    assert (first.attributions["s"] != second.attributions["s"]).any()


@pytest.mark.parametrize(("every", "expected"), [(1, 4), (2, 2), (3, 1)])
def test_pictures_are_drawn_in_every_nth_validation(drawn, every, expected):
    pictures = AttributionPictures(samples=1, every_n_validations=every)
    trainer = quiet_trainer(max_epochs=2, val_check_interval=0.5, callbacks=[pictures])
    trainer.fit(Foreign(), loader(32), loader())
    assert len(drawn) == expected
    trainer.validate(Foreign(), loader(), verbose=False)
    trainer.test(Foreign(), loader(), verbose=False)
    assert len(drawn) == expected + 2


def test_a_resumed_fit_goes_on_counting(drawn, tmp_path):
    def fit(epochs, path=None):
        pictures = AttributionPictures(samples=1, every_n_validations=2)
        trainer = quiet_trainer(max_epochs=epochs, callbacks=[pictures])
        trainer.fit(Foreign(), loader(), loader(), ckpt_path=path, weights_only=True)
        trainer.save_checkpoint(tmp_path / "last.ckpt")

    fit(1)
    assert len(drawn) == 0
    fit(2, tmp_path / "last.ckpt")
    assert len(drawn) == 1


def test_the_training_is_left_alone():
    weights = []
    for callbacks in ([], [AttributionPictures(explainers={"s": SmoothGrad(2)}, samples=2)]):
        module = Foreign()
        torch.manual_seed(3)
        trainer = quiet_trainer(max_epochs=2, callbacks=callbacks)
        trainer.fit(module, loader(), loader())
        weights.append(module.net[0].weight)
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_samples_that_do_not_exist_are_named(drawn):
    pictures = AttributionPictures(samples=[3, 99])
    with pytest.warns(UserWarning, match=r"got none for \[99\]"):
        quiet_trainer(callbacks=[pictures]).validate(Foreign(), loader(), verbose=False)
    assert [list(each.ids) for each in drawn[0]] == [[3]]


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in (".png", ".html")
    )


def test_files_of_a_csv_logger_are_named_after_stage_and_step(tmp_path):
    logger = CSVLogger(tmp_path, name="", version="")
    trainer = quiet_trainer(max_epochs=2, logger=logger, callbacks=[AttributionPictures(samples=2)])
    trainer.fit(Foreign(), loader(), loader())
    trainer.test(Foreign(), loader(), verbose=False)
    assert files(tmp_path) == [
        "figures/test_attributions-6.png",
        "figures/val_attributions-3.png",
        "figures/val_attributions-6.png",
    ]


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs, attention_mask=None):
        inputs = inputs if inputs.is_floating_point() else self.embed(inputs)
        return self.head((torch.tanh(inputs) * attention_mask[..., None]).sum(dim=1))


def text_batches():
    for texts in ([[1, 3, 4, 2], [1, 5, 6, 7, 2]], [[1, 8, 9, 10, 11, 3, 2]]):
        width = max(map(len, texts))
        ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
        yield {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": ids[:, 1] % 3}


WORDS = ["[PAD]", "[CLS]", "[SEP]", "un", "##like", "any", "film", "<b>", "so", "very", "good", "!"]


@pytest.mark.parametrize(
    "explainers", [PAIR, {"shap": KernelShap(8, masker=TokenMasker(2, special_token_ids=[1, 2]))}]
)
def test_texts_of_different_lengths_without_padding_and_special_tokens(explainers, tmp_path):
    module = Foreign(Text())
    module.backbone = module.net
    pictures = AttributionPictures(
        TokenMasker(special_token_ids=[1, 2]), explainers, samples=3, tokenizer=WORDS,
        class_names=["good", "bad", "neither"],
    )  # fmt: skip
    trainer = quiet_trainer(logger=CSVLogger(tmp_path, "", ""), callbacks=[pictures])
    trainer.validate(module, DataLoader(list(text_batches()), batch_size=None), verbose=False)
    assert files(tmp_path) == ["figures/val_attributions-0.png", "texts/val_attributions-0.html"]
    page = (tmp_path / "texts/val_attributions-0.html").read_text()
    for number, words in enumerate(["un like", "any film &lt;b&gt;", "so very good ! un"]):
        part = page.split("<h4>")[number + 1]
        assert part.startswith(f"sample {number} <small>predicted ")
        for row in re.findall("<td>(.*?)</td>", part):
            written = re.sub("<.*?>", "", row).strip()
            assert written == words.replace("un like", "unlike")


class Image(nn.Module):
    def __init__(self, channels=1):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 4, 3), nn.Tanh(), nn.Flatten(), nn.LazyLinear(3)
        )
        self.net(torch.rand(1, channels, 8, 8))

    def forward(self, inputs):
        return self.net(inputs)


@pytest.mark.parametrize("masker", [None, PatchMasker(4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_drawn_as_images(channels, masker, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        module_under_test, "log_figure", lambda loggers, name, figure, step: figures.append(figure)
    )
    images = TensorDataset(torch.rand(4, channels, 8, 8), torch.arange(4) % 3)
    pictures = AttributionPictures(masker, PAIR, samples=2, mean=[0.5], std=[0.5])
    trainer = quiet_trainer(callbacks=[pictures])
    trainer.validate(Foreign(Image(channels)), DataLoader(images, batch_size=4), verbose=False)
    (figure,) = figures
    drawn = [image.get_array() for image in figure.axes[0].images]
    assert len(drawn) == 6
    shown = images.tensors[0][0].movedim(0, 2) * 0.5 + 0.5
    torch.testing.assert_close(torch.tensor(drawn[0].copy()), shown.expand(-1, -1, 3))


def test_a_patch_has_the_saliency_of_the_patch():
    masker = PatchMasker(4)
    images = TensorDataset(torch.rand(2, 3, 8, 8), torch.arange(2))
    pictures = AttributionPictures(masker, {"gradient": Gradient()}, samples=2)
    module = Foreign(Image(3))
    kept = []
    pictures._draw = lambda trainer, module, stage, samples: kept.append(samples)
    quiet_trainer(callbacks=[pictures]).validate(module, DataLoader(images, 2), verbose=False)
    (samples,) = pictures._explained(module, kept[0])
    spread = spread_over_pixels(samples, masker)["gradient"]
    gradient = samples.attributions["gradient"]
    for row, column in ((0, 0), (0, 4), (4, 0), (4, 4)):
        total = gradient[:, :, row : row + 4, column : column + 4].sum(dim=(1, 2, 3))
        patch = spread[:, 0, row : row + 4, column : column + 4]
        torch.testing.assert_close(patch, total[:, None, None].expand(2, 4, 4))


def test_bars_have_the_names_of_the_data_module(monkeypatch):
    from pear_lightning.datamodules import BreastCancer

    figures = []
    monkeypatch.setattr(
        module_under_test, "log_figure", lambda loggers, name, figure, step: figures.append(figure)
    )
    data = BreastCancer(val_fraction=0.25)
    masker = ColumnMasker(30, groups=[[0, 1]])
    groups = AttributionPictures(masker, PAIR, samples=1, top=30, name="groups")
    trainer = quiet_trainer(callbacks=[AttributionPictures(explainers=PAIR, top=3), groups])
    trainer.validate(Foreign(nn.Linear(30, 2)), data, verbose=False)
    ticks = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert len(ticks) == 3
    assert {tick.split(" = ")[0] for tick in ticks} <= set(data.feature_names)
    written = [text.get_text() for text in figures[0].texts]
    assert re.fullmatch(r"predicted (malignant|benign) \(\d+ %\), label (malig|ben).*", written[1])
    # 29 features do not have the 30 names, and a group has no single value
    ticks = [label.get_text() for label in figures[1].axes[0].get_yticklabels()]
    assert sorted(ticks) == sorted(f"feature_{number}" for number in range(29))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, "samples must be a positive number or different positions"),
        ({"samples": [1, 1]}, "samples must be"),
        ({"samples": [-1]}, "samples must be"),
        ({"every_n_validations": 0}, "every_n_validations must be at least 1"),
        ({"target": "true"}, "target must be one of"),
        ({"kind": "video"}, "kind must be one of"),
        ({"blend": "heat"}, "blend must be one of"),
        ({"scale": "row"}, "scale must be one of"),
        ({"top": 0}, "top must be at least 1"),
        ({"explainers": []}, "explainers must hold at least one explainer"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttributionPictures(**arguments)


@pytest.mark.parametrize("callback", [AttributionPictures, AgreementMonitor])
def test_a_masker_that_is_none_is_refused(callback):
    with pytest.raises(
        TypeError, match=r"masker must be a Masker, such as PatchMasker\(4\).* got 2"
    ):
        callback(2)


def test_a_submodule_and_batches_of_another_form(drawn):
    module = Foreign()
    pictures = AttributionPictures(
        explainers=PAIR,
        samples=[1],
        target="label",
        model="net",
        batch_to_inputs=lambda batch: (batch["cells"], batch["diagnosis"]),
    )
    inputs, target = loader().dataset.tensors
    data = DataLoader([{"cells": inputs, "diagnosis": target}], batch_size=None)
    module.validation_step = lambda batch, batch_idx: None
    quiet_trainer(callbacks=[pictures]).validate(module, data, verbose=False)
    ((samples,),) = drawn
    logits, expected = explain(module.net, inputs[1:2], target[1:2], PAIR, output="centered_logit")
    torch.testing.assert_close(samples.logits, logits)
    for name, each in expected.items():
        torch.testing.assert_close(samples.attributions[name], each)


class Rows(Dataset[Any]):
    """Rows that say where they stand."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> Any:
        return torch.full((5,), float(index)), index % 3


def validate_on_rank(rank, world_size, folder):
    logger = CSVLogger(folder, name="", version="")
    pictures = AttributionPictures(explainers=PAIR, samples=[7, 2, 4, 10])
    explained = []
    pictures._explained = lambda *args: (
        explained.extend(found := AttributionPictures._explained(pictures, *args)) or found
    )
    trainer = trainer_of_rank(rank, world_size, logger=logger, callbacks=[pictures])
    trainer.validate(Foreign(), DataLoader(Rows(), batch_size=2), verbose=False)
    return [(list(each.ids), each.batch.inputs[:, 0].tolist()) for each in explained]


@pytest.mark.ddp
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_two_processes_write_one_set_of_pictures_of_the_chosen_samples(tmp_path):
    first, second = run_distributed(validate_on_rank, str(tmp_path))
    assert first == [([7, 2, 4, 10], [7.0, 2.0, 4.0, 10.0])]  # half of them read by the other
    assert second == []
    assert files(tmp_path) == ["figures/val_attributions-0.png"]
