import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import DummyLogger
from matplotlib.figure import Figure

from pear_lightning.figures import log_figure, log_text

PNG = b"\x89PNG"


def record(calls, name):
    """A function that keeps the arguments it is called with."""
    return lambda *args, **kwargs: calls.append((name, args, kwargs))


class Fake:
    """A logger with the methods of a kind, which are recorded."""

    def __init__(self, on_logger=(), on_experiment=(), **attributes):
        self.calls = []
        self.experiment = SimpleNamespace()
        for name in on_logger:
            setattr(self, name, record(self.calls, name))
        for name in on_experiment:
            setattr(self.experiment, name, record(self.calls, name))
        for name, value in attributes.items():
            setattr(self, name, value)


def tensorboard(**attributes):
    return Fake((), ("add_figure", "add_text"), **attributes)


def wandb():
    return Fake(("log_image", "log_text", "log_metrics"))


def mlflow():
    return Fake((), ("log_figure", "log_text"), run_id="run 7")


@pytest.fixture
def figure():
    figure = Figure()
    figure.subplots().plot([0, 1])
    return figure


def test_each_kind_of_logger_gets_the_figure_its_way(figure):
    loggers = [tensorboard(), wandb(), mlflow()]
    log_figure(loggers, "val/scores", figure, 30)
    assert [logger.calls for logger in loggers] == [
        [("add_figure", ("val/scores", figure, 30), {})],
        [("log_image", ("val/scores", [figure]), {"step": 30})],
        [("log_figure", ("run 7", figure, "figures/val/scores-30.png"), {})],
    ]


def test_each_kind_of_logger_gets_a_text_its_way():
    loggers = [tensorboard(), wandb(), mlflow()]
    log_text(loggers, "ranking", "a   1\nbc  2", 30)
    assert [logger.calls for logger in loggers] == [
        [("add_text", ("ranking", "    a   1\n    bc  2", 30), {})],
        [("log_text", ("ranking",), {"columns": ["text"], "data": [["a   1\nbc  2"]], "step": 30})],
        [("log_text", ("run 7", "a   1\nbc  2", "texts/ranking-30.txt"), {})],
    ]


def test_each_kind_of_logger_gets_html_its_way(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(Html=lambda text: ("page", text)))
    board, weights, flow = tensorboard(log_dir=str(tmp_path)), wandb(), mlflow()
    log_text([board, weights, flow], "ranking", "<i>a</i>", 30, html=True)
    path = tmp_path / "texts" / "ranking-30.html"
    assert path.read_text() == "<i>a</i>"
    assert board.calls == [("add_text", ("ranking", f"`{path}`", 30), {})]
    assert weights.calls == [("log_metrics", ({"ranking": ("page", "<i>a</i>")}, 30), {})]
    assert flow.calls == [("log_text", ("run 7", "<i>a</i>", "texts/ranking-30.html"), {})]


def test_csv_logger_gets_files(tmp_path, figure):
    logger = CSVLogger(tmp_path)
    log_figure([logger], "scores", figure, 5)
    log_figure([logger], "val/scores", figure, 5)
    log_text([logger], "ranking", "größer", 5)
    log_text([logger], "ranking", "<i>größer</i>", 5, html=True)
    folder = Path(logger.log_dir)
    assert (folder / "figures" / "scores-5.png").read_bytes().startswith(PNG)
    assert (folder / "figures" / "val" / "scores-5.png").read_bytes().startswith(PNG)
    assert (folder / "texts" / "ranking-5.txt").read_text(encoding="utf-8") == "größer"
    assert (folder / "texts" / "ranking-5.html").read_text(encoding="utf-8") == "<i>größer</i>"


def test_save_dir_stands_for_a_missing_log_dir(tmp_path, figure):
    log_figure([Fake(log_dir=None, save_dir=str(tmp_path))], "scores", figure, 5)
    assert (tmp_path / "figures" / "scores-5.png").exists()


def test_a_logger_without_a_folder_gets_nothing(figure, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loggers = [Fake(), SimpleNamespace(), DummyLogger()]  # the last is that of fast_dev_run
    log_figure(loggers, "scores", figure, 5)
    log_text(loggers, "ranking", "a", 5)
    log_text(loggers, "ranking", "a", 5, html=True)
    assert not list(tmp_path.iterdir())


def test_real_tensorboard(tmp_path, figure):
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    log_figure([logger], "scores", figure, 5)
    log_text([logger], "ranking", "a  1", 5)
    log_text([logger], "page", "<i>a</i>", 5, html=True)
    logger.finalize("success")
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    (image,) = events.Images("scores")
    assert image.step == 5
    assert image.encoded_image_string.startswith(PNG)
    (text,) = events.Tensors("ranking/text_summary")
    assert text.tensor_proto.string_val == [b"    a  1"]
    assert (Path(logger.log_dir) / "texts" / "page-5.html").read_text() == "<i>a</i>"


@pytest.mark.filterwarnings("ignore")  # third-party advice and deprecations
def test_real_wandb(tmp_path, figure, monkeypatch):
    pytest.importorskip("wandb")
    from lightning.pytorch.loggers import WandbLogger

    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    log_figure([logger], "scores", figure, 5)
    log_text([logger], "ranking", "a  1", 5)
    log_text([logger], "page", "<i>a</i>", 5, html=True)
    logger.experiment.finish()
    media = {path.suffix: path for path in tmp_path.rglob("*") if "media" in path.parts}
    assert media[".png"].read_bytes().startswith(PNG)
    assert "a  1" in media[".json"].read_text()
    assert "<i>a</i>" in media[".html"].read_text()


@pytest.mark.filterwarnings("ignore")  # third-party advice and deprecations
def test_real_mlflow(tmp_path, figure, monkeypatch):
    pytest.importorskip("mlflow")
    from lightning.pytorch.loggers import MLFlowLogger

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    logger = MLFlowLogger(save_dir=str(tmp_path), tracking_uri="")  # files, no server
    log_figure([logger], "scores", figure, 5)
    log_text([logger], "ranking", "a  1", 5)
    log_text([logger], "page", "<i>a</i>", 5, html=True)
    logger.finalize("success")
    (artifacts,) = tmp_path.rglob(f"{logger.run_id}/artifacts")
    assert (artifacts / "figures" / "scores-5.png").read_bytes().startswith(PNG)
    assert (artifacts / "texts" / "ranking-5.txt").read_text() == "a  1"
    assert (artifacts / "texts" / "page-5.html").read_text() == "<i>a</i>"
