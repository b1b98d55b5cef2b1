"""Base class of callbacks that explain batches of validation and test."""

from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from pear_lightning.callbacks.explained_network import explained_network
from pear_lightning.callbacks.own_randomness import OwnRandomness
from pear_lightning.explainers import Explainer, IntegratedGradients
from pear_lightning.explainers.explainer_sets import Explainers, named_explainers
from pear_lightning.masking import Masker
from pear_lightning.scoring.batch import Batch, form_of
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward
from pear_lightning.training.reference_data import fit_explainers


class ExplainingCallback(Callback):
    """Base class of callbacks that explain batches of validation and test.

    It reads batches, fits reference data of explainers and of the masker, and gives stochastic
    explainers random numbers of their own, so that the training is unchanged.

    Args:
        explainers: Explainers by name, or a list, which are named after their classes
            (``integrated_gradients``); ``None`` is integrated gradients from zero.
        least: Smallest number of explainers.
        masker: Defines the features.
        output: Scalar that is explained.
        model: Name of the submodule or method of the module that is explained, such as ``"net"``;
            ``None`` is the module's ``forward``.
        batch_to_inputs: Extracts from a batch a :class:`~pear_lightning.scoring.Batch` or anything
            that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; ``None`` if it reads the
            batch itself.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If there are too few explainers, or the output is unknown.
    """

    def __init__(
        self,
        explainers: Explainers | None,
        *,
        least: int = 1,
        masker: Masker | None = None,
        output: OutputName | OutputFunction = "centered_logit",
        model: str | None = None,
        batch_to_inputs: Callable[[Any], Any] | None = None,
    ) -> None:
        if batch_to_inputs is not None and not callable(batch_to_inputs):
            raise TypeError(f"batch_to_inputs must be a function, got {batch_to_inputs!r}")
        if masker is not None and not isinstance(masker, Masker):
            raise TypeError(
                "masker must be a Masker, such as PatchMasker(4), or None, got "
                f"{masker!r}; other arguments have names"
            )
        resolve_output(output)
        if explainers is None:
            explainers = {"integrated_gradients": IntegratedGradients()}
        self.explainers = named_explainers("explainers", explainers, least=least)
        self.masker = masker
        self.output = output
        self.model = model
        self.batch_to_inputs = batch_to_inputs
        self.randomness = OwnRandomness()

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Fit the masker to the training mean of the data module, if it needs it."""
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        masker = self.masker
        if masker is not None and masker.baseline.from_training_data:
            mean = getattr(datamodule, "training_mean", None)
            if mean is not None:
                masker.fit(mean)

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit reference data of explainers to the training data."""
        self._fit(trainer, pl_module, afresh=trainer.ckpt_path is None)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit missing reference data, if the data module has them."""
        self._fit(trainer, pl_module)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit missing reference data, if the data module has them."""
        self._fit(trainer, pl_module)

    def network(self, module: LightningModule) -> Forward:
        """Return the network of the module that is explained.

        Args:
            module: The module.
        """
        return explained_network(module, self.model, type(self).__name__)

    def embedder(self, module: LightningModule) -> object:
        """Return what embeds token ids: the network, or the backbone of the module.

        Args:
            module: The module.
        """
        network = self.network(module)
        return getattr(module, "backbone", module) if network is module else network

    def read(self, batch: Any) -> Batch:
        """Read a batch of a loader.

        Args:
            batch: The batch.

        Raises:
            TypeError: If it has another form.
        """
        parts = batch if self.batch_to_inputs is None else self.batch_to_inputs(batch)
        try:
            return Batch.of(parts)
        except (TypeError, ValueError) as error:
            name = type(self).__name__
            raise TypeError(
                "batch must have inputs (B, *S) and, for most uses, target (B,) for "
                f"{name}, got {form_of(parts)}; give {name}(..., batch_to_inputs=lambda batch: "
                f"...), which returns (inputs, target) or a Batch ({error})"
            ) from error

    def _fit(self, trainer: Trainer, module: LightningModule, *, afresh: bool = False) -> None:
        explainers: Mapping[str, Explainer] = self.explainers
        fit_explainers(
            trainer,
            explainers.values(),
            module.device,
            afresh=afresh,
            inputs_of=lambda batch: self.read(batch).inputs,
        )
        for explainer in explainers.values():
            explainer.to(module.device)
