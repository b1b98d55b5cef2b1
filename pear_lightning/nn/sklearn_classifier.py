"""A classifier of scikit-learn as a model to explain."""

import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

from pear_lightning.functional.hashed_random import hashed_uniform

_PROBES = 128  # rows at which two fits are compared


class SklearnClassifier(nn.Module):
    """A classifier with the interface of scikit-learn, such as XGBoost's, as a model to explain.

    It maps rows of a table to the logarithms of the predicted probabilities, which serve as logits.
    Column c of the logits is class c: a class that the classifier was not fitted to has the
    smallest probability. It has no weights and no gradient, so only methods that evaluate the model
    can explain it. It runs on the CPU. Give an estimator that is fitted in each run a
    ``random_state``, so that stored explanations of an earlier run are of the same model.

    Args:
        estimator: A classifier with ``predict_proba``, fitted to class indices or not fitted; or
            its import path, such as ``"sklearn.ensemble.HistGradientBoostingClassifier"``.
        arguments: Arguments of the classifier, if its import path is given.
        smallest: Lower bound of the probabilities, whose logarithm is then finite.

    Raises:
        TypeError: If the estimator has no ``predict_proba``.
        RuntimeError: When called, if it is not fitted.
        ValueError: When called, if it was fitted to labels that are no class indices.

    Shapes:
        - inputs: ``(B, n)``
        - logits: ``(B, C)``, float32, where C - 1 is the largest class it was fitted to

    Example:
        >>> model = SklearnClassifier("sklearn.naive_bayes.GaussianNB")
        >>> inputs = torch.randn(50, 3)
        >>> total = model.fit(inputs, (inputs[:, 0] > 0).long())(inputs).exp().sum(dim=1)
        >>> bool((total - 1).abs().max() < 1e-5)
        True
    """

    def __init__(
        self, estimator: Any, arguments: dict[str, Any] | None = None, smallest: float = 1e-6
    ) -> None:
        super().__init__()
        if isinstance(estimator, str):
            module, _, name = estimator.rpartition(".")
            estimator = getattr(import_module(module), name)(**arguments or {})
        elif arguments:
            raise TypeError(
                f"arguments must be None unless estimator is an import path, got {arguments}"
            )
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                "estimator must have predict_proba, got "
                f"{type(estimator).__name__}; choose a classifier that predicts probabilities"
            )
        self.estimator = estimator
        self.smallest = smallest

    @property
    def is_fitted(self) -> bool:
        """Whether the classifier has been fitted."""
        return hasattr(self.estimator, "classes_")

    def fit(self, inputs: Tensor, target: Tensor) -> "SklearnClassifier":
        """Fit the classifier and return this model.

        Args:
            inputs: Rows, ``(N, n)``.
            target: Classes ``0 .. C - 1``, ``(N,)``.
        """
        self.estimator.fit(inputs.cpu().numpy(), target.cpu().numpy())
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logarithms of probabilities ``(B, C)`` of rows ``(B, n)``."""
        if not self.is_fitted:
            raise RuntimeError(
                "estimator must be fitted before it is explained, got an unfitted "
                f"{type(self.estimator).__name__}; call fit(inputs, target)"
            )
        return self._probabilities(inputs).clamp(min=self.smallest).log().to(inputs.device)

    def fitted_checksum(self) -> int | None:
        """Return a number that identifies what the classifier has learned, in any process.

        It is computed from probabilities to four decimals at 128 fixed rows of several magnitudes:
        a pickle of the same classifier differs between processes, and after predictions. Two fits
        that agree there have the same number.

        Returns:
            ``None`` if the classifier is not fitted, does not say how many columns it takes, or
            refuses such rows.
        """
        if not self.is_fitted:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the rows are far from those of the data
            try:
                found = self._probabilities(_probes(int(self.estimator.n_features_in_)))
            except Exception:  # of any library: categories, for example, may not be negative
                return None
        return crc32((1e4 * found.nan_to_num()).round().to(torch.int16).numpy().tobytes())

    def _probabilities(self, inputs: Tensor) -> Tensor:
        """Return the probability of each class, ``(B, C)``, float32, on the CPU."""
        probabilities = self.estimator.predict_proba(inputs.detach().cpu().numpy())
        found = torch.as_tensor(probabilities, dtype=torch.float32)
        classes = self._classes()
        placed = found.new_zeros(len(found), int(classes.max()) + 1)
        placed[:, classes] = found
        return placed

    def _classes(self) -> Tensor:
        """Return the class index of each column of the classifier's probabilities, ``(K,)``."""
        with suppress(TypeError, ValueError):
            found = torch.tensor(self.estimator.classes_)
            classes = found.long()
            if found.ndim == 1 and bool((classes == found).all()) and int(classes.min()) >= 0:
                return classes
        raise ValueError(
            "estimator must be fitted to class indices 0, 1, ..., got the classes "
            f"{self.estimator.classes_!s}; fit it to the number of each class"
        )

    def extra_repr(self) -> str:
        """Return the classifier for ``repr``."""
        return repr(self.estimator)


def _probes(n_columns: int) -> Tensor:
    """Return rows between 0.1 and 100,000 in size, one size for a row or for each value."""
    values, sizes = hashed_uniform(torch.arange(_PROBES), torch.arange(2), n_columns)
    half = _PROBES // 2
    sizes[:half] = sizes[:half, :1]
    rows: Tensor = (2 * values - 1) * torch.pow(10, 6 * sizes - 1)
    return rows
