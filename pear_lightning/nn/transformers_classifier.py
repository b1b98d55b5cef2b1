"""Text classifiers from transformers, explained at their token embeddings."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from pear_lightning.functional.validation import check_count
from pear_lightning.nn.text_classifier import TextClassifier, embedded_ids
from pear_lightning.nn.token_pooling import last_token, positions_from_first_token
from pear_lightning.scoring.eval_mode import eval_mode


class TransformersClassifier(TextClassifier):
    """Text classifier from transformers, explained at its token embeddings.

    Token ids have no gradient, so the embeddings of the tokens are explained: call :meth:`embed`
    once and pass the result to ``explain`` with the attention mask::

        embeddings = model.embed(ids)
        explain(model, embeddings, target, explainers, forward_kwargs={"attention_mask": mask})

    Weights are float32. Attention is that of torch (``sdpa``) if the model supports it: fused,
    except in explanations that train the model, which take second derivatives. Padding on either
    side does not change the logits: models number positions from the start of the row, so padding
    in front of a text is moved behind it; and classifiers that read the last token (GPT-2, Llama
    and similar models) read the last token that is not padding, which transformers itself does not
    do for embeddings. The gradient at a padding token is zero.

    Shapes:
        - ``inputs``: ``(B, L, D)`` float embeddings, or ``(B, L)`` long token ids
        - ``attention_mask``: ``(B, L)``, 1 for a token and 0 for padding
        - ``token_type_ids``: ``(B, L)`` long, for models that have them, such as BERT
        - ``logits``: ``(B, C)``

    Args:
        model: The name of a model on the Hugging Face hub or a folder, for pretrained weights; a
            configuration (``PretrainedConfig``, or a dictionary with ``model_type``), for random
            weights; or a model for sequence classification, which is used directly and converted to
            float32.
        num_classes: Number of classes. ``None`` keeps the number of ``model``. The last layer is
            new if pretrained weights have another number of classes.
        gradient_checkpointing: Whether to compute hidden states again in the backward pass of the
            task loss instead of keeping them. Explanations are computed in eval mode, in which
            transformers does not do this.
        kwargs: Other arguments of ``from_pretrained``, such as ``revision`` or ``cache_dir``.

    Raises:
        ImportError: If transformers is not installed.
        TypeError: If ``model`` is none of these.
        ValueError: If ``num_classes`` is below 1, if the model is an encoder-decoder, which takes
            no embeddings, if a shape does not fit, a text is longer than the model allows, or there
            is padding and the logits of the model depend on it.

    Example:
        >>> tiny = {"model_type": "bert", "vocab_size": 20, "hidden_size": 8,
        ...         "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        >>> model = TransformersClassifier(tiny, num_classes=3)
        >>> ids = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]])
        >>> embeddings = model.embed(ids)
        >>> model(embeddings, attention_mask=(ids != 0).long()).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        model: Any,
        num_classes: int | None = None,
        gradient_checkpointing: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if num_classes is not None:
            check_count("num_classes", num_classes)
        self.model = _make_model(model, num_classes, kwargs)
        if self.model.config.is_encoder_decoder:
            raise ValueError(
                "model must be an encoder such as BERT or a decoder such as GPT-2, got "
                f"{type(self.model).__name__}, an encoder-decoder, which takes no embeddings"
            )
        if gradient_checkpointing:
            # renamed in transformers 5.24
            new_name = getattr(self.model, "activation_checkpointing_enable", None)
            (new_name or self.model.gradient_checkpointing_enable)()
        self.max_tokens = _number_of_positions(self.model)
        # the head of models that classify by their last token
        self._reads_last_token = isinstance(getattr(self.model, "score", None), nn.Linear)
        self._padding_matters = not self._ignores_padding()

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return int(self.model.config.num_labels)

    @override
    def embed(self, ids: Tensor) -> Tensor:
        return embedded_ids(self.model.get_input_embeddings(), ids)

    @override
    def classify(
        self,
        embeddings: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        if attention_mask is None:
            attention_mask = embeddings.new_ones(embeddings.shape[:2], dtype=torch.long)
        if self._padding_matters and not bool(attention_mask.all()):
            raise ValueError(
                f"attention_mask must be all ones for {type(self.model).__name__}, whose logits "
                "depend on padding if it is given embeddings, got zeros; use batches of texts of "
                "one length"
            )
        # models number positions from the start of the row, padding included
        order = positions_from_first_token(attention_mask)
        embeddings = embeddings.gather(1, order[..., None].expand_as(embeddings))
        attention_mask = attention_mask.gather(1, order)
        kinds = (
            {} if token_type_ids is None else {"token_type_ids": token_type_ids.gather(1, order)}
        )
        return self._logits(embeddings, attention_mask, **kinds)

    def _logits(self, embeddings: Tensor, mask: Tensor, **kinds: Tensor) -> Tensor:
        texts = {"inputs_embeds": embeddings, "attention_mask": mask, **kinds}
        if not self._reads_last_token:
            logits: Tensor = self.model(**texts).logits
            return logits
        hidden = self.model.base_model(**texts, use_cache=False).last_hidden_state
        of_last: Tensor = self.model.score(last_token(hidden, mask))
        return of_last

    @torch.no_grad()
    def _ignores_padding(self) -> bool:
        """Whether the logits of a text are unchanged when a padding token is appended."""
        weight = self.model.get_input_embeddings().weight
        if weight.is_meta:
            return True  # no values for the check
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
    # without attn_implementation, transformers takes "sdpa" if the model supports it, else "eager"
    how = {"dtype": torch.float32}
    if isinstance(model, str):
        # a head for another number of classes is replaced by a new one, as in timm
        labels: dict[str, Any] = {}
        if num_classes is not None:
            labels = {"num_labels": num_classes, "ignore_mismatched_sizes": True}
        # in eval mode, in which a Trainer would leave it
        return factory.from_pretrained(model, **{**labels, **how, **kwargs}).train()
    if kwargs:
        raise TypeError(
            "kwargs must be empty unless model is the name of pretrained weights, got "
            f"{sorted(kwargs)}"
        )
    if isinstance(model, dict):
        if "model_type" not in model:
            raise ValueError(
                f"model must have the key 'model_type' if it is a dictionary, got {sorted(model)}"
            )
        model = AutoConfig.for_model(**model)
    if isinstance(model, PretrainedConfig):
        model = copy.deepcopy(model)
        model.num_labels = model.num_labels if num_classes is None else num_classes
        return factory.from_config(model, **how)
    if not isinstance(model, PreTrainedModel):
        raise TypeError(
            "model must be a name, a configuration or a model from transformers, got "
            f"{type(model).__name__}"
        )
    if num_classes not in (None, model.config.num_labels):
        raise ValueError(
            f"num_classes must be {model.config.num_labels}, as in the model, got {num_classes}"
        )
    finished: Any = model
    if finished.config._attn_implementation not in ("eager", "sdpa"):
        finished.set_attn_implementation("eager")  # other kernels have no second derivative
    return finished.float()


def _number_of_positions(model: Any) -> int | None:
    """Return the largest length for which the model has position embeddings, if it has a table."""
    for name, module in model.base_model.named_modules():
        if name.split(".")[-1] in ("position_embeddings", "wpe") and type(module) is nn.Embedding:
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return int(module.num_embeddings) - offset
    return None
