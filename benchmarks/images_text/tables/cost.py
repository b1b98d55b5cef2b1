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


def pictures_table(pictures: Runs) -> str:
    """Share of a fit that AttributionPictures takes."""
    header = ["network", "device", "training images", "epochs", "fit, s", "pictures, s", "share"]
    return markdown(
        header,
        (
            [
                each["network"],
                each["device"],
                each["training_images"],
                each["epochs"],
                f"{each['seconds']:.1f}",
                f"{each['pictures_seconds']:.2f}",
                f"{100 * each['share']:.2f} %",
            ]
            for each in pictures
        ),
    )
