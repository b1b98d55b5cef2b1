"""The report of the benchmark on images and texts."""

from functools import partial
from pathlib import Path

from benchmarks.images_text.figures.agreement import draw_agreement
from benchmarks.images_text.figures.cost import draw_cost
from benchmarks.images_text.figures.faithfulness import draw_faithfulness
from benchmarks.images_text.figures.within_classes import draw_samples, draw_within
from benchmarks.images_text.settings import PROBLEMS, TITLES
from benchmarks.images_text.tables.cost import cost_table, pictures_table
from benchmarks.images_text.tables.faithfulness import faithfulness_table
from benchmarks.images_text.tables.models import models_table
from benchmarks.images_text.tables.within_classes import metrics_table, within_table
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.finished_runs import Runs, read_runs
from benchmarks.shared.report import notes_of, write_readme


def write_report(runs: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    costs = read_runs(output / "cost.jsonl")
    pictures = read_runs(output / "pictures.jsonl")
    figures = {
        "agreement": partial(draw_agreement, runs=runs),
        "faithfulness": partial(draw_faithfulness, runs=runs),
        "within_classes": partial(draw_within, runs=runs),
        "samples": partial(draw_samples, runs=runs),
        "cost": partial(draw_cost, costs=costs),
    }
    save_figures(figures, output)

    def figure(name: str, title: str) -> str:
        return f"![{title}]({name}.png)" if (output / f"{name}.png").exists() else ""

    drawn = sorted(path.stem for path in output.glob("explained_*.png"))
    cpu = sum(run["cpu_seconds"] for run in runs) / 60
    parts = [
        "# PEAR on images and texts",
        "Written by `benchmarks/images_text` from `runs.jsonl`, `cost.jsonl` and `pictures.jsonl`: "
        "`python -m benchmarks.images_text --data-dir <folder>` (see the top of `__main__.py`). "
        "Mean ± half the width of the 95 % interval over three seeds (Student's t) unless another "
        "number is given. Networks are small and training is short, because each run has to fit "
        f"into a few minutes of one processor: {_sizes()}. Accuracy is far below what these data "
        "sets allow.",
        notes_of(output).strip(),
        "## 1. Accuracy and agreement",
        "All explainers explain the predicted class's centred logit. Agreement is the pairwise "
        "rank agreement (chance .5) over patches of 4 x 4 pixels or tokens. The trained pair is "
        "input x gradient with integrated gradients; the other pairs add occlusion and KernelSHAP, "
        "which were not trained. *With another sample* is the agreement with the explanation of "
        "the next image by the same explainer: explanations that ignore the image would raise it. "
        "*Common share* is the variance of what all logits have in common, relative to what "
        "differs. PEAR is λ = .2 on an eighth of the rows, as in the shipped configurations, but "
        "at least eight rows.",
        figure("agreement", "Agreement of each method"),
        models_table(runs) if runs else "Not run.",
        "## 2. Does agreement buy faithfulness, between models?",
        "Each metric is averaged over the four explainers and the test samples. Plain training: "
        "the value; PEAR: its difference from plain training with the same seed. Metrics read the "
        "probability; arrows show the better direction.",
        figure("faithfulness", "Differences in faithfulness"),
        faithfulness_table(runs) if runs else "Not run.",
        "## 3. Does agreement predict faithfulness, between samples?",
        "Within one model and predicted class: the probability that of two samples, one above and "
        "one below the class's median faithfulness (mean rank of the ten metrics), the former has "
        "the higher agreement among the four explainers (AUROC; .5 = no use), beside that of the "
        "model's confidence, which costs nothing. Occlusion is what two of the metrics (FE, MC) "
        "compare with, so agreement with it is in part faithfulness by another name: the gradient "
        "pair alone, input x gradient with integrated gradients, knows nothing of removals. Both "
        "agreement and faithfulness may depend on the number of words: the shortness of a text is "
        "a predictor without any explanation. The "
        "last columns compare samples in the same third of the confidence of their class only: "
        "what agreement says beyond confidence. Two of the ten metrics are copies of others with "
        "these settings (NEG of INS, POS of DEL), and curves of the probability start where the "
        "model's confidence is: high for INS, and bad for DEL.",
        figure("within_classes", "AUROC of agreement and of confidence"),
        within_table(runs) if runs else "Not run.",
        "For each metric alone, over all models:",
        metrics_table(runs) if runs else "",
        figure("samples", "Agreement and faithfulness of single samples"),
        "## 4. Cost of a training step",
        "Times a plain step, on one core by processor time, and memory beyond what was there "
        "before, where it was measured. The dotted line is the aim of 2.5 plain steps.",
        figure("cost", "Cost of a training step"),
        cost_table(costs) if costs else "Not run.",
        "## 5. Cost of the pictures",
        "`AttributionPictures` of 8 samples in every epoch of ResNet-18 on CIFAR-10 (32 pixels, "
        "batches of 128, validation on 1,000 images), by integrated gradients over patches.",
        pictures_table(pictures) if pictures else "Not run.",
        "## 6. Explanations",
        "\n\n".join(f"![{name.replace('_', ' ')}]({name}.png)" for name in drawn),
        "## 7. What was not run",
        f"{len(runs)} runs, {cpu:.0f} minutes of CPU time in all. Not run: {_missing(runs)}.",
    ]
    write_readme(parts, output)


def _sizes() -> str:
    return "; ".join(
        f"{TITLES[name]}: {each.epochs} epochs of at most {each.steps} batches of "
        f"{each.batch_size}, {each.samples} explained test samples"
        for name, each in PROBLEMS.items()
    )


def _missing(runs: Runs) -> str:
    done = {(run["problem"], run["method"], run["seed"]) for run in runs}
    left = [
        f"{problem} {method} seed {seed}"
        for problem in PROBLEMS
        for method in ("plain", "PEAR")
        for seed in range(3)
        if (problem, method, seed) not in done
    ]
    return ", ".join(left) or "nothing"
