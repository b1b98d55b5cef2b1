"""What the metrics that read a removal curve share."""

from abc import ABC
from typing import Any, ClassVar, Literal

from pear_lightning.functional.curves import reverse_curve
from pear_lightning.functional.faithfulness_curves import CurveValue, perturbation_area
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from pear_lightning.scoring.probes import Empty, Original, Probe, RemovalCurve
from pear_lightning.scoring.readings import Readings

Ends = Literal["both", "last", "none"]


class CurveMetric(FaithfulnessMetric, ABC):
    """An area under the curve of the output while features are removed; see its subclasses.

    Args:
        masker: What the features are, and what stands in the place of a removed one.
        n_steps: Number of steps m of the curve, each one evaluation of the model; None, or more
            steps than features, for one feature at a time.
        ends: Which ends of the curve belong to the area: ``"both"``, the ``"last"`` (the start
            does not count: the curve begins after the first step), or ``"none"``.
        normalize: Whether to divide the area by the width of the curve, so that it is a mean
            height and a curve of ones has area 1.
        value: Height of the curve: the explained ``"score"``, its ``"ratio"`` to the score of the
            sample, or the ``"accuracy"``: 1 where the target is the predicted class.
        freeze: Whether the curve stays at its value from the first step on at which the predicted
            class is no longer the target.
        **kwargs: See :class:`FaithfulnessMetric`.
    """

    least_first: ClassVar[bool] = False
    inserting: ClassVar[bool] = False

    def __init__(
        self,
        masker: Masker,
        n_steps: int | None = 50,
        *,
        ends: Ends = "both",
        normalize: bool = True,
        value: CurveValue = "score",
        freeze: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(masker, **kwargs)
        check_choice("ends", ends, ("both", "last", "none"))
        check_choice("value", value, ("score", "ratio", "accuracy"))
        self.probe = RemovalCurve(n_steps, least_first=self.least_first)
        self.ends: Ends = ends
        self.normalize = normalize
        self.value: CurveValue = value
        self.freeze = freeze

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The sample, the sample without any feature, and the steps between them."""
        return Original(), self.probe, Empty()

    def reduce(self, readings: Readings) -> PerSample:
        """Return the area of each row, ``(R,)``."""
        if self.value == "accuracy" and readings.n_classes < 2:
            raise ValueError("value='accuracy' needs a model with at least 2 classes, got 1")
        curve = readings.curve(self.probe)
        scores, hits = curve.scores, curve.hits
        fractions = readings.removed_fractions(self.probe).to(scores.dtype)
        if self.inserting:
            scores, fractions = reverse_curve(scores, fractions)
            hits = hits.flip(1)
        return perturbation_area(
            scores,
            fractions,
            hits,
            value=self.value,
            freeze=self.freeze,
            include_start=self.ends == "both",
            include_end=self.ends != "none",
            normalize=self.normalize,
            original=readings.original[:, 0],
        )
