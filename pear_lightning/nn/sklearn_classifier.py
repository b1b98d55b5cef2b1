"""A classifier of scikit-learn as a model to explain."""

from contextlib import suppress
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn


class SklearnClassifier(nn.Module):
    """A classifier with the interface of scikit-learn, such as XGBoost's, as a model to explain.

    It maps rows of a table to the logarithms of the predicted probabilities, which serve as logits.
    Column c of the logits is class c: a class that the classifier was not fitted to has the
    smallest probability. It has no weights and no gradient, so only methods that evaluate the model
    can explain it. It runs on the CPU.

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
        probabilities = self.estimator.predict_proba(inputs.detach().cpu().numpy())
        found = torch.as_tensor(probabilities, dtype=torch.float32)
        classes = self._classes()
        placed = found.new_zeros(len(found), int(classes.max()) + 1)
        placed[:, classes] = found
        return placed.clamp(min=self.smallest).log().to(inputs.device)

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
