"""Explanations of the trained networks, drawn: plain training beside PEAR."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.images_text.data import batches_of, data_of, masker_of, measured_rows
from benchmarks.images_text.measurement import OUTPUT, explainers_of
from benchmarks.images_text.photographs import save_small
from benchmarks.images_text.run import weights_name
from benchmarks.images_text.sentences import SENTENCES
from benchmarks.images_text.settings import METHODS, PROBLEMS, Problem
from benchmarks.images_text.training import make_module
from pear_lightning.datamodules import CIFAR10
from pear_lightning.figures import draw_image_attributions, draw_token_attributions
from pear_lightning.modules import PEAR
from pear_lightning.reports import ExplainedSamples, explain_samples
from pear_lightning.reports.pictures import spread_over_pixels
from pear_lightning.reports.tokens import tokens_of

SHORT = {
    "input_x_gradient": "input x grad.",
    "integrated_gradients": "int. gradients",
    "occlusion": "occlusion",
    "kernel_shap": "KernelSHAP",
}
IMAGES = 5
DRAWN = ("plain", "PEAR")


def draw_explanations(data_dir: Path, cache: Path, output: Path) -> None:
    """Draw what is there of each problem, by the networks of seed 0.

    Args:
        data_dir: Folder of the data.
        cache: Folder of the weights.
        output: Folder to write to.
    """
    for name, problem in PROBLEMS.items():
        files = {method: cache / weights_name(name, method, 0) for method in DRAWN}
        if not all(path.exists() for path in files.values()):
            continue
        data = data_of(problem, data_dir, 0)
        modules = {method: _module(problem, data, files[method], method) for method in DRAWN}
        draw = _draw_images if problem.data == "cifar10" else _draw_texts
        figure = draw(problem, data, modules)
        save_small(figure, output / f"explained_{name.replace('/', '_')}.png", dpi=90)


def _module(problem: Problem, data: Any, path: Path, method: str) -> PEAR:
    module = make_module(problem, data, METHODS[method])
    module.backbone.load_state_dict(torch.load(path))
    return module.eval()


def _explained(problem: Problem, module: PEAR, data: Any, batch: Any) -> ExplainedSamples:
    masker = masker_of(problem, data)
    read = module.batch_of(batch)
    torch.manual_seed(0)
    return explain_samples(
        module.backbone, read, range(len(read)), explainers_of(problem, masker), output=OUTPUT
    )


def _draw_images(problem: Problem, data: Any, modules: dict[str, PEAR]) -> Any:
    rows = measured_rows(problem, data)[:IMAGES]
    batch = next(batches_of(data, rows))
    found = {name: _explained(problem, module, data, batch) for name, module in modules.items()}
    maps = {
        f"{method}: {SHORT[name]}": each[:, 0]
        for method, samples in found.items()
        for name, each in spread_over_pixels(samples, masker_of(problem, data)).items()
    }
    names = data.class_names
    first = next(iter(found.values()))
    labels = [
        names[int(label)]
        + "".join(f"\n{m}: {names[int(s.predicted[row])]}" for m, s in found.items())
        for row, label in enumerate(first.labels if first.labels is not None else [])
    ]
    mean, std = CIFAR10.default_statistics
    return draw_image_attributions(first.batch.inputs, maps, labels, mean=mean, std=std)


def _draw_texts(problem: Problem, data: Any, modules: dict[str, PEAR]) -> Any:
    sentences = list(SENTENCES[problem.data])
    ids = data.tokenizer(sentences, padding=True, return_tensors="pt")
    batch = {"input_ids": ids["input_ids"], "attention_mask": ids["attention_mask"]}
    batch["labels"] = torch.zeros(len(sentences), dtype=torch.long)
    found = {name: _explained(problem, module, data, batch) for name, module in modules.items()}
    masker = masker_of(problem, data)
    embedded = next(iter(found.values())).batch
    present = masker.bind(embedded.inputs, embedded.sample_data).present
    texts = [
        tokens_of(data.tokenizer, row[at])
        for row, at in zip(batch["input_ids"], present, strict=True)
    ]
    attributions: dict[str, list[Tensor]] = {}
    for method, samples in found.items():
        bound = masker.bind(samples.batch.inputs, samples.batch.sample_data)
        for name, each in samples.attributions.items():
            pooled = bound.pool(each)
            key = f"{method}: {SHORT[name]}"
            attributions[key] = [row[at] for row, at in zip(pooled, present, strict=True)]
    labels = [
        "predicted: " + ", ".join(
            f"{data.class_names[int(s.predicted[row])]} ({m})" for m, s in found.items()
        )
        for row in range(len(sentences))
    ]  # fmt: skip
    return draw_token_attributions(texts, attributions, labels, width=10)
