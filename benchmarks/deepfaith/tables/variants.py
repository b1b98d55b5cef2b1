"""One explainer at a time in the field of the priors and controls: choice, ablations, samples."""

from typing import Any

from benchmarks.deepfaith.settings import DEFINITIONS, HELD_OUT
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics.faithfulness.short_names import SHORT_NAMES


def variant_table(variants: dict[str, Any], title: str) -> str:
    """Return mean ranks and ranks by metric of variants, each alone in the field.

    Args:
        variants: Standings by name.
        title: Title of the first column.
    """
    rows = []
    for name, each in variants.items():
        library, deepfaith = (each[definition] for definition in DEFINITIONS)
        ranks = [f"{rank:g}" for rank in library["ranks"].values()]
        rows.append([name, _standing(library), _standing(deepfaith), *ranks])
    first = next(iter(variants.values()))[DEFINITIONS[0]]
    metrics = [SHORT_NAMES[metric] for metric in first["ranks"]]
    return markdown([title, *DEFINITIONS, *metrics], rows)


def choice_table(record: Run) -> str:
    """Return how every mixture stands on validation and on test samples.

    Args:
        record: Of the choice of a task.
    """
    rows = []
    for name, each in record["candidates"].items():
        cells = [_standing(each[part][d]) for d in DEFINITIONS for part in ("val", "test")]
        rows.append([name, *cells])
    header = [f"{d}, {part}" for d in DEFINITIONS for part in ("validation", "test")]
    return markdown(["mixture", *header], rows)


def held_out_table(choice: Run | None, held_out: Run | None) -> str:
    """Return mean ranks by two metrics, where eight have chosen.

    Args:
        choice: Record of the choice of a task.
        held_out: Record of the paper's recipe with held-out metrics.
    """
    rows = []
    definition = DEFINITIONS[0]
    for pair in HELD_OUT:
        row = [" and ".join(SHORT_NAMES[metric] for metric in pair)]
        if choice is not None:
            best = min(
                choice["candidates"].items(),
                key=lambda item: _mean(item[1]["val"][definition], without=pair),
            )
            row += [best[0], f"{_mean(best[1]['test'][definition], only=pair):.1f}"]
        if held_out is not None:
            papers = held_out["papers"]
            row += [
                f"{_mean(papers['+'.join(pair)][definition], only=pair):.1f}",
                f"{_mean(papers[''][definition], only=pair):.1f}",
            ]
        rows.append(row)
    header = ["held out"]
    if choice is not None:
        header += ["mixture that eight choose", "its mean rank by the two"]
    if held_out is not None:
        header += ["the paper's recipe, filtered by eight", "filtered by all ten"]
    return markdown(header, rows)


def _mean(
    standing: dict[str, Any], only: tuple[str, ...] = (), without: tuple[str, ...] = ()
) -> float:
    ranks = standing["ranks"]
    chosen = [ranks[metric] for metric in only or ranks if metric not in without]
    return float(sum(chosen) / len(chosen))


def _standing(each: dict[str, Any]) -> str:
    place = each["place"]
    tied = " t" if place > 1 and each["tied_first"] else ""
    return f"{each['mean_rank']:.1f} ({place}{tied}; {each['best_rank']:.1f})"
