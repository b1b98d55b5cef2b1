"""The network for images."""

from torch import Tensor, nn


class ImageCNN(nn.Module):
    """Two convolutions and two linear layers, for images of 28 x 28."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.25), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(B, 10)`` of images ``(B, 1, 28, 28)``."""
        # no nn.Flatten: Captum's LRP has no rule for it
        logits: Tensor = self.classifier(self.features(inputs).flatten(1))
        return logits
