"""What is measured on a trained network."""

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from benchmarks.images_text.data import batches_of, masker_of, measured_rows
from benchmarks.images_text.settings import CURVE_STEPS, MEASURED_NODES, SUBSETS, Problem
from pear_lightning.explainers import (
    Explainer,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Occlusion,
)
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.agreement import agreement_of_ranked, rank_saliency
from pear_lightning.masking import Masker
from pear_lightning.metrics import CommonShare, FaithfulnessSuite
from pear_lightning.modules import PEAR

TRAINED = ("input_x_gradient", "integrated_gradients")
OUTPUT = "centered_logit"


def explainers_of(problem: Problem, masker: Masker) -> dict[str, Explainer]:
    """Return the explainers that are compared: the trained pair, and two that were not trained.

    Args:
        problem: The problem.
        masker: The features.
    """
    return {
        "input_x_gradient": InputXGradient(),
        "integrated_gradients": IntegratedGradients(MEASURED_NODES, baseline="zeros"),
        "occlusion": Occlusion(masker=masker),
        "kernel_shap": KernelShap(problem.coalitions, masker=masker),
    }


@torch.no_grad()
def test_logits(module: PEAR, data: Any) -> tuple[Tensor, Tensor]:
    """Return logits and labels of all test rows.

    Args:
        module: The trained module.
        data: The data module.
    """
    module.eval()
    logits, labels = [], []
    for rows in data.test_dataloader():
        batch = module.batch_of(rows)
        logits.append(module.run_backbone(batch))
        labels.append(batch.labels)
    return torch.cat(logits), torch.cat(labels)


def agreements(saliency: dict[str, Tensor], present: Tensor | None) -> dict[str, Tensor]:
    """Return the pairwise rank agreement of each pair of explanations, ``(B,)`` each.

    Args:
        saliency: ``(B, n)`` by name.
        present: Features that a sample has, or ``None`` for all.
    """
    ranked = {name: rank_saliency(each, None, present=present) for name, each in saliency.items()}
    return {
        f"{a} / {b}": agreement_of_ranked("pairwise_rank_agreement", ranked[a], ranked[b])
        for a, b in combinations(ranked, 2)
    }


def with_another(saliency: dict[str, Tensor]) -> float:
    """Return the agreement of an explanation with that of the next sample, by the same explainer.

    Explanations that do not depend on the sample agree as well as any, so this is the control of
    agreement: for maps of equal shape only.

    Args:
        saliency: ``(B, n)`` by name.
    """
    values = []
    for each in saliency.values():
        pair = [rank_saliency(rows, None) for rows in (each, each.roll(1, 0))]
        values.append(agreement_of_ranked("pairwise_rank_agreement", *pair).mean())
    return float(torch.stack(values).mean())


def measure(problem: Problem, module: PEAR, data: Any) -> dict[str, Any]:
    """Return everything that the report shows of a network.

    Args:
        problem: The problem.
        module: The trained module.
        data: The data module.

    Returns:
        Means, and ``samples``: for each explained sample its numbers.
    """
    logits, labels = test_logits(module, data)
    share = CommonShare(logits.shape[1])
    share.update(logits)
    masker = masker_of(problem, data)
    explainers = explainers_of(problem, masker)
    suite = FaithfulnessSuite(
        masker, list(explainers), n_steps=CURVE_STEPS, n_subsets=SUBSETS, subset_size=0.2
    )
    samples: dict[str, list[Tensor]] = {}
    others = []
    torch.manual_seed(0)  # the same masks for every network

    def keep(name: str, values: Tensor) -> None:
        samples.setdefault(name, []).append(values)

    for rows in batches_of(data, measured_rows(problem, data)):
        batch = module.explained(module.batch_of(rows))
        truth = batch.labels
        with torch.no_grad():
            probabilities = module.run_backbone(batch).softmax(dim=1)
        confidence, predicted = probabilities.max(dim=1)
        batch = batch.explaining(predicted)
        with torch.no_grad():
            _, found = explain_batch(
                module.backbone, batch, list(explainers.values()), output=OUTPUT
            )
        bound = masker.bind(batch.inputs, batch.sample_data)
        pooled = [bound.pool(each.detach()) for each in found]
        saliency = dict(zip(explainers, pooled, strict=True))
        present = bound.present_if_some_lack
        for pair, values in agreements(saliency, present).items():
            keep(f"agreement {pair}", values)
        if problem.data == "cifar10":
            others.append(with_another(saliency))
        scores = suite.score(
            module.backbone,
            batch.inputs,
            saliency,
            predicted,
            forward_kwargs=batch.forward_kwargs,
            masker_kwargs=batch.masker_kwargs,
        )
        for metric, of_explainers in scores.items():
            keep(f"faithfulness {metric}", of_explainers.mean(dim=0))
        keep("features", bound.present.sum(dim=1))
        keep("confidence", confidence)
        keep("predicted", predicted)
        keep("right", (predicted == truth).long())
    columns = {name: torch.cat(parts) for name, parts in samples.items()}
    record = {
        "accuracy": round(100 * float((logits.argmax(dim=1) == labels).double().mean()), 2),
        "common_share": round(float(share.compute()), 4),
        "higher_is_better": suite.directions,
        "samples": {name: _rounded(values) for name, values in columns.items()},
    }
    if others:
        record["with_another"] = round(sum(others) / len(others), 4)
    return record


def _rounded(values: Tensor) -> list[float] | list[int]:
    if not values.is_floating_point():
        return [int(each) for each in values]
    return [float(f"{each:.4g}") for each in values]
