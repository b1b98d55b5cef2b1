"""What became of prior explanations, and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pear_lightning.functional.aligned_text import aligned_text


@dataclass
class SupervisionReport:
    """Counts of prior explanations that were kept, and the cost of making and scoring them.

    Attributes:
        methods: Names of the K prior explainers.
        metrics: Names of the M metrics.
        samples: Number of samples.
        candidates: Samples in which each method is left after the removal of duplicates, ``(K,)``.
        survivors: Samples in which each method passes all thresholds, ``(K,)``; includes those kept
            by the rule for samples without survivor.
        undefined: Undefined scores of each method and metric, ``(K, M)``.
        without: Samples for which no candidate passed.
        dropped: Samples without any explanation, at most ``without``.
        evaluations: Rows at which the explained model was evaluated.
        seconds: Time spent, by stage.

    Example:
        >>> report = SupervisionReport(["lime", "occlusion"], ["deletion"])
        >>> one = torch.tensor([[True, True]])
        >>> report.add(one, one, torch.tensor([[[False], [True]]]), torch.tensor([False]))
        >>> print(report.to_table())
        method     candidate  survivor  undefined scores
        lime         100.0 %   100.0 %             0.0 %
        occlusion    100.0 %   100.0 %           100.0 %
        1 samples, 2.00 survivors each; 0 without survivor, of which 0 dropped
    """

    methods: Sequence[str]
    metrics: Sequence[str]
    samples: int = 0
    candidates: Tensor = field(init=False)
    survivors: Tensor = field(init=False)
    undefined: Tensor = field(init=False)
    without: int = 0
    dropped: int = 0
    evaluations: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set the counts to 0."""
        self.candidates = torch.zeros(len(self.methods), dtype=torch.long)
        self.survivors = self.candidates.clone()
        self.undefined = torch.zeros(len(self.methods), len(self.metrics), dtype=torch.long)

    def add(
        self, candidates: Tensor, survivors: Tensor, undefined: Tensor, without: Tensor
    ) -> None:
        """Add the samples of a batch.

        Args:
            candidates: ``(B, K)`` bool.
            survivors: ``(B, K)`` bool.
            undefined: ``(B, K, M)`` bool.
            without: ``(B,)`` bool.
        """
        self.samples += len(candidates)
        self.candidates += candidates.sum(dim=0).cpu()
        self.survivors += survivors.sum(dim=0).cpu()
        self.undefined += undefined.sum(dim=0).cpu()
        self.without += int(without.sum())
        self.dropped += int((~survivors.any(dim=1)).sum())

    def add_cost(self, evaluations: int, seconds: dict[str, float]) -> None:
        """Add the cost of a batch.

        Args:
            evaluations: Rows at which the explained model was evaluated.
            seconds: Time spent, by stage.
        """
        self.evaluations += evaluations
        for stage, spent in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent

    def to_table(self) -> str:
        """Return the counts as aligned text, with a line for the whole and one for the cost."""
        if not self.samples:
            return "no samples"
        rows = [["method", "candidate", "survivor", "undefined scores"]]
        for number, method in enumerate(self.methods):
            of_scores = self.undefined[number].sum() / (self.samples * len(self.metrics))
            shares = (
                self.candidates[number] / self.samples,
                self.survivors[number] / self.samples,
                of_scores,
            )
            rows.append([method, *(f"{100 * float(share):.1f} %" for share in shares)])
        lines = [
            aligned_text(rows),
            f"{self.samples} samples, {int(self.survivors.sum()) / self.samples:.2f} survivors "
            f"each; {self.without} without survivor, of which {self.dropped} dropped",
        ]
        if self.evaluations:
            spent = ", ".join(
                f"{stage} {1000 * seconds / self.samples:.3g} ms"
                for stage, seconds in self.seconds.items()
            )
            each = self.evaluations / self.samples
            lines.append(f"per sample: {each:.1f} evaluations of the model, {spent}")
        return "\n".join(lines)
