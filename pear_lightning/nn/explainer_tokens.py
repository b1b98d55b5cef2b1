"""One vector for each feature of a sample: the input of an explainer network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.rebuilding import Rebuildable
from pear_lightning.functional.validation import check_count
from pear_lightning.masking.features_of_columns import features_of_columns


class ExplainerTokens(Rebuildable, nn.Module, ABC):
    """Base class of networks that return one vector for each feature of a sample.

    Attributes:
        dim: Length d of a vector.
        n_tokens: Number of features n; the largest one for texts.
        takes_ids: Whether inputs must be token ids.

    Shapes:
        - inputs: ``(B, *S)``
        - output: ``(B, n, d)``
    """

    dim: int
    n_tokens: int
    takes_ids: bool = False

    @abstractmethod
    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the vectors, ``(B, n, d)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            attention_mask: ``(B, n)``, 1 for a token and 0 for padding; texts only.
        """


class ColumnTokens(ExplainerTokens):
    """A vector for each column of a table, or for each group of columns.

    The vector of a column is its value times a learned vector, plus another learned vector; the
    vector of a group is the sum of those of its columns.

    Args:
        n_columns: Number of columns.
        dim: Length of a vector.
        groups: Groups of columns, as in :class:`~pear_lightning.masking.ColumnMasker`.

    Example:
        >>> ColumnTokens(5, 8, groups=[[1, 2]])(torch.rand(3, 5)).shape
        torch.Size([3, 4, 8])
    """

    feature_of: Tensor

    def __init__(
        self, n_columns: int, dim: int = 64, groups: Sequence[Sequence[int]] | None = None
    ) -> None:
        super().__init__()
        check_count("n_columns", n_columns)
        check_count("dim", dim)
        self.n_columns, self.dim = n_columns, dim
        self.groups = [sorted(group) for group in groups or []]
        features = features_of_columns(n_columns, self.groups)
        self.n_tokens = max(features) + 1
        self.register_buffer("feature_of", torch.tensor(features), persistent=False)
        self.weight = nn.Parameter(torch.randn(n_columns, dim) / dim**0.5)
        self.bias = nn.Parameter(torch.randn(n_columns, dim) / dim**0.5)

    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return vectors ``(B, n, d)`` of rows ``(B, n_columns)``."""
        if inputs.ndim != 2 or inputs.shape[1] != self.n_columns:
            raise ValueError(
                f"inputs must have shape (B, {self.n_columns}), got {tuple(inputs.shape)}"
            )
        vectors = inputs[..., None] * self.weight + self.bias
        if self.n_tokens == self.n_columns:
            return vectors
        sums = vectors.new_zeros(len(vectors), self.n_tokens, self.dim)
        return sums.index_add(1, self.feature_of, vectors)


class PatchTokens(ExplainerTokens):
    """A vector for each patch of an image, by one linear layer.

    Args:
        patch_size: Side length of a patch, as in :class:`~pear_lightning.masking.PatchMasker`.
        image_size: Height and width of the images, or one number. If the patches do not divide
            it, the image is padded with zeros at the right and at the bottom.
        in_channels: Number of channels.
        dim: Length of a vector.

    Example:
        >>> PatchTokens(4, (8, 10), in_channels=1, dim=16)(torch.rand(2, 1, 8, 10)).shape
        torch.Size([2, 6, 16])
    """

    def __init__(
        self,
        patch_size: int,
        image_size: int | tuple[int, int],
        in_channels: int = 3,
        dim: int = 64,
    ) -> None:
        super().__init__()
        check_count("patch_size", patch_size)
        height, width = (image_size,) * 2 if isinstance(image_size, int) else image_size
        self.patch_size, self.image_size = patch_size, (height, width)
        self.in_channels, self.dim = in_channels, dim
        self.n_tokens = -(-height // patch_size) * -(-width // patch_size)
        self.patches = nn.Conv2d(in_channels, dim, patch_size, patch_size)

    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return vectors ``(B, n, d)`` of images ``(B, in_channels, H, W)``."""
        if inputs.ndim != 4 or inputs.shape[1:] != (self.in_channels, *self.image_size):
            wanted = (self.in_channels, *self.image_size)
            raise ValueError(f"inputs must be images (B, *{wanted}), got {tuple(inputs.shape)}")
        height, width = self.image_size
        inputs = F.pad(inputs, (0, -width % self.patch_size, 0, -height % self.patch_size))
        vectors: Tensor = self.patches(inputs).flatten(2).mT
        return vectors


class TextTokens(ExplainerTokens):
    """A vector for each token of a text, from token ids or embeddings.

    Args:
        vocabulary: Number of token ids; ``None`` for embeddings.
        embedding_dim: Length of the embeddings; ``None`` for token ids.
        n_tokens: Largest number of tokens of a text.
        dim: Length of a vector.

    Raises:
        ValueError: If not exactly one of ``vocabulary`` and ``embedding_dim`` is given.

    Example:
        >>> TextTokens(vocabulary=100, n_tokens=12, dim=8)(torch.randint(100, (2, 9))).shape
        torch.Size([2, 9, 8])
    """

    def __init__(
        self,
        vocabulary: int | None = None,
        embedding_dim: int | None = None,
        n_tokens: int = 512,
        dim: int = 64,
    ) -> None:
        super().__init__()
        if (vocabulary is None) == (embedding_dim is None):
            raise ValueError(
                "vocabulary or embedding_dim must be given, and not both, got "
                f"vocabulary={vocabulary} and embedding_dim={embedding_dim}"
            )
        self.vocabulary, self.embedding_dim = vocabulary, embedding_dim
        self.n_tokens, self.dim = n_tokens, dim
        self.takes_ids = vocabulary is not None
        self.embed: nn.Module
        if vocabulary is not None:
            self.embed = nn.Embedding(vocabulary, dim)
        else:
            self.embed = nn.Linear(int(embedding_dim or 0), dim)

    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return vectors ``(B, T, d)`` of ids ``(B, T)`` or embeddings ``(B, T, E)``."""
        vectors: Tensor = self.embed(inputs)
        if vectors.ndim != 3 or vectors.shape[1] > self.n_tokens:
            raise ValueError(
                f"inputs must be texts (B, T) or (B, T, E) with T <= {self.n_tokens}, got "
                f"{tuple(inputs.shape)}"
            )
        return vectors
