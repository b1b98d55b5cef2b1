"""Where DeepFaith stands, on all tasks."""

from benchmarks.deepfaith.records import Records, main_record, rankings_of
from benchmarks.deepfaith.settings import CONTROLS, DEFINITIONS, OURS, PAPERS, SEEDS, TASKS
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import ExplainerRanking


def overview_table(records: Records) -> str:
    """Return the mean ranks of DeepFaith, of the paper's recipe, and of the best others."""
    rows = []
    for definition in DEFINITIONS:
        for task, ranking in rankings_of(records, definition).items():
            best, control = (_best(ranking, among) for among in (_priors(ranking), list(CONTROLS)))
            rows.append(
                [
                    TASKS[task].title,
                    definition,
                    with_interval(ranking, OURS),
                    standing(ranking),
                    f"{best} {with_interval(ranking, best)}",
                    f"{control} {with_interval(ranking, control)}",
                    with_interval(ranking, PAPERS),
                ]
            )
    header = ["task", "definitions", "DeepFaith", "place", "best prior", "best control"]
    return markdown([*header, "the paper's recipe"], rows)


def standing(ranking: ExplainerRanking) -> str:
    """Return the place of DeepFaith in words, and with whom it is tied, if not the first."""
    row = ranking.explainers.index(OURS)
    place = ranking.order.index(row) + 1
    of = len(ranking.explainers)
    if place == 1:
        return f"1 of {of}"
    tied = bool(ranking.tied[row, ranking.order[0]])
    return f"{place} of {of}" + (", tied with the first" if tied else "")


def finding(ranking: ExplainerRanking, title: str) -> str:
    """Return the first line of a table: who is ahead of DeepFaith.

    Args:
        ranking: The ranking.
        title: Name of the task.
    """
    row = ranking.explainers.index(OURS)
    ahead = ranking.order[: ranking.order.index(row)]
    if not ahead:
        others = ranking.tied_with(OURS)
        end = f", tied with {', '.join(others)}" if others else ", tied with none"
        return f"**{title}: DeepFaith is first{end}.**"
    words = []
    for e in ahead:
        name = ranking.explainers[e]
        kind = "control " if name in CONTROLS else ""
        tied = " (tied)" if bool(ranking.tied[row, e]) else ""
        words.append(f"{kind}{name} {ranking.mean_rank[e]:.1f}{tied}")
    mean = f"{ranking.mean_rank[row]:.1f}"
    return f"**{title}: ahead of DeepFaith ({mean}): {', '.join(words)}.**"


def with_interval(ranking: ExplainerRanking, name: str) -> str:
    """Return the mean rank of an explainer with its interval."""
    if name not in ranking.explainers:
        return "–"
    row = ranking.explainers.index(name)
    low, high = ranking.interval[row].tolist()
    return f"{ranking.mean_rank[row]:.1f} ({low:.1f} to {high:.1f})"


def seeds_table(records: Records) -> str:
    """Return the mean rank and the place of DeepFaith for every seed."""
    rows = []
    for task, terms in TASKS.items():
        cells = []
        for seed in SEEDS:
            record = records.get(("ranking", task, seed))
            if record is None:
                cells.append("–")
                continue
            each = []
            for definition in DEFINITIONS:
                names, ranks = record[definition]["explainers"], record[definition]["mean_rank"]
                own = ranks[names.index(OURS)]
                each.append(f"{own:.1f} ({1 + sum(rank < own for rank in ranks)})")
            cells.append(" / ".join(each))
        if any(cell != "–" for cell in cells):
            rows.append([terms.title, *cells])
    return markdown(["task", *(f"seed {seed}" for seed in SEEDS)], rows)


def terms_table(records: Records) -> str:
    """Return what was explained, and on what terms."""
    rows = []
    for task, terms in TASKS.items():
        record = records.get(("ranking", task, SEEDS[0]))
        main = main_record(records, task)
        if record is None or main is None:
            continue
        size = terms.subset_size
        labels = record["training"][PAPERS]
        rows.append(
            [
                terms.title,
                f"{record['accuracy']:.1f} %",
                terms.features,
                record["training"][OURS]["training_samples"],
                f"{labels['supervised_samples']} ({labels['labels']} labels, "
                f"{labels['without_survivor']} without)",
                main[DEFINITIONS[0]]["n_samples"],
                terms.n_steps,
                f"{size} features" if isinstance(size, int) else f"{100 * size:.0f} %",
                f"{terms.small}, {terms.large}",
            ]
        )
    header = ["task", "accuracy (seed 0)", "features", "DeepFaith learns from"]
    header += ["supervised samples of the paper's recipe", "test samples", "steps of a curve"]
    return markdown([*header, "subset size", "budgets of LIME and KernelSHAP"], rows)


def _priors(ranking: ExplainerRanking) -> list[str]:
    return [each for each in ranking.explainers if each not in (*CONTROLS, OURS, PAPERS)]


def _best(ranking: ExplainerRanking, among: list[str]) -> str:
    ordered = [ranking.explainers[e] for e in ranking.order]
    return next(name for name in ordered if name in among)
