"""What is measured on a trained network."""

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.right_reasons.data import make_data
from benchmarks.right_reasons.gradients import gradients, looked_at, predict
from benchmarks.right_reasons.setting import Setting
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.metrics import AttributionInside, WrongReason

EXPLAINED_ROWS = 2000
_CORNERS, _TOP_MIDDLE = [0, 4, 20, 24], [1, 2, 3]


def measure(
    backbone: nn.Module, setting: Setting, data: Any, seed: int, data_dir: str | None
) -> dict[str, Any]:
    """Return accuracies, and where the model looks.

    Args:
        backbone: The trained network.
        setting: How it was trained.
        data: Its data.
        seed: Seed of the run.
        data_dir: Folder of the files.
    """
    train, test = data.rows("train"), data.rows("test")
    predicted = predict(backbone, test.inputs)
    classes = [
        float((predicted[test.target == each] == each).double().mean())
        for each in range(data.num_classes)
    ]
    result: dict[str, Any] = {
        "train": _share(predict(backbone, train.inputs) == train.target),
        "test": _share(predicted == test.target),
        "classes": [round(each, 4) for each in classes],
    }
    part = AnnotatedDataset(*test.__getitems__(list(range(min(EXPLAINED_ROWS, len(test))))))
    if setting.data == "iris":
        # columns of iris as they are: how well the model does with them, and how much it uses them
        kept = make_data(setting, seed, data_dir, test_iris="kept").rows("test")
        result["test_in"] = _share(predict(backbone, kept.inputs) == kept.target)
        marked = looked_at(gradients(backbone, kept.inputs))
        result["iris_share"] = _share_of(marked[:, :4].sum(), marked.sum())
    gradient = gradients(backbone, part.inputs)
    if setting.data == "toy":
        pixels = looked_at(gradient).view(len(part), 25, 3).any(dim=2)
        for name, places in {"corners": _CORNERS, "top_middle": _TOP_MIDDLE}.items():
            some = pixels.any(dim=1)
            inside = pixels[:, places].sum(dim=1)[some] / pixels.sum(dim=1)[some]
            result[name] = float(inside.double().mean())
    elif bool(part.mask.any()):
        wrong, share = WrongReason(), AttributionInside()
        wrong.update(gradient, part.mask)
        share.update(gradient, part.mask)
        result["wrong_reason"] = float(wrong.compute())
        result["threshold"] = float(wrong.threshold_used())
        result["without_score"] = float(wrong.undefined_share())
        result["inside"] = float(share.compute())
    log_p = torch.log_softmax(backbone(part.inputs).detach().double(), dim=1)
    result["entropy"] = float(-(log_p.exp() * log_p).sum(dim=1).mean())
    return result


def _share(correct: Tensor) -> float:
    return float(correct.double().mean())


def _share_of(part: Tensor, whole: Tensor) -> float:
    return float(part / whole) if whole else 0.0
