"""The files of reports: pictures, attributions, tables of faithfulness, rankings."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pear_lightning.functional.aligned_text import aligned_text
from pear_lightning.metrics import ExplainerRanking
from pear_lightning.reports.explanations import Explanations
from pear_lightning.reports.picture_style import PictureStyle
from pear_lightning.reports.pictures import draw_pictures

TableFormat = Literal["csv", "arrow"]


def write_pictures(folder: Path, found: Explanations, style: PictureStyle) -> None:
    """Write ``pictures/sample_<id>.png`` of each pictured sample, and of texts also ``.html``.

    Args:
        folder: Folder of the report.
        found: The explanations.
        style: Style of the pictures.
    """
    folder = folder / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for samples in sorted(found.pictured, key=lambda each: each.ids[0]):
        path = folder / f"sample_{samples.ids[0]}"
        (picture,) = draw_pictures([samples], style)
        picture.figure.savefig(path.with_suffix(".png"), dpi=150)
        if picture.html is not None:
            path.with_suffix(".html").write_text(picture.html, encoding="utf-8")


def write_attributions(
    folder: Path, found: Explanations, style: PictureStyle, form: TableFormat
) -> None:
    """Write ``attributions.csv`` or ``.arrow``: a row for each sample and explainer.

    The columns are ``id``, ``explainer``, ``predicted``, ``label``, for texts ``tokens`` (a JSON
    list of the tokens that are features), and the saliency of each feature; it is empty for
    features that a sample lacks.

    Args:
        folder: Folder of the report.
        found: The explanations.
        style: Style of the pictures, which knows the names of features and classes.
        form: ``"csv"``, or ``"arrow"`` for the Arrow IPC file format, which ``datasets``, pandas
            (``read_feather``) and polars (``read_ipc``) read.
    """
    texts = found.kind == "tokens"
    n = max(saliency.shape[1] for saliency in found.saliency.values())
    names = style.names_of_features(found.kind, n)
    head = ["id", "explainer", "predicted", "label", *(["tokens"] if texts else [])]
    rows = []
    for number in found.ids:
        row = found.rows[number]
        for explainer, values in zip(
            found.explainers, found.saliency[number].tolist(), strict=True
        ):
            of_row = [number, explainer, *(style.shown(row[k]) for k in ("predicted", "label"))]
            if texts:
                of_row.append(json.dumps(row["tokens"], ensure_ascii=False))
            shown = [None if math.isnan(value) else value for value in values]
            rows.append([*of_row, *shown, *[None] * (n - len(shown))])
    folder.mkdir(parents=True, exist_ok=True)
    if form == "csv":
        _write_csv(folder / "attributions.csv", [*head, *names], rows)
    else:
        _write_arrow(folder / "attributions.arrow", [*head, *names], rows)


def faithfulness_table(found: Explanations) -> list[list[str]]:
    """Return mean scores: metrics in rows, with the better direction, explainers in columns.

    Args:
        found: The explanations.
    """
    rows = [["", *found.explainers]]
    for (name, scores), up in zip(
        found.stacked_scores().items(), found.directions.values(), strict=True
    ):
        rows.append(
            [f"{name} {'↑' if up else '↓'}", *map("{:.4f}".format, scores.mean(1).tolist())]
        )
    return rows


def write_faithfulness(folder: Path, found: Explanations) -> str:
    """Write ``faithfulness.txt`` and ``.csv``, and return the text.

    Args:
        folder: Folder of the report.
        found: The explanations.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = aligned_text(faithfulness_table(found))
    (folder / "faithfulness.txt").write_text(f"{text}\n", encoding="utf-8")
    means = {name: each.mean(dim=1).tolist() for name, each in found.stacked_scores().items()}
    rows = [
        [name, *values] for name, *values in zip(found.explainers, *means.values(), strict=True)
    ]
    _write_csv(folder / "faithfulness.csv", ["explainer", *means], rows)
    return text


def write_ranking(folder: Path, ranking: ExplainerRanking, controls: Sequence[str]) -> str:
    """Write ``ranking.txt``, ``ranking.csv`` and ``ranking.png``, and return the text.

    Args:
        folder: Folder of the report.
        ranking: The ranking.
        controls: Names of explainers that are controls.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = ranking.to_table()
    (folder / "ranking.txt").write_text(f"{text}\n", encoding="utf-8")
    ranks = [f"{name}_rank" for name in ranking.metrics]
    head = ["explainer", "mean_rank", "interval_low", "interval_high", "tied_with"]
    rows = [
        [
            ranking.explainers[e],
            float(ranking.mean_rank[e]),
            *ranking.interval[e].tolist(),
            " ".join(ranking.tied_with(ranking.explainers[e])),
            *ranking.means[:, e].tolist(),
            *ranking.ranks[:, e].tolist(),
        ]
        for e in ranking.order
    ]
    _write_csv(folder / "ranking.csv", [*head, *ranking.metrics, *ranks], rows)
    figure, _ = ranking.plot(controls=controls)
    figure.savefig(folder / "ranking.png", dpi=150)
    return text


def _write_csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def _write_arrow(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    import pyarrow as pa

    columns = [list(column) for column in zip(*rows, strict=True)]
    table = pa.table(columns, names=list(head))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
