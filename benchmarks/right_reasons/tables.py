"""Tables of the right-reasons benchmark."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.right_reasons.settings import EXPERIMENTS, TOY_ROWS, TOY_SWEEP

Runs = list[dict[str, Any]]
Pick = Callable[[dict[str, Any]], float]

# authors' sweep on Decoy MNIST: train, test
AUTHORS_SWEEP = {
    0.01: (0.9979, 0.6322),
    0.1: (0.9958, 0.6634),
    1.0: (0.9957, 0.8420),
    10.0: (0.9897, 0.9389),
    100.0: (0.9887, 0.9597),
    1000.0: (0.9804, 0.9603),
    1e4: (0.9594, 0.9506),
    1e5: (0.8904, 0.8896),
    1e6: (0.5294, 0.5195),
}


def of(runs: Runs, experiment: str, setting: str) -> Runs:
    """Return the runs of a setting, by seed."""
    chosen = [r for r in runs if (r["experiment"], r["setting"]) == (experiment, setting)]
    return sorted(chosen, key=lambda run: int(run["seed"]))


def interval(values: Iterable[float], digits: int = 3) -> str:
    """Write a mean with its 95 % interval by Student's t; the mean alone of fewer than three."""
    each = np.array(list(values), dtype=float)
    if not len(each):
        return "not run"
    mean = _short(each.mean(), digits)
    if len(each) < 3:
        return mean
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5
    return f"{mean} ± {_short(half, digits)}"


def cell(runs: Runs, experiment: str, setting: str, pick: Pick | str, model: int = 0) -> str:
    """Write one number of a setting."""
    get: Pick = (lambda m: m[pick]) if isinstance(pick, str) else pick
    chosen = [run["models"][model] for run in of(runs, experiment, setting)]
    return interval(get(each) for each in chosen)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table, without the rows that end in no run."""
    lines = [header, ["---"] * len(header), *(row for row in rows if row[-1] != "0")]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def golden_table(runs: Runs) -> str:
    """Numbers that are known, beside ours."""
    rows = [
        ("Iris-Cancer, no mask: with iris", ".9155", "iris", "none", "test_in", 0),
        ("… without iris", ".8113", "iris", "none", "test", 0),
        ("… iris share of what is looked at", ".25 (measured)", "iris", "none", "iris_share", 0),
        ("Iris-Cancer, mask: with iris", ".91 to .92", "iris", "mask", "test_in", 0),
        ("… without iris", ".91 to .92", "iris", "mask", "test", 0),
        ("… iris share", ".001 (measured)", "iris", "mask", "iris_share", 0),
        ("standardised, no mask: in", ".954 (m.)", "iris", "standardised, none", "test_in", 0),
        ("… without iris", ".927 (m.)", "iris", "standardised, none", "test", 0),
        ("standardised, mask: without iris", ".936 (m.)", "iris", "standardised, mask", "test", 0),
        ("Decoy MNIST, no mask: train", ".9969", "mnist", "none", "train", 0),
        ("… test", ".5155", "mnist", "none", "test", 0),
        ("Decoy MNIST, mask, λ = 1000: train", ".9820", "mnist", "mask", "train", 0),
        ("… test", ".9607", "mnist", "mask", "test", 0),
        ("MNIST without blocks: test", ".9611", "mnist", "no decoy", "test", 0),
        ("find another explanation, Decoy MNIST: 2nd model", ".97", "find", "mnist", "test", 1),
        ("… with 512 units, pixels 0 to 1", "", "find", "mnist, 512 units", "test", 1),
        ("decoy digits without blocks", ".964 (m.)", "digits", "no decoy", "test", 0),
        ("decoy digits, no mask", ".829 (m.)", "digits", "none", "test", 0),
        ("decoy digits, λ = .1", ".962 (m.)", "digits", "λ=0.1", "test", 0),
        ("decoy digits, λ = 1", ".960 (m.)", "digits", "λ=1", "test", 0),
        ("decoy digits, λ = 10", ".961 (m.)", "digits", "λ=10", "test", 0),
        ("decoy digits, λ = 100", ".957 (m.)", "digits", "λ=100", "test", 0),
        ("decoy digits, λ = 1, 10 rows", ".923 (m.)", "digits", "λ=1, 10 rows", "test", 0),
        ("decoy digits, λ = 1, 50 rows", ".958 (m.)", "digits", "λ=1, 50 rows", "test", 0),
        ("decoy digits, λ = 1, 100 rows", ".960 (m.)", "digits", "λ=1, 100 rows", "test", 0),
        ("decoy digits, label, λ = 10", ".962 (m.)", "digits", "label, λ=10", "test", 0),
        ("decoy digits, predicted, λ = 10", ".962 (m.)", "digits", "predicted, λ=10", "test", 0),
        ("Toy Colors, no mask", ".9998", "toy", "none", "test", 0),
        ("Toy Colors, corners penalised", "1.0", "toy", "λ=1000", "test", 0),
        ("Toy Colors, top middle penalised", "1.0", "toy", "top middle", "test", 0),
        ("Toy Colors, both penalised (1e6)", ".5366", "toy", "both", "test", 0),
        ("20 Newsgroups, no mask", ".947", "news", "none", "test", 0),
    ]
    return markdown(
        ["", "reference", "ours", "runs"],
        (
            [title, known, cell(runs, exp, name, pick, model), str(len(of(runs, exp, name)))]
            for title, known, exp, name, pick, model in rows
        ),
    )


def sweep_runs(runs: Runs, weight: float) -> Runs:
    """Return the runs of a weight on Decoy MNIST."""
    where = ("mnist", "mask") if weight == 1000 else ("sweep", f"λ={weight:g}")
    return of(runs, *where)


def sweep_table(runs: Runs) -> str:
    """Decoy MNIST over λ."""
    rows = []
    for weight, authors in AUTHORS_SWEEP.items():
        models = [run["models"][0] for run in sweep_runs(runs, weight)]
        rows.append(
            [
                f"{weight:g}",
                *(_short(each, 3) for each in authors),
                *(
                    interval(model[pick] for model in models)
                    for pick in ("train", "test", "first_ratio", "inside")
                ),
                str(len(models)),
            ]
        )
    header = ["λ", "authors: train", "test", "ours: train", "test", "ratio at step 1"]
    return markdown([*header, "gradient inside mask", "runs"], rows)


def toy_table(runs: Runs) -> str:
    """Which rule the toy model looks at."""
    names = ["none", *(f"λ={weight:g}" for weight in TOY_SWEEP)]
    names += [*(f"{rows} rows" for rows in TOY_ROWS), "top middle", "both"]
    titles = {
        "top middle": "top middle penalised, λ=1000",
        "both": "both penalised, λ=1e6",
        **{f"{rows} rows": f"λ=1000, {rows} annotated rows" for rows in TOY_ROWS},
    }
    return markdown(
        ["corners penalised, all rows", "test", "looks at corners", "at top middle", "runs"],
        (
            [
                titles.get(name, name),
                *(cell(runs, "toy", name, pick) for pick in ("test", "corners", "top_middle")),
                str(len(of(runs, "toy", name))),
            ]
            for name in names
        ),
    )


def find_table(runs: Runs) -> str:
    """Find another explanation, model by model."""
    rows = []
    for name, setting in EXPERIMENTS["find"].items():
        for model in range(setting.found + 1):
            extra = {"iris": "iris_share", "toy": "corners"}.get(name, "inside")
            where = "–" if name == "news" else cell(runs, "find", name, extra, model)
            rows.append(
                [
                    name,
                    str(model + 1),
                    *(cell(runs, "find", name, pick, model) for pick in ("train", "test")),
                    where,
                    cell(runs, "find", name, "kept", model),
                    _similarity(runs, name, model),
                    _refused(runs, name, model),
                    str(len(of(runs, "find", name))),
                ]
            )
    header = ["data", "model", "train", "test", "on the confound", "share of entries marked"]
    header += ["similarity to an earlier model", "ends by the rule"]
    return markdown([*header, "runs"], rows)


def _similarity(runs: Runs, name: str, model: int) -> str:
    """Write how much a model's explanations are like those of the most similar model before."""
    if model == 0:
        return "–"
    return cell(runs, "find", name, lambda m: max(m["similarities"]), model)


def _refused(runs: Runs, name: str, model: int) -> str:
    """Write in how many runs a model is the first one that the stop rule does not accept."""
    refused = [[m["refused"] is not None for m in r["models"]] for r in of(runs, "find", name)]
    return f"{sum(each[model] and not any(each[:model]) for each in refused)} of {len(refused)}"


def family_table(runs: Runs, experiment: str) -> str:
    """The losses beside each other."""
    base = [r["models"][0]["train_cpu_seconds"] for r in of(runs, experiment, "none")]
    rows = []
    for name, setting in EXPERIMENTS[experiment].items():
        chosen = of(runs, experiment, name)
        seconds = [r["models"][0]["train_cpu_seconds"] / r["options"]["epochs"] for r in chosen]
        times = f"{np.mean(seconds):.1f}" if seconds else "–"
        slower = "–"
        if seconds and base:
            slower = f"{np.mean(seconds) * setting.epochs / np.mean(base):.1f}"
        picks: list[Pick] = [
            lambda m: m["train"],
            lambda m: float(np.mean(m["classes"])),
            lambda m: min(m["classes"]),
        ]
        blocks = name != "no decoy"
        rows.append(
            [
                name,
                f"{setting.weight:g}" if setting.weight else "–",
                *(cell(runs, experiment, name, pick) for pick in picks),
                *(
                    cell(runs, experiment, name, pick) if blocks else "–"
                    for pick in ("wrong_reason", "inside")
                ),
                cell(runs, experiment, name, "entropy"),
                times,
                slower,
                str(len(chosen)),
            ]
        )
    header = ["", "λ", "train", "test, macro", "worst class", "WR", "gradient inside block"]
    header += ["entropy", "CPU s per epoch", "times plain", "runs"]
    return markdown(header, rows)


def cost_table(cost: dict[str, Any]) -> str:
    """Milliseconds of a step, and how many plain steps it takes."""
    header = ["network", "plain, ms", "ours, ms", "times plain", "by hand, times plain"]
    header += ["compiled: plain, ms", "ours, ms", "times plain"]
    return markdown(
        header,
        (
            [
                name,
                f"{each['plain']:.2f}",
                f"{each['reasons']:.2f}",
                f"**{each['reasons'] / each['plain']:.2f}**",
                f"{each['by hand'] / each['plain']:.2f}",
                f"{each['plain, compiled']:.2f}",
                f"{each['reasons, compiled']:.2f}",
                f"**{each['reasons, compiled'] / each['plain, compiled']:.2f}**",
            ]
            for name, each in cost.items()
        ),
    )


def missing(runs: Runs) -> str:
    """Say which settings have no run at all, and which have fewer than five."""
    counts = {
        (experiment, name): len(of(runs, experiment, name))
        for experiment, settings in EXPERIMENTS.items()
        for name in settings
    }
    never = [f"{experiment}/{name}" for (experiment, name), n in counts.items() if n == 0]
    few = [f"{experiment}/{name} ({n})" for (experiment, name), n in counts.items() if 0 < n < 5]
    return (
        f"Not run at all: {', '.join(never) or 'nothing'}.\n\n"
        f"Fewer than five seeds: {', '.join(few) or 'nothing'}."
    )


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"
