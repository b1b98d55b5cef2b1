"""Cells of the matrix that cannot work say why; the README lists them."""

import pytest
import torch

from pear_lightning.modules import PEAR
from pear_lightning.nn import ScoresActivation, TransformersClassifier
from tests.matrix.cells import CLASSES, fit, gated, pair
from tests.matrix.test_texts import MASKER, WIDTH, build, texts


def test_encoder_decoders_take_no_embeddings():
    tiny = {"model_type": "t5", "vocab_size": 20, "d_model": 8, "num_layers": 1, "num_heads": 2}
    with pytest.raises(ValueError, match="an encoder-decoder, which takes no embeddings"):
        TransformersClassifier({**tiny, "d_kv": 4, "d_ff": 8}, num_classes=CLASSES)


def test_models_that_read_padding_take_texts_of_one_length():
    tiny = {"model_type": "ctrl", "vocab_size": 30, "n_embd": WIDTH, "dff": 8, "n_layer": 1}
    tiny["pad_token_id"] = 0
    network = TransformersClassifier({**tiny, "n_head": 2, "n_positions": 16}, num_classes=CLASSES)
    module = PEAR(network, explainers=pair(), masker=MASKER, num_classes=CLASSES, top_k=2)
    with pytest.raises(ValueError, match="logits depend on padding"):
        module.training_loss(texts())
    alone = {name: each[:1] for name, each in texts().items()}
    assert module.training_loss(alone)["loss"].isfinite()


def test_scores_of_positions_need_texts_of_one_length():
    module = gated(build("gru"), ScoresActivation(12, axis=1, check_scale=False))
    with pytest.raises(ValueError, match="inputs must have 12 features along axis 1"):
        module.training_loss(texts())


def test_texts_of_different_lengths_have_no_mean():
    module = PEAR(build("gru"), explainers=pair(), masker=MASKER, num_classes=CLASSES)
    shorter = {name: each[:, :7] if each.ndim == 2 else each for name, each in texts().items()}
    loader = torch.utils.data.DataLoader([texts(), shorter], batch_size=None)  # type: ignore[arg-type]
    from tests.modules.helpers import quiet_trainer

    with pytest.raises(ValueError, match="must not be the mean of the training data for token ids"):
        quiet_trainer(max_epochs=1).fit(module, loader)


@pytest.mark.parametrize("precision", ["bf16-true"])
def test_ranks_of_coarse_weights_are_not_trained(precision):
    module = PEAR(build("gru"), explainers=pair(), test_explainers=pair(), masker=MASKER,
                  num_classes=CLASSES)  # fmt: skip
    with pytest.raises(ValueError, match="precision must be one of"):
        fit(module, texts(), precision)
