"""Token vectors from a vision transformer of timm."""

from collections.abc import Mapping
from typing import Any

from pear_lightning.nn.backbone_tokens import BackboneTokens
from pear_lightning.nn.timm_model import timm_model


class TimmTokens(BackboneTokens):
    """A vector for each patch from a vision transformer of timm, which is trained along.

    Unlike :class:`~pear_lightning.nn.BackboneTokens`, it is built from plain values, so that a
    checkpoint can rebuild the explainer. With one more layer,
    ``ExplainerTransformer(TimmTokens(...), depth=1)`` is the explainer of ViT-Shapley.

    Args:
        name: Name of the model.
        image_size: Side length of the images; ``None`` for that of the model.
        patch_size: Side length of a patch; ``None`` for that of the model.
        pretrained: Whether to download pretrained weights.
        arguments: Other arguments of ``timm.create_model``.

    Raises:
        ImportError: If timm is not installed.

    Shapes:
        - inputs: ``(B, 3, H, W)``
        - output: ``(B, n, d)``

    Example:
        >>> tokens = TimmTokens("vit_tiny_patch16_224", 32, 4)  # doctest: +SKIP
        >>> tokens.n_tokens, tokens.dim  # doctest: +SKIP
        (64, 192)

    References:
        Covert, Kim, Lee, *Learning to Estimate Shapley Values with Vision Transformers*
        (ViT-Shapley), ICLR 2023, arXiv 2206.05282.

    Deviations from the paper:
        The head of :class:`~pear_lightning.nn.ExplainerTransformer` is one linear layer instead of
        three layers with tanh.
    """

    def __init__(
        self,
        name: str,
        image_size: int | None = None,
        patch_size: int | None = None,
        pretrained: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        sizes = {"img_size": image_size, "patch_size": patch_size}
        options: dict[str, Any] = {key: size for key, size in sizes.items() if size is not None}
        options |= arguments or {}
        backbone: Any = timm_model(name, num_classes=0, pretrained=pretrained, **options)
        super().__init__(backbone, backbone.patch_embed.num_patches, backbone.num_features)
        self.name, self.image_size, self.patch_size = name, image_size, patch_size
        self.pretrained, self.arguments = pretrained, dict(arguments or {})

    def init_args(self) -> dict[str, Any]:
        """Return the constructor arguments; weights come from the checkpoint."""
        return {
            "name": self.name,
            "image_size": self.image_size,
            "patch_size": self.patch_size,
            "pretrained": False,
            "arguments": self.arguments,
        }
