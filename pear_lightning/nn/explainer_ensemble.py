"""Several explainer networks as one, for the uncertainty of an explanation."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.functional.rebuilding import Rebuildable
from pear_lightning.functional.shares import shares
from pear_lightning.scoring.eval_mode import eval_mode


class ExplainerEnsemble(Rebuildable, nn.Module):
    """The mean of the scores of several explainer networks, and their spread.

    :class:`~pear_lightning.modules.CXPlain` trains each member on another bootstrap sample, so that
    the spread shows how far an explanation depends on the training rows.

    Args:
        networks: The members: networks of one kind, each with its own initial weights.

    Raises:
        ValueError: If there is no member.

    Shapes:
        - inputs: ``(B, *S)``
        - output: as the members return it, ``(B, n)`` or ``(B, n, C)``

    Example:
        >>> from pear_lightning.nn import ExplainerMLP
        >>> ensemble = ExplainerEnsemble([ExplainerMLP(4) for _ in range(5)])
        >>> low, high = ensemble.interval(torch.rand(3, 4))
        >>> low.shape, bool((low <= high).all())
        (torch.Size([3, 4]), True)
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        if not networks:
            raise ValueError("networks must hold at least one network, got none")
        self.networks = nn.ModuleList(networks)
        self._only: int | None = None

    def init_args(self) -> dict[str, Any]:
        """Return the members."""
        return {"networks": list(self.networks)}

    @property
    def uses_target(self) -> bool:
        """Whether the explained class is an input of a member."""
        return any(bool(getattr(each, "uses_target", False)) for each in self.networks)

    @property
    def num_classes(self) -> int | None:
        """Number of classes of the members, if they name it."""
        return getattr(self.networks[0], "num_classes", None)

    @property
    def takes_ids(self) -> bool:
        """Whether inputs must be token ids."""
        return bool(getattr(self.networks[0], "takes_ids", False))

    @property
    def scale(self) -> str | None:
        """Range of the scores of the members, if they name it."""
        return getattr(self.networks[0], "scale", None)

    @contextmanager
    def only(self, number: int) -> Iterator[None]:
        """Return the scores of one member instead of the mean.

        Args:
            number: Number of the member.
        """
        self._only = number
        try:
            yield
        finally:
            self._only = None

    def forward(
        self,
        inputs: Tensor,
        *,
        attention_mask: Tensor | None = None,
        target: Tensor | None = None,
        side: Tensor | None = None,
        active: Tensor | None = None,
    ) -> Tensor:
        """Return the mean scores.

        Args:
            inputs: Inputs, ``(B, *S)``.
            attention_mask: Passed to the members, if given.
            target: Passed to the members, if given.
            side: Passed to the members, if given.
            active: Features that can have a score, ``(B, n)`` bool. Scores that sum to 1 do so over
                these features, in each member; ``None`` for all.
        """
        arguments = {"attention_mask": attention_mask, "target": target, "side": side}
        given = {name: value for name, value in arguments.items() if value is not None}
        chosen = self.networks if self._only is None else [self.networks[self._only]]
        return self._scores(chosen, inputs, active, given).mean(dim=0)

    @torch.no_grad()
    def interval(
        self, inputs: Tensor, level: float = 0.9, *, active: Tensor | None = None, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return quantiles of the members' scores between which a share of them lies, in eval mode.

        Args:
            inputs: Inputs, ``(B, *S)``.
            level: The share, in (0, 1).
            active: See :meth:`forward`.
            **kwargs: Further arguments of the members.

        Raises:
            ValueError: If the share is out of range.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie in (0, 1), got {level}")
        with eval_mode(self):
            scores = self._scores(self.networks, inputs, active, kwargs)
        tail = (1 - level) / 2
        return scores.quantile(tail, dim=0), scores.quantile(1 - tail, dim=0)

    def _scores(
        self,
        networks: Iterable[nn.Module],
        inputs: Tensor,
        active: Tensor | None,
        arguments: dict[str, Any],
    ) -> Tensor:
        """Return the scores of some members, ``(M, B, n)`` or ``(M, B, n, C)``."""
        scores = [each(inputs, **arguments) for each in networks]
        if active is not None and self.scale == "softmax":
            scores = [shares(each, active) for each in scores]
        return torch.stack(scores)
