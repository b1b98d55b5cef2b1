"""Find-another-explanation: models that are right for different reasons."""

from pear_lightning.modules.find_another_explanation.module import FindAnotherExplanation

__all__ = ["FindAnotherExplanation"]
