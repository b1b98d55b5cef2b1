"""The data sets of the benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from benchmarks.images_text.networks import minilm_folder
from benchmarks.images_text.settings import MAX_TOKENS, PATCH, VOCABULARY, Problem
from pear_lightning.datamodules import CIFAR10, SST2, AGNews
from pear_lightning.datamodules.table_dataset import as_batch
from pear_lightning.masking import Masker, PatchMasker, TokenMasker

LEAST_TOKENS = 6  # of a text that is measured, with the two special ones
CHUNK = 25


def data_of(problem: Problem, data_dir: Path, seed: int) -> Any:
    """Return the data module of a problem, set up.

    Args:
        problem: The problem.
        data_dir: Folder of the files.
        seed: Seed of the validation rows and of the order of batches.
    """
    options: dict[str, Any] = {"val_fraction": 0.1, "seed": seed, "eval_batch_size": 256}
    options["batch_size"] = problem.batch_size
    if problem.data == "cifar10":
        data: Any = CIFAR10(str(data_dir), flip=True, padding=4, **options)
    else:
        kind = AGNews if problem.data == "ag_news" else SST2
        tokenizer = minilm_folder() if problem.network == "minilm" else None
        data = kind(
            str(data_dir),
            max_tokens=MAX_TOKENS,
            tokenizer=tokenizer,
            vocab_size=VOCABULARY,
            **options,
        )
    data.prepare_data()
    data.setup("fit")
    return data


def masker_of(problem: Problem, data: Any) -> Masker:
    """Return the features of a problem: patches of 4 x 4 pixels, or tokens.

    Removed patches have the colour of the mean training pixel, removed tokens the embedding 0.

    Args:
        problem: The problem.
        data: Its data module.
    """
    if problem.data == "cifar10":
        return PatchMasker(PATCH)
    special = sorted({*data.tokenizer.all_special_ids} - {data.tokenizer.unk_token_id})
    return TokenMasker(special_token_ids=special, pad_token_id=data.pad_token_id)


def measured_rows(problem: Problem, data: Any) -> list[int]:
    """Return which test rows are explained, the same for all networks.

    Args:
        problem: The problem.
        data: Its data module.
    """
    rows = data.rows("test")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
    if problem.data != "cifar10":
        order = [row for row in order if len(rows[row]["input_ids"]) >= LEAST_TOKENS]
    return sorted(order[: problem.samples])


def batches_of(data: Any, rows: list[int], split: str = "test") -> Iterator[Any]:
    """Yield batches of some rows.

    Args:
        data: The data module.
        rows: Their numbers.
        split: Of which split.
    """
    chosen = Subset(data.rows(split), rows)
    yield from DataLoader(chosen, batch_size=CHUNK, collate_fn=as_batch)
