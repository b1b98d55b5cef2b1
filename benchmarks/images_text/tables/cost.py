"""What a step costs, and the pictures."""

from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown

TITLES = {
    "resnet18": "ResNet-18, 224 pixels",
    "vit_small_patch16_224": "ViT-S, 224 pixels",
    "minilm": "MiniLM, 128 tokens",
}


def cost_table(costs: Runs) -> str:
    """Seconds of a plain step, times of the others relative to it, and memory."""
    variants = list(costs[0]["seconds"])
    header = ["network", "device", "batch", "plain, s", *variants[1:]]
    rows = []
    for cost in costs:
        plain, start = cost["seconds"]["plain"], [TITLES[cost["network"]], cost["device"]]
        ratios = [f"{cost['seconds'][name] / plain:.2f}" for name in variants[1:]]
        rows.append([*start, cost["batch_size"], f"{plain:.3f}", *ratios])
        memory = cost.get("megabytes")
        if memory:
            cells = [f"{memory[name]:.0f} MB" if name in memory else "–" for name in variants]
            rows.append(["", "", "", *cells])
    return markdown(header, rows)


FULL_EPOCH = 391
"""Steps of an epoch of the whole CIFAR-10 with batches of 128."""


def pictures_table(pictures: Runs) -> str:
    """Share of an epoch that AttributionPictures takes; the first one also loads matplotlib.

    The last column is about what the second pictures are of an epoch of the whole training set, at
    the measured time of a step with its part of the validation.
    """
    header = [
        "network",
        "device",
        "steps",
        "epoch, s",
        "pictures, s",
        "share",
        "of 391 steps, about",
    ]
    rows = []
    for each in pictures:
        for number, (epoch, drawn) in enumerate(
            zip(each["epoch_seconds"], each["pictures_seconds"], strict=True)
        ):
            full = (epoch - drawn) / each["steps"] * FULL_EPOCH
            rows.append(
                [
                    each["network"],
                    each["device"],
                    f"{each['steps']}, epoch {number + 1}",
                    f"{epoch:.1f}",
                    f"{drawn:.2f}",
                    f"{100 * drawn / epoch:.2f} %",
                    f"{100 * drawn / (full + drawn):.2f} %" if number else "–",
                ]
            )
    return markdown(header, rows)
