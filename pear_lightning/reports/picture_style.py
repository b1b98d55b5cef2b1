"""How explained samples are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from pear_lightning.figures.attribution_scale import SCALES, Scale
from pear_lightning.figures.image_attributions import BLENDS, Blend
from pear_lightning.figures.tokens import Token
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker, TokenMasker
from pear_lightning.reports.explained_samples import ExplainedSamples
from pear_lightning.reports.picture_kind import KINDS, Kind, picture_kind
from pear_lightning.reports.tokens import tokens_of
from pear_lightning.scoring.batch import Batch


@dataclass(frozen=True)
class PictureStyle:
    """How explained samples are drawn.

    Args:
        kind: ``"image"``, ``"tokens"`` or ``"columns"``; ``None`` chooses by masker and inputs.
        masker: Defines the features whose attributions are shown: patches, segments, columns,
            tokens. ``None`` shows every pixel, column or token.
        class_names: Names of the classes.
        feature_names: Names of the features of a table.
        tokenizer: See :func:`~pear_lightning.reports.tokens.tokens_of`; or the name of a tokenizer
            of transformers.
        mean: Mean of each channel, if images were normalised with mean and standard deviation.
        std: Standard deviation of each channel.
        image_shape: Shape ``(C, H, W)`` of images that are given as rows ``(B, C·H·W)``.
        blend: ``"alpha"`` (colours) or ``"contour"`` (lines) on images.
        scale: What shares a scale: ``"panel"`` (nothing), ``"sample"`` or ``"explainer"``.
        top: Largest number of columns that a picture shows.

    Raises:
        ValueError: If an option is unknown, or ``top`` is not positive.

    Example:
        >>> from pear_lightning.explainers import Gradient
        >>> from pear_lightning.reports.explained_samples import explain_samples
        >>> model, batch = torch.nn.Linear(3, 2), Batch(torch.rand(2, 3), torch.tensor([0, 1]))
        >>> samples = explain_samples(model, batch, [4, 9], {"gradient": Gradient()})
        >>> style = PictureStyle(class_names=["no", "yes"], feature_names=["age", "sex", "pay"])
        >>> style.names_of_features("columns", 3)
        ['age', 'sex', 'pay']
        >>> style.labels_of(samples)[1].splitlines()[::2]
        ['sample 9', 'label yes']
    """

    kind: Kind | None = None
    masker: Masker | None = None
    class_names: Sequence[str] | None = None
    feature_names: Sequence[str] | None = None
    tokenizer: Any = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    image_shape: tuple[int, int, int] | None = None
    blend: Blend = "alpha"
    scale: Scale = "panel"
    top: int = 10

    def __post_init__(self) -> None:
        """Check the options."""
        if self.kind is not None:
            check_choice("kind", self.kind, KINDS)
        check_choice("blend", self.blend, BLENDS)
        check_choice("scale", self.scale, SCALES)
        if self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")

    def with_names_of(self, data: Any) -> Self:
        """Return a style that takes missing names from a data module, and loads its tokenizer.

        Args:
            data: A data module, whose ``class_names``, ``feature_names`` (or ``group_names``, if
                the masker has as many features) and ``tokenizer`` are used; or any other object.
        """
        feature_names = self.feature_names or list(getattr(data, "feature_names", None) or ())
        groups = list(getattr(data, "group_names", None) or ())
        n = getattr(self.masker, "n_columns", None) and self.masker.n_features  # type: ignore[union-attr]
        if self.feature_names is None and len(groups) == n != len(feature_names):
            feature_names = groups
        tokenizer = self.tokenizer
        if tokenizer is None:
            tokenizer = getattr(data, "tokenizer", None)
        if isinstance(tokenizer, str):
            tokenizer = _load_tokenizer(tokenizer)
        class_names = self.class_names or list(getattr(data, "class_names", None) or ())
        return replace(
            self,
            class_names=class_names or None,
            feature_names=feature_names or None,
            tokenizer=tokenizer,
        )

    def kind_of(self, batch: Batch) -> Kind:
        """Return the kind of picture of a batch.

        Args:
            batch: The samples.
        """
        if self.kind is not None:
            return self.kind
        return "image" if self.image_shape is not None else picture_kind(batch, self.masker)

    def pooled(self, samples: ExplainedSamples) -> tuple[dict[str, Tensor], Tensor]:
        """Pool attributions to the features of the masker.

        Without a masker, every element is a feature; components of embeddings are summed.

        Args:
            samples: The samples.

        Returns:
            Saliency ``(B, n)`` by name of the explainer, and bool ``(B, n)``: which features a
            sample has.
        """
        batch = samples.batch
        masker = self.masker
        if masker is None and self.kind_of(batch) == "tokens":
            masker = self.token_masker()
        if masker is None:
            flat = {name: each.flatten(1) for name, each in samples.attributions.items()}
            return flat, torch.ones_like(next(iter(flat.values())), dtype=torch.bool)
        bound = masker.bind(batch.inputs, batch.sample_data)
        return {n: bound.pool(each) for n, each in samples.attributions.items()}, bound.present

    def token_masker(self) -> TokenMasker:
        """Return the masker, or one that knows the special tokens of the tokenizer."""
        if isinstance(self.masker, TokenMasker):
            return self.masker
        tokenizer = self.tokenizer
        if not hasattr(tokenizer, "all_special_ids"):
            return TokenMasker()
        ids = [getattr(tokenizer, f"{name}_token_id", None) for name in ("mask", "pad", "unk")]
        mask = next((number for number in ids if number is not None), 0)
        return TokenMasker.from_tokenizer(tokenizer, mask)

    def labels_of(self, samples: ExplainedSamples) -> list[str]:
        """Return the text at each sample: its position, prediction and label.

        Args:
            samples: The samples.
        """
        texts = []
        one_output = samples.logits.shape[1] == 1
        probabilities = samples.logits.float().softmax(dim=1)
        for row, number in enumerate(samples.ids):
            value = samples.predicted[row].item()
            lines = [f"sample {number}"]
            if one_output:
                lines.append(f"predicted {value:.3g}")
            else:
                share = 100 * float(probabilities[row, int(value)])
                lines.append(f"predicted {self.shown(value)} ({share:.0f} %)")
            if samples.labels is not None:
                label = samples.labels.flatten()[row].item()
                shown = self.shown(label) if isinstance(label, int) else f"{label:.3g}"
                lines.append(f"label {shown}")
            target = samples.batch.target
            if target is not None and target[row] != value:
                lines.append(f"explained {self.shown(int(target[row]))}")
            texts.append("\n".join(lines))
        return texts

    def tokens(self, samples: ExplainedSamples) -> list[tuple[list[Token], Tensor]]:
        """Return the tokens of each text that are features, and their positions.

        Args:
            samples: Texts.
        """
        batch = samples.batch
        present = self.token_masker().bind(batch.inputs, batch.sample_data).present
        ids = batch.sample_data.get("input_ids")
        if ids is None:
            ids = batch.inputs
        if ids.is_floating_point():
            raise ValueError(
                "batch must have token ids, as inputs or as 'input_ids', to be drawn as tokens, "
                "got embeddings alone"
            )
        positions = [of_text.nonzero()[:, 0] for of_text in present]
        return [
            (tokens_of(self.tokenizer, of_text[at]), at)
            for of_text, at in zip(ids, positions, strict=True)
        ]

    def shown(self, value: float | None) -> Any:
        """Return the name of a class, if it is known; other values are returned unchanged.

        Args:
            value: Index of a class, or a value of a regression; ``None`` if there is none.
        """
        names = self.class_names
        if isinstance(value, int) and names is not None and 0 <= value < len(names):
            return names[value]
        return value

    def names_of_features(self, kind: Kind, n: int) -> list[str]:
        """Return a name for each of n features.

        Args:
            kind: What the features belong to.
            n: Number of features.
        """
        if kind == "columns" and self.feature_names and len(self.feature_names) == n:
            return [str(name) for name in self.feature_names]
        what = {"columns": "feature", "tokens": "token"}.get(kind, "pixel")
        if kind == "image" and self.masker is not None:
            what = type(self.masker).__name__.removesuffix("Masker").lower()
        return [f"{what}_{number}" for number in range(n)]


def _load_tokenizer(name: str) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise ImportError(
            "tokenizers by name need transformers: pip install 'pear-lightning[text]'"
        ) from error
    load: Any = AutoTokenizer.from_pretrained
    return load(name)
