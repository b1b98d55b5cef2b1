import copy
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from pear_lightning.callbacks import AgreementTable
from pear_lightning.explainers import Gradient, InputXGradient, IntegratedGradients
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import MLP
from tests.modules.helpers import loader, quiet_trainer, sgd, weights

SLOPES = {"gradient": Gradient(), "average_gradient": IntegratedGradients(2, 0.5)}
OTHERS = {"gradient": Gradient(), "product": InputXGradient(), "average": IntegratedGradients(2)}


def pear(weight: float = 0.5) -> PEAR:
    torch.manual_seed(0)
    return PEAR(MLP(6), weight, explainers=SLOPES, test_explainers=OTHERS, top_k=3, optimizer=sgd)


def run(module: LightningModule, stage: str = "fit", **options: Any) -> Any:
    table = AgreementTable(**options)
    trainer = quiet_trainer(max_epochs=2, callbacks=[table])
    torch.manual_seed(1)
    data = loader(rows=32)
    if stage == "fit":
        trainer.fit(module, data, data)
    else:
        getattr(trainer, stage)(module, data, verbose=False)
    return trainer


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_it_shows_the_common_share(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = run(pear())
    printed = capsys.readouterr().out
    assert "common share" in printed
    assert f"{trainer.callback_metrics['val_common_share']:.4f}" in printed


def test_it_names_pairs_k_features_and_chance(capsys: pytest.CaptureFixture[str]) -> None:
    run(pear(), "validate")
    printed = capsys.readouterr().out
    assert "pairs: gradient with average gradient" in printed
    assert "feature agreement (k = 3)" in printed
    assert "rank correlation (k" not in printed
    assert "6 features; chance: agreement of unrelated explanations" in printed
    chance = next(line for line in printed.splitlines() if "feature agreement" in line)
    assert chance.split("│")[-2].strip() == "0.500"
    run(pear(), "test")
    printed = capsys.readouterr().out
    assert "untrained pairs: gradient with product, gradient with average" in printed


def test_square_brackets_in_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    explainers = {"gradient [/2]": Gradient(), "slope [cm]": InputXGradient()}
    run(PEAR(MLP(6), explainers=explainers, test_explainers=explainers), "test")
    printed = capsys.readouterr().out
    assert "gradient [/2] with slope [cm]" in printed
    assert "1 gradient [/2] " in printed
    assert "2 slope [cm] " in printed


def test_the_same_network_without_pear(capsys: pytest.CaptureFixture[str]) -> None:
    module, plain = pear(0.5), pear(0.0)
    untrained = copy.deepcopy(module)
    trainer = run(module, compare=True)
    printed = capsys.readouterr().out
    for a, b in zip(weights(plain), weights(untrained), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    expected = run(plain).callback_metrics
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]]
        for line in printed.splitlines()
        if line.startswith("│")
    }
    accuracies = [trainer.callback_metrics["val_accuracy"], expected["val_accuracy"]]
    assert rows["accuracy"] == [f"{value:.4f}" for value in accuracies]
    assert rows["loss"][1] == f"{expected['val_loss']:.4f}"
    trained, without, _ = rows["rank correlation"]
    assert trained == f"{trainer.callback_metrics['val_rank_correlation']:.3f}"
    assert without == f"{expected['val_rank_correlation']:.3f}"
    assert module.trainer is trainer


def test_the_comparison_changes_nothing_in_the_training() -> None:
    trained = []
    for compare in (False, True):
        module = pear()
        run(module, compare=compare)
        trained.append((weights(module), torch.rand(1)))
    torch.testing.assert_close(trained[0], trained[1], rtol=0, atol=0)


def test_comparisons_that_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="compare must be False for RightForTheRightReasons"):
        run(RightForTheRightReasons(MLP(6)), compare=True)
    table = AgreementTable(compare=True)
    trainer = quiet_trainer(fast_dev_run=True, callbacks=[table])
    trainer.fit(pear(), loader(rows=8), loader(rows=8))  # a check of the code, without comparison


def test_a_fit_that_resumes_is_not_compared(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    data = loader(rows=32)
    first = quiet_trainer(max_epochs=1)
    first.fit(pear(), data, data)
    first.save_checkpoint(tmp_path / "half.ckpt")
    trainer = quiet_trainer(max_epochs=2, callbacks=[AgreementTable(compare=True)])
    trainer.fit(pear(), data, data, ckpt_path=tmp_path / "half.ckpt")
    printed = capsys.readouterr().out
    assert "pairwise rank agreement" in printed
    assert "without" not in printed


def fit_with(callbacks: list[Callback], **options: Any) -> Any:
    data = loader(rows=32)
    trainer = quiet_trainer(
        callbacks=[AgreementTable(), *callbacks],
        enable_checkpointing=any(isinstance(each, ModelCheckpoint) for each in callbacks),
        **{"max_epochs": 6} | options,
    )
    trainer.fit(pear(), data, data)
    return trainer


def never_better() -> EarlyStopping:
    return EarlyStopping("val_loss", patience=2, min_delta=100.0)


def best_of(folder: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, monitor="val_loss", filename="{epoch}[a]")


def test_it_says_that_values_are_of_the_last_epoch_and_where_the_best_one_is(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ("a_folder_with_a_name_that_is_longer_than_the_console_is_wide_" * 3)
    best = best_of(folder)
    trainer = fit_with([never_better(), best])
    last = capsys.readouterr().out.splitlines()[-1]
    assert trainer.current_epoch == 3
    assert best.best_model_path == f"{folder}/epoch=0[a].ckpt"
    assert last == (
        "These are the values of the last epoch, 2; training stopped early. The best checkpoint "
        f"(val_loss {best.best_model_score:.4f}) is {best.best_model_path}"
    )


def test_it_names_the_best_checkpoint_of_a_whole_fit(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_with([best_of(tmp_path)], max_epochs=2)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("These are the values of the last epoch, 1. The best checkpoint (val_")
    fit_with([best_of(tmp_path / "two")], max_epochs=3, check_val_every_n_epoch=2)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("These are the values of the last epoch with validation, 1. The best")


def test_it_says_of_a_fit_without_a_best_checkpoint_only_that_it_stopped_early(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_with([never_better(), ModelCheckpoint(tmp_path)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "These are the values of the last epoch, 2; training stopped early"


def test_a_fit_that_keeps_only_its_last_epoch_needs_no_explanation(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_with([never_better()])  # no checkpoint
    fit_with([ModelCheckpoint(tmp_path)], max_epochs=1)
    unused = EarlyStopping("val_loss", patience=9)
    fit_with([unused, ModelCheckpoint(tmp_path / "two")], max_epochs=1)
    assert "These are the values" not in capsys.readouterr().out
    trainer = fit_with([best_of(tmp_path / "three")], max_epochs=1)
    capsys.readouterr()
    trainer.validate(pear(), loader(rows=32), verbose=False)
    assert "These are the values" not in capsys.readouterr().out
