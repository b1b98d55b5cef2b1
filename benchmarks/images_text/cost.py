"""What a training step of PEAR costs on networks of usual size, and by which levers less."""

import contextlib
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.images_text.networks import minilm_folder
from benchmarks.shared.machine import machine
from benchmarks.shared.memory import growth_here, growth_in_fresh_processes, growth_on_gpu
from benchmarks.shared.timing import clock, interleaved
from benchmarks.shared.training_step import Step, training_step
from pear_lightning.explainers import InputXGradient, IntegratedGradients
from pear_lightning.masking import PatchMasker, TokenMasker
from pear_lightning.modules import PEAR
from pear_lightning.nn import TransformersClassifier, timm_model

NETWORKS = ("resnet18", "vit_small_patch16_224", "minilm")
TOKENS = 128
BATCH = {"cpu": 8, "cuda": 64}


@dataclass(frozen=True)
class Variant:
    """How a step is taken.

    Attributes:
        weight: λ; 0 is a plain step.
        nodes: Nodes of integrated gradients; the query points are these and the input.
        rows: Share of the rows that is explained.
        points: Query points in one pass.
        bf16: Whether the step runs under bfloat16 autocast.
        checkpointing: Whether the task loss computes hidden states again.
    """

    weight: float = 0.2
    nodes: int = 3
    rows: float | None = 0.125
    points: int | None = None
    bf16: bool = False
    checkpointing: bool = False


VARIANTS: dict[str, Variant] = {
    "plain": Variant(weight=0.0),
    "shipped: 3 nodes, 1/8 of the rows": Variant(),
    "all rows": Variant(rows=None),
    "1/4 of the rows": Variant(rows=0.25),
    "1 node": Variant(nodes=1),
    "one point in a pass": Variant(points=1),
    "gradient checkpointing": Variant(checkpointing=True),
    "plain, bf16": Variant(weight=0.0, bf16=True),
    "shipped, bf16": Variant(bf16=True),
}


def step_of(network: str, variant: Variant, device: str, batch_size: int) -> Step:
    """Return one training step of a variant.

    Args:
        network: Name of the network.
        variant: The variant.
        device: ``"cpu"`` or ``"cuda"``.
        batch_size: Rows of a batch.
    """
    torch.manual_seed(0)
    batch: Any
    if network == "minilm":
        backbone: Any = TransformersClassifier(
            minilm_folder(), num_classes=4, gradient_checkpointing=variant.checkpointing
        )
        masker: Any = TokenMasker(special_token_ids=[101, 102], pad_token_id=0)
        ids = torch.randint(1000, 20000, (batch_size, TOKENS))
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        batch |= {"labels": torch.randint(4, (batch_size,))}
        batch = {name: each.to(device) for name, each in batch.items()}
    else:
        backbone = timm_model(network, num_classes=10, gradient_checkpointing=variant.checkpointing)
        masker = PatchMasker(16)
        images = torch.randn(batch_size, 3, 224, 224)
        batch = (images.to(device), torch.randint(10, (batch_size,)).to(device))
    module = PEAR(
        backbone,
        variant.weight,
        explainers={
            "input_x_gradient": InputXGradient(),
            "integrated_gradients": IntegratedGradients(variant.nodes, baseline="zeros"),
        },
        masker=masker,
        rows=variant.rows,
        points_per_pass=variant.points,
        num_classes=4 if network == "minilm" else 10,
    ).to(device)
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), 1e-5)

    def loss() -> torch.Tensor:
        context: Any = contextlib.nullcontext()
        if variant.bf16:
            context = torch.autocast(device, torch.bfloat16)
        with context:
            return module.training_loss(batch)["loss"]

    return training_step(optimizer, loss)


def measure_cost(network: str, device: str, repetitions: int, *, memory: bool) -> dict[str, Any]:
    """Return times and memory of the steps of a network.

    Args:
        network: Name of the network.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Steps of each variant, after one that is not timed on a GPU.
        memory: Whether to measure memory, on a CPU in a process for each variant.

    Returns:
        A record that can be written as JSON.
    """
    batch_size = BATCH[device]
    steps: dict[str, Callable[[], Any]] = {
        name: step_of(network, variant, device, batch_size) for name, variant in VARIANTS.items()
    }
    if device == "cuda":
        for step in steps.values():
            step()
    times = interleaved(steps, repetitions, clock(device), seconds=float("inf"))
    record = {"network": network, "batch_size": batch_size, "repetitions": repetitions}
    record["seconds"] = {
        name: round(statistics.median(values), 4) for name, values in times.items()
    }
    record |= machine(device)
    if memory:
        record["megabytes"] = {
            name: round(peak, 1)
            for number, name in enumerate(VARIANTS)
            if (peak := _memory(network, number, device, steps[name])) is not None
        }
    return record


def _memory(network: str, number: int, device: str, step: Step) -> float | None:
    if device == "cuda":
        return growth_on_gpu(step)
    return growth_in_fresh_processes("images_text", [network, str(number)], 1)


def growth(network: str, number: int) -> float:
    """Return by how much a step raises the peak of this process's resident memory, in MB.

    Args:
        network: Name of the network.
        number: Number of the variant.
    """
    variant = [*VARIANTS.values()][number]
    step = step_of(network, variant, "cpu", BATCH["cpu"])
    small = step_of(network, variant, "cpu", 1)
    return growth_here(step, small)
