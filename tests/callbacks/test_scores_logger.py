import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger, Logger

from pear_lightning.callbacks import ScoresLogger
from pear_lightning.datamodules import BreastCancer
from pear_lightning.modules import DeepLasso, ScoresActivationModule
from pear_lightning.nn import MLP
from tests.modules.helpers import loader, quiet_trainer

pytestmark = pytest.mark.filterwarnings("ignore:the inputs of a feature gate")  # rows in [0, 1]


def fit(callback, epochs=3, model=None, **kwargs):
    if model is None:
        model = ScoresActivationModule(MLP(6, hidden_features=(8,)))
    ckpt_path = kwargs.pop("ckpt_path", None)
    trainer = quiet_trainer(max_epochs=epochs, callbacks=[callback], **kwargs)
    trainer.fit(model, loader(32), ckpt_path=ckpt_path)
    return model, trainer


def test_history_has_the_scores_of_every_epoch():
    scores = ScoresLogger(table=False)
    seen = []

    class Watched(ScoresActivationModule):
        def on_train_epoch_end(self):
            seen.append(self.scores)

    model, _ = fit(scores, model=Watched(MLP(6)))
    assert scores.epochs == [0, 1, 2, 3]
    torch.testing.assert_close(scores.history[0], torch.full((6,), 1 / 6))
    torch.testing.assert_close(scores.history[1:], torch.stack(seen))
    torch.testing.assert_close(scores.history[-1], model.scores)
    assert scores.names == [f"feature_{i}" for i in range(6)]


def test_every_nth_epoch_and_the_last():
    scores = ScoresLogger(2, table=False)
    fit(scores, epochs=5)
    assert scores.epochs == [0, 2, 4, 5]


def test_it_reads_deep_lasso_after_its_epoch():
    scores = ScoresLogger(table=False)
    model, _ = fit(scores, model=DeepLasso(MLP(6)), epochs=2)
    assert not scores.history[0].any()
    assert scores.history[1].min() > 0
    torch.testing.assert_close(scores.history[-1], model.scores)


def test_any_module_with_scores_will_do():
    class Own(ScoresActivationModule):
        feature_names = None
        scores = torch.arange(4.0)

    scores = ScoresLogger(table=False, feature_names=list("abcd"))
    fit(scores, model=Own(MLP(6)))
    assert scores.names == ["a", "b", "c", "d"]
    assert scores.history[-1].tolist() == [0, 1, 2, 3]


def test_history_goes_on_after_a_checkpoint(tmp_path):
    whole = ScoresLogger(table=False)
    torch.manual_seed(0)
    fit(whole, 4)
    half = ScoresLogger(table=False)
    torch.manual_seed(0)
    _, trainer = fit(half, 2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    state = torch.load(tmp_path / "half.ckpt", weights_only=True)["callbacks"]
    assert state["ScoresLogger(every_n_epochs=1, csv=None)"]["epochs"] == [0, 1, 2]
    rest = ScoresLogger(table=False)
    fit(rest, 4, ckpt_path=tmp_path / "half.ckpt")
    assert rest.epochs == whole.epochs
    torch.testing.assert_close(rest.history, whole.history)
    fit(rest, 1)  # another fit is another history
    assert rest.epochs == [0, 1]


def test_csv(tmp_path):
    scores = ScoresLogger(csv=str(tmp_path / "folder" / "scores.csv"), table=False)
    fit(scores, 2)
    with (tmp_path / "folder" / "scores.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["epoch", *scores.names]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    torch.testing.assert_close(
        torch.tensor([[float(value) for value in row[1:]] for row in rows]), scores.history
    )


def test_table(capsys):
    scores = ScoresLogger(top=3)
    model = ScoresActivationModule(MLP(30))
    quiet_trainer(max_epochs=2, callbacks=[scores]).fit(model, BreastCancer())
    printed = capsys.readouterr().out
    assert "feature scores (3 of 30)" in printed
    assert "effective" in printed
    best = model.scores.argmax().item()
    assert scores.names[best] in printed
    assert f"{model.scores[best]:.4f}" in printed


def test_square_brackets_in_names_are_no_markup(capsys):
    names = ["height [cm]", "rate [/min]", *(f"[red]{n}" for n in range(28))]
    scores = ScoresLogger(feature_names=names, top=30)
    quiet_trainer(max_epochs=1, callbacks=[scores]).fit(
        ScoresActivationModule(MLP(30)), BreastCancer()
    )
    printed = capsys.readouterr().out
    assert all(f" {name} " in printed for name in names)


def test_figure(tmp_path):
    pytest.importorskip("matplotlib")
    scores = ScoresLogger(figure=str(tmp_path / "scores.png"), table=False, top=4)
    fit(scores)
    assert (tmp_path / "scores.png").stat().st_size > 5000
    lines, bars = scores.plot().axes
    assert len(lines.lines) == 6
    order = scores.history[-1].argsort(descending=True)[:4].tolist()
    assert [label.get_text() for label in bars.get_yticklabels()] == [
        scores.names[feature] for feature in order
    ]
    widths = [patch.get_width() for patch in bars.patches]
    assert widths == pytest.approx(scores.history[-1, order].tolist())


class Shelf(Logger):
    """A logger that keeps figures, as TensorBoard's or Weights & Biases' do."""

    name, version = "shelf", 0

    def __init__(self, kind):
        super().__init__()
        self.figures = []
        if kind == "images":
            self.log_image = lambda key, images, step: self.figures.append((key, images[0], step))
        else:
            self.add_figure = lambda tag, figure, step: self.figures.append((tag, figure, step))

    @property
    def experiment(self):
        return self

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params):
        pass


def test_every_logger_gets_the_figure(tmp_path):
    figure = pytest.importorskip("matplotlib.figure")
    shelves = [Shelf("images"), Shelf("tensorboard"), CSVLogger(tmp_path)]
    _, trainer = fit(ScoresLogger(log_figure=True, table=False), logger=shelves)
    for shelf in shelves[:2]:
        ((name, drawn, step),) = shelf.figures
        assert (name, step) == ("scores", trainer.global_step)
        assert isinstance(drawn, figure.Figure)
    file = f"figures/scores-{trainer.global_step}.png"
    assert (Path(shelves[2].log_dir) / file).stat().st_size > 5000


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger

    fit(ScoresLogger(log_figure=True, table=False), 1, logger=TensorBoardLogger(tmp_path))
    (events,) = tmp_path.rglob("events.*")
    assert b"scores" in events.read_bytes()


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="every_n_epochs must be at least 1, got 0"):
        ScoresLogger(0)
    with pytest.raises(ValueError, match="top must be at least 1"):
        ScoresLogger(top=0)
    with pytest.raises(ValueError, match="each of the 6 scores of the module, got 2"):
        fit(ScoresLogger(feature_names=["a", "b"]))
    with pytest.raises(TypeError, match=r"the module must have scores \(n,\), got BoringModel"):
        fit(ScoresLogger(), model=BoringModel())
    with pytest.raises(RuntimeError, match="no scores yet"):
        ScoresLogger().plot()


def test_missing_matplotlib_is_named_before_training(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pear-lightning\[plot\]"):
        fit(ScoresLogger(figure="scores.png"))
