"""What explanations cost."""

from benchmarks.deepfaith.records import Records, main_record, of_kind
from benchmarks.deepfaith.settings import CONTROLS, DEFINITIONS, OURS, PAPERS, TASKS
from benchmarks.shared.markdown import markdown

_SHOWN = ("IntGrad", "DeepLift", "Occlusion", "LIME", "KernelSHAP")


def cost_table(records: Records) -> str:
    """Return milliseconds and evaluations of the explained network for an explanation."""
    rows = []
    for task, record in of_kind(records, "cost").items():
        ms, evaluations = record["ms"], record["evaluations"]
        cells = [f"{ms[each]:.3g} ({evaluations[each]:g})" for each in (OURS, *_SHOWN)]
        rows.append([TASKS[task].title, *cells])
    return markdown(["ms (evaluations)", "DeepFaith", *_SHOWN], rows)


def speed_table(records: Records) -> str:
    """Return how much faster DeepFaith is than what stands as well, and when it has paid."""
    rows = []
    for task, record in of_kind(records, "cost").items():
        ms, training = record["ms"], record["training"]
        spent = 1000 * (training["subsets_seconds"] + training["training_seconds"])
        main = main_record(records, task)
        for definition in DEFINITIONS:
            as_good = [] if main is None else _as_good(main[definition])
            cheapest = min(as_good, key=lambda name: float(ms[name]), default=None)
            cells = ["none", "–", "–"]
            if cheapest is not None:
                saved = ms[cheapest] - ms[OURS]
                pays = f"{spent / saved:,.0f}" if saved > 0 else "never"
                cells = [cheapest, f"{ms[cheapest] / ms[OURS]:,.0f}", pays]
            lime = f"{spent / (ms['LIME'] - ms[OURS]):,.0f}"
            rows.append([TASKS[task].title, definition, *cells, lime, f"{spent / 1000:.0f} s"])
    header = ["task", "definitions", "cheapest prior of equal or better rank", "times faster"]
    return markdown([*header, "pays after samples", "against LIME", "subsets and training"], rows)


def supervision_table(records: Records) -> str:
    """Return what a training sample costs, with and without supervision."""
    rows = []
    for task, record in of_kind(records, "cost").items():
        ours, papers = record["training"], record["training_of_papers"]
        n, supervised = ours["training_samples"], papers["supervised_samples"]
        rows.append(
            [
                TASKS[task].title,
                f"{1000 * ours['subsets_seconds'] / n:.3g} ({ours['evaluations'] / n:.0f})",
                f"{1000 * papers['supervision_seconds'] / supervised:.3g} "
                f"({papers['supervision_evaluations'] / supervised:.0f})",
                f"{ours['training_seconds']:.0f} s",
                f"{papers['training_seconds']:.0f} s",
            ]
        )
    header = ["task", "stored subsets: ms (evaluations) per sample", "supervision, likewise"]
    return markdown([*header, "training", "training of the paper's recipe"], rows)


def _as_good(ranking: dict[str, list[float]]) -> list[str]:
    """Return the priors whose mean rank is that of DeepFaith or better."""
    names: list[str] = ranking["explainers"]  # type: ignore[assignment]
    own = ranking["mean_rank"][names.index(OURS)]
    others = zip(names, ranking["mean_rank"], strict=True)
    known = (OURS, PAPERS, *CONTROLS)
    return [name for name, rank in others if rank <= own and name not in known]
