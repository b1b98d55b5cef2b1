"""Replacement of token ids, which have no gradient, by the embeddings of a model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pear_lightning.masking.baseline import Baseline
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.masking.masker import Masker
from pear_lightning.masking.token_baseline import TokenBaseline
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import module_of

_Embed = Callable[[Tensor], Tensor]


def embedded(batch: Batch, forward: Any) -> Batch:
    """Return a batch whose token ids are replaced by embeddings, if the model can embed them.

    Args:
        batch: The batch.
        forward: A module or a method of a module. If the module, or its ``backbone``, has a method
            ``embed``, which maps ids ``(B, L)`` to embeddings ``(B, L, D)``, as in
            :class:`~pear_lightning.nn.TransformersClassifier`, it embeds the ids, and maskers
            receive the ids as ``input_ids``.

    Returns:
        The batch with embeddings; the batch itself if its inputs are floating point or the model
        has no such method.

    Example:
        >>> import torch
        >>> class Text(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.embed = torch.nn.Embedding(9, 4)
        >>> read = embedded(Batch(torch.tensor([[3, 1, 4]])), Text())
        >>> read.inputs.shape, read.masker_kwargs["input_ids"].tolist()
        (torch.Size([1, 3, 4]), [[3, 1, 4]])
    """
    embed = _embed_of(forward)
    return batch if embed is None else batch.embedded(embed)


def embedded_features(masker: Masker, batch: Batch, forward: Any) -> tuple[Batch, BoundMasker]:
    """Return a batch of embeddings and its features, which are removed as they are from the ids.

    A removed token is the embedding of the id that replaces it, so a model that is evaluated with
    tokens removed in part sees the same texts as one that is evaluated with ids.

    Args:
        masker: Defines the features.
        batch: The batch.
        forward: See :func:`embedded`.

    Returns:
        The batch and the features of its inputs. Inputs in floating point, and ids that the model
        cannot embed, are unchanged; a masker that cannot replace ids (without ``mask_token_id``)
        removes embeddings.

    Example:
        >>> from pear_lightning.masking import TokenMasker
        >>> class Text(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.embed = torch.nn.Embedding(9, 4)
        >>> model, ids = Text(), torch.tensor([[3, 1, 4]])
        >>> read, bound = embedded_features(TokenMasker(mask_token_id=8), Batch(ids), model)
        >>> nothing = torch.zeros(1, 1, 3, dtype=torch.bool)
        >>> bool((bound.removed(nothing) == model.embed.weight[8]).all())
        True
    """
    embed = _embed_of(forward)
    read = batch if embed is None else batch.embedded(embed)
    bound = masker.bind(read.inputs, read.sample_data)
    if embed is None or read is batch or not _replaces_ids(masker.baseline):
        return read, bound
    of_ids = masker.bind(batch.inputs, batch.sample_data)
    return read, replace(bound, baseline=_EmbeddedIds(of_ids, embed))


class _EmbeddedIds(Baseline):
    """Embeddings of the ids that replace removed ids."""

    def __init__(self, bound: BoundMasker, embed: _Embed) -> None:
        super().__init__()
        self.is_random = bound.baseline.is_random
        self._parts = bound, embed  # not registered: the parameters are those of the model

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return ``(K, B, T, E)``, or ``(1, B, T, E)`` if the ids are not random."""
        bound, embed = self._parts
        nothing = torch.zeros(1, 1, bound.n_features, dtype=torch.bool, device=inputs.device)
        ids = bound.removed(nothing, draws)
        # a graph to the model only if the embeddings of the text have one
        with torch.set_grad_enabled(torch.is_grad_enabled() and inputs.requires_grad):
            found: Tensor = embed(ids.flatten(0, 1)).unflatten(0, ids.shape[:2])
        return found


def _replaces_ids(baseline: Baseline) -> bool:
    return not isinstance(baseline, TokenBaseline) or baseline.replaces_ids


def _embed_of(forward: Any) -> _Embed | None:
    owner = module_of(forward)
    embed: _Embed | None = getattr(
        owner, "embed", getattr(getattr(owner, "backbone", None), "embed", None)
    )
    return embed
