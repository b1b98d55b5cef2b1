"""Pictures and tables reach every kind of logger; `.ci/run` installs them all."""

from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from pear_lightning.callbacks import AgreementMonitor, AttributionPictures
from pear_lightning.explainers import Gradient, IntegratedGradients
from pear_lightning.masking import TokenMasker
from tests.callbacks.foreign import Foreign
from tests.callbacks.test_attribution_pictures import WORDS, Text, text_batches
from tests.modules.helpers import quiet_trainer

PNG = b"\x89PNG"


def validate(logger):
    """Pictures of texts have a figure and a page; a monitor has a figure and a table."""
    module = Foreign(Text())
    module.backbone = module.net
    masker = TokenMasker(special_token_ids=[1, 2])
    pair = [Gradient(), IntegratedGradients(2)]
    callbacks = [
        AttributionPictures(masker, pair, samples=2, tokenizer=WORDS),
        AgreementMonitor(masker, pair, top_k=1, log_figure=True, log_table=True),
    ]
    trainer = quiet_trainer(logger=logger, callbacks=callbacks)
    trainer.validate(module, DataLoader(list(text_batches()), batch_size=None), verbose=False)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    validate(logger)
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    for name in ("val_attributions", "val_agreement"):
        (image,) = events.Images(name)
        assert image.encoded_image_string.startswith(PNG)
    (table,) = events.Tensors("val_agreement/text_summary")
    assert b"gradient" in table.tensor_proto.string_val[0]
    (page,) = Path(logger.log_dir).rglob("val_attributions-0.html")
    assert "sample 0" in page.read_text()
    assert "val_agreement/common_share" in events.Tags()["scalars"]


@pytest.mark.filterwarnings("ignore")  # third-party advice and deprecations
def test_wandb(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    from lightning.pytorch.loggers import WandbLogger

    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    validate(logger)
    logger.experiment.finish()
    media = [path for path in tmp_path.rglob("*") if path.is_file() and "media" in path.parts]
    pictures = [path for path in media if path.suffix == ".png"]
    assert sorted(path.name.split("_")[1] for path in pictures) == ["agreement", "attributions"]
    assert all(path.read_bytes().startswith(PNG) for path in pictures)
    (page,) = [path for path in media if path.suffix == ".html"]
    assert "sample 0" in page.read_text()


@pytest.mark.filterwarnings("ignore")  # third-party advice and deprecations
def test_mlflow(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    from lightning.pytorch.loggers import MLFlowLogger

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    logger = MLFlowLogger(save_dir=str(tmp_path), tracking_uri="")  # files, no server
    validate(logger)
    (artifacts,) = tmp_path.rglob(f"{logger.run_id}/artifacts")
    for name in ("val_attributions", "val_agreement"):
        assert (artifacts / "figures" / f"{name}-0.png").read_bytes().startswith(PNG)
    assert "sample 0" in (artifacts / "texts" / "val_attributions-0.html").read_text()
    assert "gradient" in (artifacts / "texts" / "val_agreement-0.txt").read_text()
