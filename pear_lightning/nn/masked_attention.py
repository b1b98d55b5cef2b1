"""A vision transformer that does not see removed patches."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.validation import check_count


class MaskedAttention(nn.Module):
    r"""A vision transformer of timm in which no token attends to removed patches.

    .. math:: \operatorname{softmax}\left( \frac{Q K^\top}{\sqrt{d}} + M \right) V, \qquad
              M_{tj} = -\infty \text{ if patch } j \text{ is removed}

    A patch is removed if all its pixels have the value that the masker gives to removed pixels, so
    the network is an ordinary function of masked images: it works in
    :class:`~pear_lightning.modules.Surrogate` and wherever else a model is evaluated with patches
    removed. Choose a value that does not occur in images, such as -10 for normalised images; else
    patches of this value in an image count as removed, too. The class token and registers remain.

    Args:
        model: A vision transformer whose ``forward`` takes ``attn_mask``, as those of timm from
            version 1.0.19 do.
        patch_size: Side length of the patches of the model, as in
            :class:`~pear_lightning.masking.PatchMasker`.
        value: Value of removed pixels, the ``baseline`` of the masker.

    Raises:
        TypeError: If the model does not take ``attn_mask``.
        ValueError: If the size is not positive; when called, if it does not divide the images.

    Shapes:
        - inputs: ``(B, C, H, W)``
        - logits: as the model returns them

    Example:
        >>> class Counts(nn.Module):  # stands for a transformer
        ...     num_prefix_tokens = 1
        ...     def forward(self, inputs, attn_mask):
        ...         return attn_mask[:, 0, 0].sum(dim=1, keepdim=True)
        >>> images = torch.rand(2, 3, 8, 8)
        >>> images[1, :, :4, 4:] = -10
        >>> MaskedAttention(Counts(), patch_size=4, value=-10)(images).flatten().tolist()
        [5, 4]

    References:
        Covert, Kim, Lee, *Learning to Estimate Shapley Values with Vision Transformers*
        (ViT-Shapley), ICLR 2023, arXiv 2206.05282.

    Deviations from the paper:
        Removed patches are recognised by their value instead of a mask that is passed along.
    """

    def __init__(self, model: nn.Module, patch_size: int, value: float = 0.0) -> None:
        super().__init__()
        check_count("patch_size", patch_size)
        if "attn_mask" not in inspect.signature(model.forward).parameters:
            raise TypeError(
                "model must take attn_mask, as vision transformers of timm from version 1.0.19 do, "
                f"got {type(model).__name__}"
            )
        self.model = model
        self.patch_size = patch_size
        self.value = value

    def visible(self, inputs: Tensor) -> Tensor:
        """Return which patches are not removed, ``(B, n)`` bool.

        Args:
            inputs: Images, ``(B, C, H, W)``.
        """
        size = self.patch_size
        if inputs.ndim != 4 or inputs.shape[2] % size or inputs.shape[3] % size:
            raise ValueError(
                f"inputs must be images (B, C, H, W) whose sides {size} divides, got "
                f"{tuple(inputs.shape)}"
            )
        differs = (inputs != self.value).any(dim=1, keepdim=True)
        return F.max_pool2d(differs.float(), size).flatten(1) > 0

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Return logits ``(B, C)`` of images ``(B, C, H, W)``."""
        visible = self.visible(inputs)
        prefix = int(getattr(self.model, "num_prefix_tokens", 1))
        ones = torch.ones(len(visible), prefix, dtype=torch.bool, device=visible.device)
        seen = torch.cat([ones, visible], dim=1)[:, None, None]
        logits: Tensor = self.model(inputs, attn_mask=seen, **kwargs)
        return logits
