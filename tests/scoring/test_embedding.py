"""Removed tokens of a model that is evaluated with embeddings."""

import pytest
import torch
from torch import nn

from pear_lightning.masking import TokenMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded_features


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)


@pytest.mark.parametrize("mask_token_id", [None, 8])
def test_removed_tokens_are_those_of_the_ids_or_else_values_of_the_baseline(mask_token_id):
    model, ids = Text(), torch.tensor([[3, 1, 4], [2, 7, 5]])
    masker = TokenMasker(mask_token_id, baseline=0.25)
    read, bound = embedded_features(masker, Batch(ids), model)
    assert torch.equal(read.inputs, model.embed(ids))
    keep = torch.tensor([[[True, False, True]]]).expand(1, 2, 3)
    found = bound.removed(keep)[0]
    assert torch.equal(found[:, ::2], model.embed(ids)[:, ::2])
    removed = torch.full((4,), 0.25) if mask_token_id is None else model.embed.weight[8]
    assert torch.equal(found[:, 1], removed.expand(2, 4))
