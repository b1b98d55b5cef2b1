"""A callback that ranks the explainer that a module trains among other explainers."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, distributed
from typing_extensions import override

from pear_lightning.explainers import RandomAttributions
from pear_lightning.explainers.prior_sets import (
    Prior,
    Priors,
    PriorSet,
    explain_with_priors,
    named_priors,
    prior_set,
)
from pear_lightning.metrics import ExplainerRanking, FaithfulnessSuite
from pear_lightning.modules import AmortizedModule
from pear_lightning.modules.prior_explanations import SuiteCallable
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.scorer import predicted_classes
from pear_lightning.training.per_loader import loader_suffixes
from pear_lightning.training.reference_data import fit_explainers


class ExplainerComparison(Callback):
    """Score the explainer that a module has trained, and others, when the module is tested.

    All explainers explain the class that the module explains (the predicted one, if it explains all
    classes), for the same samples; they are scored
    by the ten metrics of a :class:`~pear_lightning.metrics.FaithfulnessSuite` and ranked by the
    mean of their ranks. The table is printed, and the mean score by each metric, the mean rank and
    the place of the module's explainer are logged (``test_deletion``, ``test_mean_rank``,
    ``test_place``), for each data loader separately. A random explainer is part of every
    comparison, as the chance level.

    Args:
        explainers: Name of a set of :func:`~pear_lightning.explainers.prior_set`, or the other
            explainers by name or as a list: a :class:`~pear_lightning.explainers.Prior`, or an
            explainer, which then explains the centred logit.
        suite: Callable from a masker and the names of the explainers to the suite of metrics.
        name: Name of the module's explainer in the table.
        n_resamples: Number of draws of the bootstrap intervals.

    Raises:
        TypeError: If the module is not an :class:`~pear_lightning.modules.AmortizedModule`.
        ValueError: If a name occurs twice.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.modules import DeepFaith
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> comparison = ExplainerComparison("model_free", n_resamples=10)
        >>> trainer = Trainer(accelerator="cpu", logger=False, callbacks=[comparison],
        ...                   enable_progress_bar=False)
        >>> model = DeepFaith(MLP(4), ExplainerMLP(4), ColumnMasker(4))
        >>> loader = torch.utils.data.DataLoader(torch.rand(8, 4), batch_size=4)
        >>> _ = trainer.test(model, loader, verbose=False)  # doctest: +ELLIPSIS
        explainer ...
        >>> len(comparison.ranking.explainers), comparison.ranking.n_samples
        (8, 8)
    """

    def __init__(
        self,
        explainers: PriorSet | Priors = "model_free",
        *,
        suite: SuiteCallable = FaithfulnessSuite,
        name: str = "learned",
        n_resamples: int = 1000,
    ) -> None:
        self.explainers: PriorSet | dict[str, Prior] = (
            explainers if isinstance(explainers, str) else named_priors("explainers", explainers)
        )
        self.suite = suite
        self.name = name
        self.n_resamples = n_resamples
        self._rankings: list[ExplainerRanking | None] = []
        self._priors: dict[str, Prior] = {}
        self._suite: FaithfulnessSuite | None = None
        self._scores: list[list[dict[str, Tensor]]] = []  # of each data loader

    @property
    def ranking(self) -> ExplainerRanking:
        """The ranking of the last test, of its first data loader.

        Raises:
            RuntimeError: If there was none.
        """
        return self.ranking_of(0)

    def ranking_of(self, loader: int) -> ExplainerRanking:
        """Return the ranking of a data loader of the last test.

        Args:
            loader: Index of the data loader.

        Raises:
            RuntimeError: If there was none.
        """
        ranking = self._rankings[loader] if loader < len(self._rankings) else None
        if ranking is None:
            raise RuntimeError(
                "a test must have been run before its ranking is read, got none of data loader "
                f"{loader}"
            )
        return ranking

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prepare the explainers and the metrics."""
        if not isinstance(pl_module, AmortizedModule):
            raise TypeError(
                "the module must be an AmortizedModule, which trains an explainer, got "
                f"{type(pl_module).__name__}; use rank_explainers for other explainers"
            )
        masker = pl_module.explainer.masker
        given = self.explainers
        priors = prior_set(given, masker) if isinstance(given, str) else given.copy()
        priors.setdefault("random", Prior(RandomAttributions(seed=0, per_sample=True)))
        if self.name in priors:
            raise ValueError(f"name must differ from those of the explainers, got {self.name!r}")
        self._priors = {self.name: Prior(pl_module.explainer), **priors}
        others = [prior.explainer.to(pl_module.device) for prior in priors.values()]
        fit_explainers(trainer, others, pl_module.device)
        self._suite = self.suite(masker, list(self._priors)).to(pl_module.device)
        self._scores = [[] for _ in trainer.num_test_batches]
        self._rankings = []

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Explain and score a batch."""
        assert isinstance(pl_module, AmortizedModule)
        assert self._suite is not None
        forward = pl_module.target_model
        read = pl_module.explaining(pl_module.batch_of(batch))
        if read.target is None:  # all classes are explained
            read = read.explaining(predicted_classes(forward, read))
        if any(prior.explainer.needs_floating_inputs for prior in self._priors.values()):
            read = embedded(read, forward)
        with torch.autocast(pl_module.device.type, enabled=False):
            attributions = explain_with_priors(forward, read, self._priors)
            scores = self._suite.score(
                forward,
                read.inputs,
                attributions,
                read.classes,
                forward_kwargs=read.forward_kwargs,
                masker_kwargs=read.masker_kwargs,
            )
        self._scores[dataloader_idx].append({name: each.cpu() for name, each in scores.items()})

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Rank the explainers over the samples of all processes, print and log."""
        of_loaders = self._scores
        self._scores = []
        if trainer.world_size > 1:
            of_ranks: list[Any] = [None] * trainer.world_size
            distributed.all_gather_object(of_ranks, of_loaders)
            of_loaders = [
                [part for parts in of_loader for part in parts]
                for of_loader in zip(*of_ranks, strict=True)
            ]
        self._rankings = [self._rank(parts) for parts in of_loaders]
        suffixes = loader_suffixes(len(self._rankings))
        for number, (ranking, suffix) in enumerate(zip(self._rankings, suffixes, strict=True)):
            if ranking is None:
                continue
            # numbers, not tensors on the CPU, which NCCL cannot reduce
            values = {
                metric: float(means[0])
                for metric, means in zip(ranking.metrics, ranking.means, strict=True)
            }
            values["mean_rank"] = float(ranking.mean_rank[0])
            values["place"] = 1.0 + ranking.order.index(0)
            for name, value in values.items():
                pl_module.log(
                    f"test_{name}{suffix}", value, sync_dist=True, add_dataloader_idx=False
                )
            self._print(ranking, f"data loader {number}" if suffix else "")

    def _rank(self, parts: list[dict[str, Tensor]]) -> ExplainerRanking | None:
        assert self._suite is not None
        if not parts:
            return None
        return ExplainerRanking.from_scores(
            {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]},
            list(self._priors),
            self._suite.directions,
            n_resamples=self.n_resamples,
        )

    @rank_zero_only
    def _print(self, ranking: ExplainerRanking, title: str) -> None:
        if title:
            print(title)
        print(ranking.to_table())
