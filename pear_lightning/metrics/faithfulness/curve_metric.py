"""Base class of the metrics that read a removal curve."""

import warnings
from abc import ABC
from typing import Any, ClassVar

from pear_lightning.functional.curve_options import (
    CURVE_VALUES,
    ENDS,
    CurveValue,
    Ends,
    area_options,
)
from pear_lightning.functional.curves import reverse_curve
from pear_lightning.functional.faithfulness_curves import perturbation_area
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from pear_lightning.scoring.probes import Empty, Original, Probe, RemovalCurve
from pear_lightning.scoring.readings import Readings


class CurveMetric(FaithfulnessMetric, ABC):
    """An area under the curve of the output while features are removed; see its subclasses.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_steps: Number of steps m of the curve, each one evaluation of the model; None, or more
            steps than features, for one feature at a time.
        ends: Ends of the curve that belong to the area: ``"both"``, the ``"last"``, or ``"none"``;
            this and the next three are explained in
            :class:`~pear_lightning.functional.curve_options.CurveOptions`.
        normalize: Whether to divide the area by the width of the curve.
        value: Height of the curve.
        freeze: Whether the curve keeps its value after a change of the predicted class. A model
            with one output predicts no class: its curves are not frozen, and a warning says so.
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
        check_choice("ends", ends, ENDS)
        check_choice("value", value, CURVE_VALUES)
        self.probe = RemovalCurve(n_steps, least_first=self.least_first)
        self.ends: Ends = ends
        self.normalize = normalize
        self.value: CurveValue = value
        self.freeze = freeze
        self._warns_of_one_output = freeze

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The sample, the sample without any feature, and the steps between the two."""
        return Original(), self.probe, Empty()

    @property
    def needs_hits(self) -> bool:
        """Whether the value is an accuracy, or freezes when the predicted class changes."""
        return self.freeze or self.value == "accuracy"

    def reduce(self, readings: Readings) -> PerSample:
        """Return the area of each row, ``(R,)``."""
        if self.value == "accuracy" and readings.n_classes < 2:
            raise ValueError(
                "value must be 'score' or 'ratio' for a model with one class, got 'accuracy'; give "
                "a model with at least 2 classes"
            )
        if self._warns_of_one_output and readings.n_classes < 2:
            self._warns_of_one_output = False  # warn once
            warnings.warn(
                f"{type(self).__name__} got freeze=True and a model with one output, which has no "
                "predicted class that could change: its curve is not frozen, and the value is that "
                "of freeze=False",
                stacklevel=2,
            )
        curve = readings.curve(self.probe)
        scores, hits = curve.scores, curve.hits
        fractions = readings.removed_fractions(self.probe).to(scores.dtype)
        if self.inserting:
            scores, fractions = reverse_curve(scores, fractions)
            hits = None if hits is None else hits.flip(1)
        return perturbation_area(
            scores,
            fractions,
            hits,
            value=self.value,
            freeze=self.freeze,
            original=readings.original[:, 0],
            **area_options(self.ends, self.normalize),
        )
