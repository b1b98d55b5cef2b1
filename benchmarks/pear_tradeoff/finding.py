"""The page on what agreement of logits is about."""

from pathlib import Path

from benchmarks.pear_tradeoff.records import group, groups
from benchmarks.pear_tradeoff.tables.cells import (
    accuracy,
    aligned,
    both_scalars,
    mean_of,
    price,
    share,
)
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown

SETTINGS = ("plain", "logit, gradients λ=0.25", "logit, gradients λ=0.35")
CENTRED_SETTINGS = ("gradients λ=0.25", "gradients λ=0.35")
PAPER = ("paper λ=0", "paper λ=0.5", "paper, centred, λ=0.5")


def _faithfulness_estimate(runs: Runs, output: str) -> str:
    return mean_of(runs, lambda run: run["faithfulness"][output]["faithfulness_estimate"])


def finding_table(runs: Runs, settings: tuple[str, ...]) -> str:
    """Write agreement and faithfulness by both scalars, and what both logits have in common.

    Args:
        runs: Records of the finished runs.
        settings: Names of the settings.
    """
    rows = [
        [
            title,
            name,
            len(chosen),
            accuracy(chosen),
            price(runs, chosen),
            share(chosen),
            *both_scalars(aligned, chosen),
            *both_scalars(_faithfulness_estimate, chosen),
        ]
        for title, name, chosen in groups(runs, settings)
    ]
    header = ["data", "setting", "seeds", "accuracy, %", "against weight 0", "common share"]
    header += ["PRA, logit", "PRA, centred", "FE, logit", "FE, centred"]
    return markdown(header, rows)


def write_finding(runs: Runs, output: Path) -> None:
    """Write ``agreement_of_logits.md`` into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``finding_notes.md`` in it is the text of the page.
    """
    notes = output / "finding_notes.md"
    if not group(runs, "bank", "plain") and not group(runs, "bank", "paper λ=0"):
        return
    text = notes.read_text(encoding="utf-8") if notes.exists() else ""
    tables = {
        "BEYOND": finding_table(runs, (*SETTINGS, *CENTRED_SETTINGS)),
        "PAPER": finding_table(runs, PAPER),
    }
    for name, table in tables.items():
        text = text.replace(f"<!-- {name} -->", table)
    (output / "agreement_of_logits.md").write_text(text, encoding="utf-8")
