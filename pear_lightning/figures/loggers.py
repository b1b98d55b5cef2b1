"""How a figure or a text reaches the loggers of a trainer.

A logger is recognised by what it can do, so subclasses and look-alikes count too: ``log_image`` and
``log_text`` are those of Weights & Biases, ``experiment.add_figure`` and ``experiment.add_text``
those of TensorBoard, ``experiment.log_figure`` and ``experiment.log_text`` with a ``run_id`` those
of MLflow. Every other logger gets files in its own folder, and one without a folder gets nothing.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_figure(loggers: Iterable[Any], name: str, figure: "Figure", step: int) -> None:
    """Hand a figure to each logger: as an image, or as the file ``figures/<name>-<step>.png``.

    MLflow gets that file as an artifact. A logger that takes no figures (``CSVLogger``) gets it in
    its ``log_dir``, or in its ``save_dir`` if it has no ``log_dir``.

    Call it in one process, as in a method with ``rank_zero_only``.

    Args:
        loggers: Loggers of Lightning, such as ``trainer.loggers``.
        name: Name of the figure; a ``/`` in it makes a group (TensorBoard) or a folder (files).
        figure: The figure; it stays open.
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
    """Hand a text to each logger: as a text, or as the file ``texts/<name>-<step>.txt``.

    Weights & Biases shows a plain text as a table with one cell and HTML as a page; MLflow gets the
    file as an artifact; TensorBoard shows a plain text as it is, with its columns aligned. A logger
    that takes no texts (``CSVLogger``) gets the file in its ``log_dir``, or in its ``save_dir`` if
    it has no ``log_dir``. The ending is ``.html`` for HTML. TensorBoard strips styles and most tags
    from HTML, so it gets the file, too, and a text that says where the file is.

    Call it in one process, as in a method with ``rank_zero_only``.

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
    """Write a text to a file of this logger, and return where it is; None without a folder."""
    path = _beside(logger, file)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return path


def _beside(logger: Any, file: str) -> Path | None:
    """Return where a file of this logger belongs, in a folder that exists; None without one."""
    folder = getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None)
    if folder is None:
        return None
    path = Path(folder, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
