"""Image models from timm."""

from typing import Any

from torch import nn


def timm_model(
    name: str,
    *,
    num_classes: int,
    pretrained: bool = False,
    in_chans: int = 3,
    **kwargs: Any,
) -> nn.Module:
    """Create an image model from timm whose gradients can be trained.

    Fused attention has no second derivative, so it is turned off in this model (and in no other).
    The memory of attention then grows with the square of the number of tokens.

    Shapes:
        - the model's ``inputs``: ``(B, in_chans, H, W)``
        - the model's ``logits``: ``(B, num_classes)``

    Args:
        name: Name of the model, such as ``"resnet18"`` or ``"vit_small_patch16_224"``.
        num_classes: Number of classes.
        pretrained: Whether to download pretrained weights (ImageNet or similar); the last layer is
            new if ``num_classes`` differs.
        in_chans: Number of channels of an image.
        kwargs: Other arguments of ``timm.create_model``.

    Returns:
        The model, in training mode.

    Raises:
        ImportError: If timm is not installed.

    Example:
        >>> model = timm_model("resnet18", num_classes=10)  # doctest: +SKIP
        >>> model(torch.rand(2, 3, 64, 64)).shape  # doctest: +SKIP
        torch.Size([2, 10])
    """
    try:
        import timm
    except ImportError as error:
        raise ImportError("timm_model needs timm: pip install 'pear-lightning[vision]'") from error

    model: nn.Module = timm.create_model(
        name, pretrained=pretrained, num_classes=num_classes, in_chans=in_chans, **kwargs
    )
    # timm's attention layers read this flag in every forward pass
    layers: list[Any] = list(model.modules())
    for layer in layers:
        if hasattr(layer, "fused_attn"):
            layer.fused_attn = False
    return model
