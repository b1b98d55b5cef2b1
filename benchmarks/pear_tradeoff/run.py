"""One run of the PEAR benchmark: train a model, then measure it."""

import logging
import time
import warnings
from dataclasses import asdict
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from benchmarks.pear_tradeoff.networks import EncodedMLP
from benchmarks.pear_tradeoff.protocols import (
    ALIGNED,
    PAPER,
    RANDOM,
    ROWS,
    TOP_K,
    aligned_protocol,
    consensus_of_paper,
    junk_shares,
    nonlinearity,
    pairs_of,
    paper_protocol,
    training_explainers,
)
from benchmarks.pear_tradeoff.settings import DATA_SETS, Setting
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP, LinearModel


def train_and_evaluate(
    name: str, setting: Setting, data_set: str, seed: int, data_dir: str, max_epochs: int | None
) -> dict[str, Any]:
    """Train one model and measure everything that the report shows.

    Args:
        name: Name of the setting.
        setting: How to train.
        data_set: Name of the data set.
        seed: Seed of the weights and of the order of the batches.
        data_dir: Folder of the paper's files.
        max_epochs: Upper limit on the epochs, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    start, cpu = time.perf_counter(), time.process_time()
    common: dict[str, Any] = {
        "batch_size": setting.batch_size,
        "eval_batch_size": 500,
        "scaling": setting.scaling,
        "junk_features": "double" if setting.junk else None,
    }
    data = DATA_SETS[data_set](data_dir, **common)
    legacy = DATA_SETS[data_set](data_dir, legacy_test_scaling=True, **common)
    data.setup()
    legacy.setup()
    record: dict[str, Any] = {
        "data_set": data_set,
        "setting": name,
        "seed": seed,
        "options": asdict(setting),
    }
    torch.manual_seed(seed)
    if setting.model in ("logistic_regression", "xgboost"):
        record |= _fit_classifier(setting.model, data, legacy)
    else:
        record |= _train_network(setting, data, legacy, max_epochs)
    record["seconds"] = round(time.perf_counter() - start, 1)
    record["cpu_seconds"] = round(time.process_time() - cpu, 1)
    return record


def _train_network(
    setting: Setting, data: Any, legacy: Any, max_epochs: int | None
) -> dict[str, Any]:
    epochs = min(setting.n_epochs, max_epochs or setting.n_epochs)
    model = _module(setting, data, epochs)
    before = time.process_time()
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", barebones=True)
    trainer.fit(model, data)
    cpu = time.process_time() - before
    record: dict[str, Any] = {
        "epochs": epochs,
        "steps": trainer.global_step,
        "ms_per_step": round(1000 * cpu / max(trainer.global_step, 1), 2),
    }
    torch.manual_seed(0)  # the same noise and masks for every model
    for scaling, rows in {"train": data, "own": legacy}.items():
        measured = _measure(model, rows, junk=setting.junk)
        record |= {f"{name}_{scaling}": value for name, value in measured.items()}
    record["fvu"] = nonlinearity(model.backbone, _test_rows(data)[0])
    chance = model.test_agreement.chance()
    record["metrics"] = list(chance)
    record["chance"] = {name: round(value, 4) for name, value in chance.items()}
    return record


def _module(setting: Setting, data: Any, epochs: int) -> PEAR:
    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters, setting.learning_rate, weight_decay=setting.weight_decay, fused=True
        )

    def cosine(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

    backbone: nn.Module
    if setting.model == "linear":
        backbone = LinearModel(data.n_features)
    elif setting.model == "encoded_mlp":
        backbone = EncodedMLP(data.train_dataloader().dataset.inputs, setting.hidden)
    else:
        backbone = MLP(
            data.n_features, hidden_features=setting.hidden, activation=setting.activation
        )
    aligned = {} if setting.junk else aligned_protocol()  # 2^16 masks with junk
    return PEAR(
        backbone,
        setting.weight,
        setting.spearman,
        training_explainers(setting.explainers, setting.nodes),
        test_explainers=paper_protocol() | aligned,
        test_rows=ROWS,
        top_k=TOP_K,
        normalize=setting.normalize,
        strength=setting.strength,
        warmup_epochs=setting.warmup * epochs,
        optimizer=optimizer,
        lr_scheduler=cosine if setting.cosine else None,
    )


def _measure(model: PEAR, data: Any, *, junk: bool) -> dict[str, Any]:
    """Test a model: accuracy on all rows, agreement and consensus loss on the first ones."""
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = Trainer(accelerator="cpu", enable_checkpointing=False, **quiet)
    (logged,) = trainer.test(model, data, verbose=False)
    matrix = model.test_agreement.compute()
    names = list(model.test_explainers)

    def values(pair: tuple[str, str]) -> list[float]:
        i, j = (names.index(each) for each in pair)
        return [round(float(metric[i, j]), 4) for metric in matrix.values()]

    pairs = pairs_of((*PAPER, RANDOM)) + ([] if junk else pairs_of(ALIGNED))
    stochastic = [each for each, e in model.test_explainers.items() if e.stochastic]
    inputs, target = (column[:ROWS] for column in _test_rows(data))
    measured = {
        "accuracy": 100 * logged["test_accuracy"],
        "agreement": {" / ".join(pair): values(pair) for pair in pairs},
        "self_agreement": {each: values((each, each)) for each in stochastic},
        "consensus": consensus_of_paper(model.backbone, data.training_mean, inputs, target),
    }
    if junk:
        explainers: dict[str, Any] = {
            name: model.test_explainers[name] for name in (*PAPER, RANDOM)
        }
        n_real = data.n_features // 2
        measured["junk"] = junk_shares(model.backbone, explainers, inputs, target, n_real)
    return measured


def _fit_classifier(model: str, data: Any, legacy: Any) -> dict[str, Any]:
    if model == "xgboost":
        try:
            from xgboost import XGBClassifier
        except ImportError as error:
            raise ImportError(
                "the XGBoost accuracy needs xgboost: pip install xgboost, or leave it out with "
                "--only"
            ) from error
        classifier = XGBClassifier(n_jobs=1)
    else:
        from sklearn.linear_model import LogisticRegression

        classifier = LogisticRegression(C=1e4, max_iter=10_000)
    train = data.train_dataloader().dataset  # in file order: XGBoost's trees depend on it
    classifier.fit(train.inputs.numpy(), train.target.numpy())
    accuracies = {}
    for scaling, rows in {"train": data, "own": legacy}.items():
        inputs, target = (column.numpy() for column in _test_rows(rows))
        accuracies[f"accuracy_{scaling}"] = 100 * float(classifier.score(inputs, target))
    return accuracies


def _test_rows(data: Any) -> tuple[Tensor, Tensor]:
    test = data.test_dataloader().dataset
    return test.inputs, test.target
