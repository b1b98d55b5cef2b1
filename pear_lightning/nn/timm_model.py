"""Image models from timm."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from torch import nn


def timm_model(
    name: str,
    *,
    num_classes: int,
    pretrained: bool = False,
    in_chans: int = 3,
    gradient_checkpointing: bool = False,
    **kwargs: Any,
) -> nn.Module:
    """Create an image model from timm.

    Attention is fused, except in explanations that train the model, which take second derivatives:
    there, its memory grows with the square of the number of tokens.

    Shapes:
        - the model's ``inputs``: ``(B, in_chans, H, W)``
        - the model's ``logits``: ``(B, num_classes)``

    Args:
        name: Name of the model, such as ``"resnet18"`` or ``"vit_small_patch16_224"``.
        num_classes: Number of classes.
        pretrained: Whether to download pretrained weights (ImageNet or similar); the last layer is
            new if ``num_classes`` differs.
        in_chans: Number of channels of an image.
        gradient_checkpointing: Whether to compute hidden states again in the backward pass of the
            task loss instead of keeping them. Explanations do not do this.
        kwargs: Other arguments of ``timm.create_model``.

    Returns:
        The model, in training mode.

    Raises:
        ImportError: If timm is not installed, or its torchvision does not fit the installed torch.

    Example:
        >>> model = timm_model("resnet18", num_classes=10)  # doctest: +SKIP
        >>> model(torch.rand(2, 3, 64, 64)).shape  # doctest: +SKIP
        torch.Size([2, 10])
    """
    model: nn.Module = _timm().create_model(
        name, pretrained=pretrained, num_classes=num_classes, in_chans=in_chans, **kwargs
    )
    if gradient_checkpointing:
        checkpointed: Any = model
        checkpointed.set_grad_checkpointing()
    return model


def image_settings(name: str) -> dict[str, Any]:
    """Return how images must be prepared for a model from timm.

    Args:
        name: Name of the model, with the tag of its weights if it has several, such as
            ``"vit_small_patch16_224.augreg_in21k_ft_in1k"``.

    Returns:
        ``input_size`` (channels, height, width), ``interpolation``, ``mean``, ``std``,
        ``crop_pct`` and ``crop_mode``.

    Raises:
        ImportError: If timm is not installed, or its torchvision does not fit the installed torch.
        ValueError: If timm has no such model.
    """
    timm = _timm()
    if not timm.is_model(name):
        raise ValueError(
            f"model_name must be the name of a model of timm, got {name!r}; timm.list_models() "
            "lists them"
        )
    settings = timm.get_pretrained_cfg(name)
    found: dict[str, Any] = timm.data.resolve_data_config({}, pretrained_cfg=settings.to_dict())
    return found


def _timm() -> Any:
    """Import timm.

    Raises:
        ImportError: If that fails; the message says what to install.
    """
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            "timm is missing, or cannot be imported: pip install 'pear-lightning[vision]'"
        ) from error
    except (RuntimeError, AttributeError) as error:  # of torchvision, built for another torch
        raise ImportError(
            f"timm needs a torchvision that was built for the installed torch {_version('torch')}, "
            f"got torchvision {_version('torchvision')}, which cannot be imported ({error}); "
            "install both from one release and one index, such as pip install torch==2.14.1 "
            "torchvision==0.29.1, or both with --index-url https://download.pytorch.org/whl/cpu"
        ) from error
    return timm


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(none)"
