"""Logging of figures and texts with the loggers of a trainer.

A logger is recognised by its methods, so that subclasses and similar loggers work too: Weights &
Biases has ``log_image`` and ``log_text``, TensorBoard ``experiment.add_figure`` and
``experiment.add_text``, MLflow a ``run_id`` with ``experiment.log_figure`` and
``experiment.log_text``. Every other logger gets files in its folder; a logger without a folder gets
nothing.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_figure(loggers: Iterable[Any], name: str, figure: "Figure", step: int) -> None:
    """Log a figure with each logger: as an image, or as the file ``figures/<name>-<step>.png``.

    MLflow stores the file as an artifact. For a logger that takes no figures (``CSVLogger``) the
    file is written to its ``log_dir``, or to its ``save_dir`` if it has no ``log_dir``.

    Call the function in one process only, for example in a method with ``rank_zero_only``.

    Args:
        loggers: Loggers of Lightning, such as ``trainer.loggers``.
        name: Name of the figure; a ``/`` in it makes a group (TensorBoard) or a folder (files).
        figure: The figure. TensorBoard removes it from ``pyplot``; the object stays usable.
        step: Training step that the figure belongs to, such as ``trainer.global_step``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> from matplotlib.figure import Figure
        >>> with TemporaryDirectory() as folder:
        ...     logger = CSVLogger(folder)
        ...     log_figure([logger], "scores", Figure(), step=10)
        ...     [path.name for path in Path(logger.log_dir, "figures").iterdir()]
        ['scores-10.png']
    """
    file = f"figures/{name}-{step}.png"
    for logger in loggers:
        experiment: Any = getattr(logger, "experiment", None)
        if hasattr(logger, "log_image"):
            logger.log_image(name, [figure], step=step)
        elif hasattr(experiment, "add_figure"):
            experiment.add_figure(name, figure, step)
        elif _is_mlflow(logger, "log_figure"):
            experiment.log_figure(logger.run_id, figure, file)
        elif (path := _beside(logger, file)) is not None:
            figure.savefig(path, dpi=150)


def log_text(
    loggers: Iterable[Any], name: str, text: str, step: int, *, html: bool = False
) -> None:
    """Log a text with each logger: as a text, or as the file ``texts/<name>-<step>.txt``.

    Weights & Biases shows plain text as a table with one cell, and HTML as a page. TensorBoard
    shows plain text in a fixed-width font, which keeps columns aligned; it escapes styles and most
    tags of HTML, so HTML is written to a file in its ``log_dir`` and TensorBoard shows the path.
    MLflow stores the file as an artifact. For a logger that takes no texts (``CSVLogger``) the file
    is written to its ``log_dir``, or to its ``save_dir`` if it has no ``log_dir``. The suffix is
    ``.html`` for HTML.

    Call the function in one process only, for example in a method with ``rank_zero_only``.

    Args:
        loggers: Loggers of Lightning, such as ``trainer.loggers``.
        name: Name of the text; a ``/`` in it makes a group (TensorBoard) or a folder (files).
        text: The text.
        step: Training step that the text belongs to, such as ``trainer.global_step``.
        html: Whether the text is HTML.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> with TemporaryDirectory() as folder:
        ...     logger = CSVLogger(folder)
        ...     log_text([logger], "ranking", "<b>LIME</b>", step=10, html=True)
        ...     Path(logger.log_dir, "texts", "ranking-10.html").read_text()
        '<b>LIME</b>'
    """
    file = f"texts/{name}-{step}.{'html' if html else 'txt'}"
    for logger in loggers:
        experiment: Any = getattr(logger, "experiment", None)
        if hasattr(experiment, "add_text"):
            # Markdown: a code block keeps columns aligned
            shown = f"`{_write(logger, file, text)}`" if html else indent(text, "    ")
            experiment.add_text(name, shown, step)
        elif hasattr(logger, "log_text") and html:
            logger.log_metrics({name: import_module("wandb").Html(text)}, step)
        elif hasattr(logger, "log_text"):
            logger.log_text(name, columns=["text"], data=[[text]], step=step)
        elif _is_mlflow(logger, "log_text"):
            experiment.log_text(logger.run_id, text, file)
        else:
            _write(logger, file, text)


def _is_mlflow(logger: Any, method: str) -> bool:
    """Whether the logger's experiment writes artifacts of a run by this method."""
    return hasattr(logger, "run_id") and hasattr(logger.experiment, method)


def _write(logger: Any, file: str, text: str) -> Path | None:
    """Write a text to a file of this logger, and return its path; None without a folder."""
    path = _beside(logger, file)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return path


def _beside(logger: Any, file: str) -> Path | None:
    """Return the path of a file of this logger, and create its folder; None without a folder."""
    folder = getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None)
    if folder is None:
        return None
    path = Path(folder, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
