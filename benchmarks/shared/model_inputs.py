"""What a network takes."""

from torch import Tensor, nn

from benchmarks.shared.text_cnn import TextCNN
from benchmarks.shared.word_ids import PADDING


def model_inputs(model: nn.Module, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what a network takes: inputs to explain, and its keyword arguments."""
    if isinstance(model, TextCNN):
        return model.embed(inputs), {"attention_mask": inputs != PADDING}
    return inputs, {}
