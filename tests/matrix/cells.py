"""What the cells of the matrix share: modules, callbacks, one step of training and validation."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader

from pear_lightning.callbacks import AgreementMonitor, AttributionPictures, FaithfulnessMonitor
from pear_lightning.explainers import InputXGradient, IntegratedGradients, KernelShap
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.masking import Masker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.modules import PEAR, RightForTheRightReasons, ScoresActivationModule
from pear_lightning.nn import FeatureGate
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from tests.modules.helpers import quiet_trainer, sgd

PRECISIONS = ("32-true", "bf16-mixed")
METHODS = ("pear", "pear by copies", "right reasons")
CALLBACKS = ("pictures", "agreement", "faithfulness")
CLASSES = 3


class Plain(LightningModule):
    """A module of somebody else that trains a network; ids are embedded by the network."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, inputs: Tensor, **kwargs: Tensor) -> Tensor:
        logits: Tensor = self.backbone(inputs, **kwargs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        read = Batch.of(batch)
        return F.cross_entropy(self(read.inputs, **read.forward_kwargs), read.labels)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return sgd(self.parameters())


class Gradients(Callback):
    """Keeps the gradients of the backbone's weights."""

    def __init__(self) -> None:
        self.found: dict[str, Tensor] = {}

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        named = pl_module.backbone.named_parameters()
        self.found = {n: p.grad.clone() for n, p in named if p.grad is not None}


def pair() -> dict[str, Any]:
    return {
        "product": InputXGradient(),
        "integrated": IntegratedGradients(2, baseline="zeros"),
    }


def all_explainers(masker: Masker) -> dict[str, Any]:
    return {**pair(), "shap": KernelShap(12, seed=0, masker=masker)}


def trained_by(method: str, backbone: nn.Module, masker: Masker) -> Any:
    """Return a module without the task loss, so that all gradients come from explanations."""
    options: dict[str, Any] = {"num_classes": CLASSES, "optimizer": sgd}
    if method == "right reasons":
        module: Any = RightForTheRightReasons(backbone, 1.0, masker=masker, **options)
    else:
        explainers = pair() if method == "pear" else {
            "shap": KernelShap(12, seed=0, masker=masker),
            "more": KernelShap(12, seed=1, masker=masker),
        }  # fmt: skip
        options |= {"explainers": explainers, "test_explainers": explainers, "top_k": 2}
        module = PEAR(backbone, 1.0, masker=masker, **options)
    module.task_loss = lambda logits, target: 0 * logits.float().sum()
    return module


def gated(backbone: nn.Module, gate: FeatureGate, place: str | None = None) -> Any:
    return ScoresActivationModule(backbone, gate, place=place, num_classes=CLASSES, optimizer=sgd)


def callback_of(name: str, masker: Masker) -> Any:
    if name == "pictures":
        return AttributionPictures(masker, pair(), samples=2)
    if name == "agreement":
        return AgreementMonitor(masker, all_explainers(masker), top_k=2, rows=3)
    return FaithfulnessMonitor(masker, pair(), rows=2, n_steps=3, n_subsets=6, subset_size=0.3)


def fit(module: Any, batch: Any, precision: str, *callbacks: Callback, **options: Any) -> Any:
    """Train and validate one step; return the trainer and the gradients of the step."""
    gradients = Gradients()
    trainer = quiet_trainer(
        max_epochs=1,
        precision=precision,
        callbacks=[gradients, *callbacks],
        num_sanity_val_steps=0,
        **options,
    )
    loader: DataLoader[Any] = DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
    trainer.fit(module, loader, loader)
    return trainer, gradients.found


def check_gradients(gradients: Mapping[str, Tensor], first: str) -> None:
    """Raise unless all gradients are finite and the first layer has one."""
    assert gradients
    assert all(each.isfinite().all() for each in gradients.values())
    reached = [name for name, each in gradients.items() if each.abs().max() > 0]
    assert any(name.startswith(first) for name in reached), reached


def check_logged(trainer: Any) -> None:
    """Raise unless logged values are finite; a ratio to a task loss of 0 is not."""
    logged = {n: v for n, v in trainer.callback_metrics.items() if n != "train_ratio"}
    assert len(logged) > 3
    assert all(value.isfinite() for value in logged.values()), logged


def explained(network: nn.Module, batch: Any, explainers: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the batch, with embeddings, and its attributions by name."""
    read = embedded(Batch.of(batch), network)
    with torch.no_grad():
        _, found = explain_batch(network, read, list(explainers.values()), output="centered_logit")
    return read, dict(zip(explainers, found, strict=True))


def scored(network: nn.Module, read: Batch, saliency: Mapping[str, Tensor], masker: Masker) -> Any:
    suite = FaithfulnessSuite(masker, list(saliency), n_steps=3, n_subsets=6, subset_size=0.3)
    return suite.score(
        network,
        read.inputs,
        saliency,
        read.target,
        forward_kwargs=read.forward_kwargs,
        masker_kwargs=read.masker_kwargs,
    )


def saliency_and_scores(
    network: nn.Module, batch: Any, masker: Masker
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return saliency ``(B, n)`` and faithfulness ``(E, B)`` by name."""
    read, found = explained(network, batch, all_explainers(masker))
    bound = masker.bind(read.inputs, read.sample_data)
    saliency = {name: bound.pool(each) for name, each in found.items()}
    return saliency, scored(network, read, saliency, masker)


def close(found: Tensor, wanted: Tensor, precision: str) -> None:
    """Compare relative to the largest value; other shapes of batches round bfloat16 differently."""
    size = wanted.abs().max().clamp(min=1e-12)
    tolerance = 1e-3 if precision == "32-true" else 0.15
    torch.testing.assert_close(found / size, wanted / size, rtol=0, atol=tolerance)
