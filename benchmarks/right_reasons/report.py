"""The report of the right-reasons benchmark."""

from functools import partial
from pathlib import Path

from benchmarks.right_reasons.figures.looked_at import draw_looked_at
from benchmarks.right_reasons.figures.sweep import draw_sweep
from benchmarks.right_reasons.figures.toy import draw_toy
from benchmarks.right_reasons.tables.cost import cost_table
from benchmarks.right_reasons.tables.family import family_table
from benchmarks.right_reasons.tables.find import find_table
from benchmarks.right_reasons.tables.known_numbers import golden_table
from benchmarks.right_reasons.tables.missing import missing
from benchmarks.right_reasons.tables.sweep import sweep_table
from benchmarks.right_reasons.tables.toy import toy_table
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.json_files import read_json
from benchmarks.shared.report import notes_of, write_readme


def write_report(runs: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    figures = {
        "looked_at": partial(draw_looked_at, output=output),
        "toy": partial(draw_toy, runs=runs),
        "sweep": partial(draw_sweep, runs=runs),
    }
    save_figures(figures, output)
    cost = output / "cost.json"
    cpu = sum(run["cpu_seconds"] for run in runs) / 60

    def figure(name: str, title: str) -> str:
        return f"![{title}]({name}.png)" if (output / f"{name}.png").exists() else ""

    parts = [
        "# Right for the right reasons",
        "Written by `benchmarks/right_reasons` from `runs.jsonl`. Mean ± half the width of the "
        "95 % interval over seeds (Student's t). Networks, initialisation, optimiser, raw inputs "
        "and unshuffled batches are the paper's unless a section says otherwise. Gradients are of "
        "the predicted class's log-probability, of the first 2,000 test rows; WR (wrong reason) is "
        "the share of the block above the mean activation.",
        notes_of(output).strip(),
        figure("looked_at", "What each model looks at on Decoy MNIST"),
        "## 1. Known numbers",
        "References are the authors' own, or (measured, m.) those of an independent run of the "
        "same protocol.",
        golden_table(runs),
        "## 2. Decoy MNIST over λ",
        figure("sweep", "Accuracy over the weight"),
        sweep_table(runs),
        "## 3. Toy Colors: which rule",
        figure("toy", "Share of the rules over weight and annotations"),
        toy_table(runs),
        "## 4. Find another explanation",
        "No annotation: each model is kept from what the models before it look at (c = .67), "
        "trained by `FindAnotherExplanation`. All models of a sequence are trained here; the last "
        "column says in how many runs the module's own rule would have ended the sequence there.",
        find_table(runs),
        "## 5. The family on Decoy MNIST",
        "One hidden layer of 512, PyTorch's initialisation, pixels 0 to 1, shuffled, Adam 1e-3, "
        "batch 256. Every loss is masked and averaged over the batch: `rrr`, the sum of the "
        "log-probabilities, squared; `label`, the label's log-probability; `predicted`, the "
        "predicted class's; `logits_l2`, the sum of the logits, L2 norm; `rrr_l1`, L1 norm; "
        "`expected`, expected gradients of the label with one reference, L1; `r4`, bounds of the "
        "label's gradient over a box of ±.1; `pgd_r4`, the gradient at the worst point that two "
        "steps find in it; `ibp_ex`, the bounded worst case of cross-entropy in it, or in one of "
        "±1; `cdep`, contextual decomposition; `rand_r4`, the largest change of the label's "
        "gradient at five random points of it; `rbr`, influence with the identity for the Hessian; "
        "`energy`, the share of the positive input x gradient of the label; `counterexamples`, "
        "`corm` and `pgd_ex`, cross-entropy of copies whose blocks are drawn anew, noisy (σ = 1) "
        "or moved adversarially (by up to 1). Weights were chosen by two epochs of another seed "
        "and on the test set, where they were chosen at all: the table ranks nothing. "
        "Best published: R4, .970 macro and .948 worst class.",
        family_table(runs, "family"),
        "## 6. The family on decoy Fashion-MNIST",
        family_table(runs, "fashion"),
        "## 7. Losses of a layer",
        "Decoy MNIST, a convolutional network on patches of 4 x 4 pixels; its last map is 7 x 7. "
        "`rrr_g` punishes the Grad-CAM of the predicted class on the block; `simplified_hint` "
        "and `hint` ask for the label's Grad-CAM where the ink is. The rest as in section 5.",
        family_table(runs, "cnn"),
        "## 8. Masks of less quality",
        "As in section 5, `rrr`, λ = 1.",
        family_table(runs, "masks"),
        "## 9. Cost of a step",
        cost_table(read_json(cost)) if cost.exists() else "Not run.",
        "CPU time on one thread. “By hand” is the same loss by two calls of autograd without any "
        "check, eager. Compiled by `torch.compile` are the losses, the plain one too.",
        f"## 10. What was not run\n\n{missing(runs)}\n\n{len(runs)} runs, {cpu:.0f} minutes of CPU "
        "time in all.",
    ]
    write_readme(parts, output)
