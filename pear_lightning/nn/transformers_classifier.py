"""Text classifiers from transformers, explained at their token embeddings."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.scoring.eval_mode import eval_mode


class TransformersClassifier(nn.Module):
    """A text classifier from transformers, explained at its token embeddings.

    Token ids have no gradient, so what is explained are the embeddings of the tokens: call
    :meth:`embed` once and hand the result to ``explain`` with the attention mask::

        embeddings = model.embed(ids)
        explain(model, embeddings, target, explainers, forward_kwargs={"attention_mask": mask})

    Attention is eager, because fused attention has no second derivative, and weights are float32.
    Padding does not change the logits: where a classifier reads the last token (GPT-2, Llama and
    others like them), the last token that is not padding is read, which transformers itself does
    not do for embeddings. The gradient at a padding token is zero.

    Shapes:
        - ``inputs``: ``(B, L, D)`` float embeddings, or ``(B, L)`` long token ids
        - ``attention_mask``: ``(B, L)``, 1 for a token and 0 for padding
        - ``logits``: ``(B, C)``

    Args:
        model: A name on the Hugging Face hub or a folder, for pretrained weights; a configuration
            (``PretrainedConfig``, or a dictionary with ``model_type``), for random weights; or a
            model for sequence classification, which is used as it is and turned to float32.
        num_classes: Number of classes. None keeps that of ``model``.
        kwargs: Other arguments of ``from_pretrained``, such as ``revision`` or ``cache_dir``.

    Raises:
        ImportError: If transformers is not installed.
        TypeError: If ``model`` is none of these.
        ValueError: If the model is an encoder-decoder, which takes no embeddings, if a shape does
            not fit, or if there is padding and the model's logits depend on it.

    Example:
        >>> tiny = {"model_type": "bert", "vocab_size": 20, "hidden_size": 8,
        ...         "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        >>> model = TransformersClassifier(tiny, num_classes=3)
        >>> ids = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]])
        >>> embeddings = model.embed(ids)
        >>> model(embeddings, attention_mask=(ids != 0).long()).shape
        torch.Size([2, 3])
    """

    def __init__(self, model: Any, num_classes: int | None = None, **kwargs: Any) -> None:
        super().__init__()
        self.model = _make_model(model, num_classes, kwargs)
        if self.model.config.is_encoder_decoder:
            raise ValueError(
                f"{type(self.model).__name__} is an encoder-decoder and takes no embeddings: use "
                "an encoder such as BERT or a decoder such as GPT-2"
            )
        # the head of the models that classify by their last token
        self._reads_last_token = isinstance(getattr(self.model, "score", None), nn.Linear)
        self._padding_matters = not self._ignores_padding()

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return int(self.model.config.num_labels)

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings ``(B, L, D)`` of token ids ``(B, L)``, without those of the positions."""
        embeddings: Tensor = self.model.get_input_embeddings()(ids)
        return embeddings

    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits ``(B, C)`` of embeddings ``(B, L, D)``, or of token ids ``(B, L)``."""
        if not inputs.is_floating_point():
            inputs = self.embed(inputs)
        if inputs.ndim != 3:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}: embeddings (B, L, D) or ids (B, L) are "
                "expected"
            )
        if attention_mask is None:
            attention_mask = inputs.new_ones(inputs.shape[:2], dtype=torch.long)
        if attention_mask.shape != inputs.shape[:2]:
            raise ValueError(
                f"attention_mask has shape {tuple(attention_mask.shape)}: "
                f"{tuple(inputs.shape[:2])} is expected"
            )
        if self._padding_matters and not bool(attention_mask.all()):
            raise ValueError(
                f"the logits of {type(self.model).__name__} depend on padding when it is given "
                "embeddings: give it batches of texts of one length, without padding"
            )
        return self._logits(inputs, attention_mask)

    def _logits(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        if not self._reads_last_token:
            logits: Tensor = self.model(inputs_embeds=embeddings, attention_mask=mask).logits
            return logits
        hidden = self.model.base_model(
            inputs_embeds=embeddings, attention_mask=mask, use_cache=False
        ).last_hidden_state
        last = (mask.long() * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
        rows = torch.arange(len(hidden), device=mask.device)
        of_last: Tensor = self.model.score(hidden[rows, last])
        return of_last

    @torch.no_grad()
    def _ignores_padding(self) -> bool:
        """Whether the logits of a text stay the same when a padding token follows it."""
        weight = self.model.get_input_embeddings().weight
        if weight.is_meta:
            return True  # no values to try it with
        text = weight[torch.arange(3, device=weight.device) % len(weight)][None]
        padded = torch.cat([text, text[:, :1]], dim=1)
        mask = torch.ones(padded.shape[:2], dtype=torch.long, device=weight.device)
        mask[:, -1] = 0
        with eval_mode(self):
            short, long = self._logits(text, mask[:, :-1]), self._logits(padded, mask)
        return bool((short - long).abs().max() <= 1e-3 * short.abs().max())


def _make_model(model: Any, num_classes: int | None, kwargs: dict[str, Any]) -> Any:
    try:
        from transformers import (
            AutoConfig,
            AutoModelForSequenceClassification,
            PretrainedConfig,
            PreTrainedModel,
        )
    except ImportError as error:
        raise ImportError(
            "TransformersClassifier needs transformers: pip install 'pear-lightning[text]'"
        ) from error

    factory: Any = AutoModelForSequenceClassification
    how = {"attn_implementation": "eager", "dtype": torch.float32}
    if isinstance(model, str):
        labels = {} if num_classes is None else {"num_labels": num_classes}
        return factory.from_pretrained(model, **labels, **how, **kwargs)
    if kwargs:
        raise TypeError(f"{sorted(kwargs)} are only for pretrained weights, by name")
    if isinstance(model, dict):
        if "model_type" not in model:
            raise ValueError(f"the configuration has no model_type; it has {sorted(model)}")
        model = AutoConfig.for_model(**model)
    if isinstance(model, PretrainedConfig):
        model = copy.deepcopy(model)
        model.num_labels = num_classes or model.num_labels
        return factory.from_config(model, **how)
    if not isinstance(model, PreTrainedModel):
        raise TypeError(
            f"model is a {type(model).__name__}: a name, a configuration or a model from "
            "transformers is expected"
        )
    if num_classes not in (None, model.config.num_labels):
        raise ValueError(
            f"num_classes is {num_classes}, but the model has {model.config.num_labels} classes"
        )
    finished: Any = model
    finished.set_attn_implementation("eager")
    return finished.float()
