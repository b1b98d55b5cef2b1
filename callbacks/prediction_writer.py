"""A callback that writes predictions and their explanations to disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from pear_lightning.functional.validation import check_choice

Format = Literal["pt", "csv", "parquet"]


class PredictionWriter(BasePredictionWriter):
    """Write the results of ``predict``, including probabilities and explanations.

    The file ``predictions.<format>`` has one row for each row of the data, in order; with several
    processes, each writes a file ``predictions-rank<r>.<format>``. With several dataloaders, each
    has files of its own, ``predictions-dataloader<i>.<format>``.

    A table (``"csv"``, ``"parquet"``) has the columns ``row`` (position in the data set, from 0),
    those that the data module excludes from the features, such as an identifier
    (:attr:`~pear_lightning.datamodules.TabularDataModule.excluded_columns`; a name that the other
    columns have is written as ``excluded[<name>]``), ``prediction`` (the name of the class, or the
    value), ``probability[<class>]``, and one column for each other result of the module's
    ``predict_step`` and each feature, such as ``integrated_gradients[age]``. Logits that are the
    predictions, as for a regression, have no column of their own. Names of features and classes are
    those of the data module, if it has them; a category is one feature if the module pools
    attributions with a masker.

    ``"pt"`` holds the tensors of ``predict_step`` as they are, ``"probabilities"`` if they follow
    from the logits, the positions as ``"indices"``, and ``"class_names"`` and ``"feature_names"``
    if known. Read it with :func:`torch.load`.

    Batches of texts have different lengths; the explanations of shorter ones are padded with zeros,
    in front if the ``tokenizer`` of the data module pads on the left, and otherwise at the end.

    Args:
        output_dir: Folder for the files; it is created if it does not exist.
        format: ``"pt"``, ``"csv"`` or ``"parquet"``.

    Raises:
        ValueError: If the format is unknown; when writing, if a result is neither a tensor nor a
            mapping of tensors.

    Example:
        >>> import tempfile
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.explainers import Gradient, InputXGradient
        >>> from pear_lightning.modules import PEAR
        >>> from pear_lightning.nn import MLP
        >>> model = PEAR(MLP(30), explainers={"grad": Gradient(), "product": InputXGradient()})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
        ...                       callbacks=[PredictionWriter(folder, format="csv")])
        ...     _ = trainer.predict(model, BreastCancer())
        ...     header = Path(folder, "predictions.csv").read_text().split(",")[:5]
        >>> header[:4]
        ['row', 'prediction', 'probability[malignant]', 'probability[benign]']
    """

    def __init__(self, output_dir: str, format: Format = "pt") -> None:
        super().__init__(write_interval="epoch")
        check_choice("format", format, ("pt", "csv", "parquet"))
        self.output_dir = str(output_dir)
        self.format: Format = format

    @override
    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write the predictions of this rank.

        Args:
            trainer: The trainer.
            pl_module: The module that predicted.
            predictions: Results of ``predict_step``, one per batch, for each dataloader if there
                are several.
            batch_indices: Indices of the rows of each batch, for each dataloader.

        Raises:
            ValueError: If a result is neither a tensor nor a mapping of tensors.
        """
        if len(batch_indices) < 2:
            self._write(trainer, pl_module, predictions, (batch_indices or [[]])[0], "")
            return
        for number, parts in enumerate(zip(predictions, batch_indices, strict=True)):
            self._write(trainer, pl_module, *parts, f"-dataloader{number}")

    def _write(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
        loader: str,
    ) -> None:
        """Write the predictions of one dataloader; ``loader`` is part of the name of the file."""
        contents = _concatenate(predictions, _padding_side(trainer))
        if not isinstance(contents, dict):
            contents = {"prediction": contents}
        rows = [row for batch in batch_indices for row in batch or ()]
        contents["indices"] = torch.tensor(rows, dtype=torch.long)
        if getattr(pl_module, "task", "classification") == "classification":
            _add_probabilities(contents)
        names = _names_of(trainer)
        rank = "" if trainer.world_size == 1 else f"-rank{trainer.global_rank}"
        path = Path(self.output_dir, f"predictions{loader}{rank}.{self.format}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.format == "pt":
            torch.save({**contents, **{key: value for key, value in names.items() if value}}, path)
            return
        import pandas as pd

        columns = _columns(contents, names)
        if rows and not loader:
            columns = _with_excluded(columns, trainer, rows)
        table = pd.DataFrame(columns)
        if self.format == "csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path, index=False)


def _padding_side(trainer: Trainer) -> str:
    datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
    side: str = getattr(getattr(datamodule, "tokenizer", None), "padding_side", "right")
    return side


def _concatenate(batches: Sequence[Any], side: str) -> Any:
    """Concatenate tensors, or mappings of tensors, along their first dimension.

    Batches of texts have different lengths: shorter ones are padded with zeros on one side, the
    side on which texts are padded within a batch.
    """
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.cat(_of_equal_sizes([batch.cpu() for batch in batches], side))
    if isinstance(first, Mapping):
        return {name: _concatenate([batch[name] for batch in batches], side) for name in first}
    raise ValueError(
        "predict_step must return a tensor or a mapping of tensors for PredictionWriter, "
        f"got {type(first).__name__}"
    )


def _of_equal_sizes(batches: list[Tensor], side: str) -> list[Tensor]:
    shapes = {tuple(batch.shape[1:]) for batch in batches}
    if len(shapes) == 1 or len({len(shape) for shape in shapes}) > 1:
        return batches
    sizes = [max(each) for each in zip(*shapes, strict=True)]
    padded = []
    for batch in batches:
        missing = [size - have for size, have in zip(sizes, batch.shape[1:], strict=True)]
        ends = [(each, 0) if side == "left" else (0, each) for each in reversed(missing)]
        padded.append(pad(batch, [width for pair in ends for width in pair]))
    return padded


def _add_probabilities(contents: dict[str, Any]) -> None:
    logits = contents.get("logits")
    if isinstance(logits, Tensor) and logits.ndim == 2 and logits.shape[1] > 1:
        contents.setdefault("probabilities", logits.float().softmax(dim=1))


def _names_of(trainer: Trainer) -> dict[str, list[str]]:
    datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
    keys = ("class_names", "feature_names", "group_names")
    return {key: list(getattr(datamodule, key, None) or []) for key in keys}


def _columns(contents: Mapping[str, Any], names: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the columns of the table, by name."""
    rest = dict(contents)
    indices = rest.pop("indices")
    prediction = rest.pop("prediction", None)
    probabilities = rest.pop("probabilities", None)
    classes = names["class_names"]
    columns: dict[str, Any] = {}
    if len(indices):
        columns["row"] = indices.numpy()
    if prediction is not None and prediction.ndim == 1:
        values = prediction.tolist()
        named = classes and not prediction.is_floating_point()
        columns["prediction"] = [classes[value] for value in values] if named else values
    elif prediction is not None:
        rest["prediction"] = prediction
    if _are_equal(prediction, rest.get("logits")):
        rest.pop("logits")
    if probabilities is not None:
        columns |= _spread("probability", probabilities, [classes])
        rest.pop("logits", None)
    for name, value in rest.items():
        parts = value if isinstance(value, Mapping) else {name: value}
        for part, tensor in parts.items():
            columns |= _spread(part, tensor, [names["feature_names"], names["group_names"]])
    return columns


def _with_excluded(
    columns: Mapping[str, Any], trainer: Trainer, rows: Sequence[int]
) -> dict[str, Any]:
    """Return the columns with those that are no features of the data, after the positions."""
    datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
    excluded = getattr(datamodule, "excluded_columns", None)
    if excluded is None:
        return dict(columns)
    names = {name: f"excluded[{name}]" if name in columns else name for name in excluded}
    values = {names[name]: excluded[name].to_numpy()[list(rows)] for name in excluded}
    return {"row": columns["row"], **values, **columns}


def _are_equal(prediction: Any, logits: Any) -> bool:
    """Return whether the logits of all rows are their predictions, which are numbers."""
    if not (isinstance(prediction, Tensor) and isinstance(logits, Tensor)):
        return False
    if not prediction.is_floating_point() or prediction.numel() != logits.numel():
        return False
    values = logits.reshape(prediction.shape).to(prediction.dtype)
    return torch.allclose(prediction, values, rtol=0, atol=0, equal_nan=True)


def _spread(name: str, tensor: Tensor, choices: Sequence[list[str]]) -> dict[str, Any]:
    """Return one column for each entry of the rows, named after features if their number fits."""
    if tensor.dtype == torch.bfloat16:  # which NumPy does not have
        tensor = tensor.float()
    flat = tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None]
    if tensor.ndim == 1:
        return {name: tensor.numpy()}
    found = next((each for each in choices if len(each) == flat.shape[1]), None)
    keys = found or range(flat.shape[1])
    return {f"{name}[{key}]": flat[:, place].numpy() for place, key in enumerate(keys)}
