"""Sources of tables: files, data frames, arrays or the Hugging Face hub."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

# pandas decompresses these
_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def read_file(
    path: str | os.PathLike[str],
    separator: str | None = None,
    na_values: list[str] | None = None,
    *,
    encoding: str | None = None,
    decimal: str = ".",
    as_text: Sequence[str] = (),
    **kwargs: Any,
) -> "DataFrame":
    r"""Read a CSV, TSV (also compressed) or Parquet file.

    Args:
        path: A file that ends in ``.csv``, ``.tsv`` (or either with ``.gz``, ``.bz2``, ``.xz``,
            ``.zst``, ``.zip``) or ``.parquet``.
        separator: Separator of a text file. None derives it from the suffix.
        na_values: Further entries of a text file that mean a missing value, such as ``"?"``; empty
            entries and ``"NA"`` always do.
        encoding: Encoding of a text file; None is ``"utf-8"``.
        decimal: Decimal point of the numbers of a text file.
        as_text: Columns of a text file whose entries are kept as they are, whatever they look like;
            names that the file does not have are ignored.
        **kwargs: Other arguments of ``pandas.read_csv``, not used for Parquet.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the suffix is not one of these, the file is empty or has another encoding,
            several of its columns have the same name, or rows have more entries than the header;
            empty ones at the end of the rows are left out.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "rows.csv")
        ...     _ = path.write_text("a;b\n1;2\n")
        ...     read_file(path, separator=";").shape
        (1, 2)
    """
    import pandas as pd

    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"path must be a file, got {str(path)!r} (working directory: {str(Path.cwd())!r})"
        )
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSIONS:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".parquet":
        return pd.read_parquet(path)
    if suffix not in _SEPARATORS:
        raise ValueError(
            f"path must end in .csv, .tsv (or either with {', '.join(_COMPRESSIONS)}) or .parquet, "
            f"got {path.name!r}"
        )
    separator = separator or _SEPARATORS[suffix]
    form = {"sep": separator, "encoding": encoding, "decimal": decimal}
    # otherwise the first entries of rows with too many are an index, and the others are shifted
    kwargs = {**form, "skipinitialspace": True, "index_col": False, **kwargs}
    if len(separator.encode()) == 1:
        # by parts of the file, entries of one column would be read as several types
        kwargs.setdefault("low_memory", False)
    elif separator != r"\s+":
        kwargs.setdefault("engine", "python")  # which pandas takes, with a warning
    try:
        if "header" not in kwargs and "names" not in kwargs:
            _check_header(path, kwargs)
        types = dict.fromkeys(as_text, str)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, na_values=na_values, dtype=types or None, **kwargs)
    except pd.errors.ParserWarning as error:
        raise ValueError(
            f"path must be a file whose rows have as many entries as its header, got {str(path)!r} "
            f"with more; put entries that contain the separator {separator!r} in "
            "quotation marks, and name all columns"
        ) from error
    except pd.errors.EmptyDataError as error:
        raise ValueError(
            f"path must be a table with a header and rows, got an empty file, {str(path)!r}"
        ) from error
    except UnicodeError as error:
        raise ValueError(
            f"encoding must be that of the file {str(path)!r}, got {encoding or 'utf-8'!r}: "
            f"{error}; files of spreadsheets often have 'cp1252'"
        ) from error


def _check_header(path: Path, options: Mapping[str, Any]) -> None:
    """Raise for repeated names of columns, which pandas would rename."""
    import pandas as pd

    options = {**options, "keep_default_na": False, "dtype": str}
    (names,) = pd.read_csv(path, header=None, nrows=1, **options).to_numpy().tolist()
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(
            f"column names of the table must differ, got several columns {repeated} in "
            f"{str(path)!r}"
        )


def read_hub(
    hub_id: str,
    config: str | None = None,
    *,
    data_files: Any = None,
    revision: str | None = None,
    cache_dir: str | None = None,
) -> "tuple[DataFrame, DataFrame | None]":
    r"""Read a data set with ``datasets.load_dataset``: from the hub, or from a local folder.

    Args:
        hub_id: Name on the hub, path of a folder with CSV or Parquet files, or the name of a
            format, such as ``"csv"``, in combination with ``data_files``.
        config: Name of the configuration.
        data_files: Files to read: a path, a list of paths, or a mapping from split to paths.
        revision: Branch, tag or commit on the hub. A commit always gives the same rows.
        cache_dir: Folder for downloads. None is the default folder of ``datasets``.

    Returns:
        The ``train`` split, and the ``test`` split or None if there is no such split. A split
        called ``validation`` is ignored.

    Raises:
        ValueError: If there is no split called ``train`` and more than one split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "rows.csv")
        ...     _ = path.write_text("a,b\n1,2\n")
        ...     cache = str(Path(folder, "cache"))
        ...     train, test = read_hub("csv", data_files=str(path), cache_dir=cache)
        >>> train.shape, test
        ((1, 2), None)
    """
    from datasets import load_dataset

    splits = load_dataset(
        hub_id, name=config, data_files=data_files, revision=revision, cache_dir=cache_dir
    )
    if "train" in splits:
        train = splits["train"].to_pandas()
        return train, splits["test"].to_pandas() if "test" in splits else None
    if len(splits) == 1:
        return next(iter(splits.values())).to_pandas(), None
    raise ValueError(
        "hub_id must have a split called 'train' or only one split, got "
        f"{hub_id!r} with the splits {list(splits)}"
    )


def as_frame(
    data: Any,
    target: str,
    separator: str | None = None,
    na_values: list[str] | None = None,
    **kwargs: Any,
) -> "DataFrame":
    """Return a data frame for a path, a data frame or a pair of arrays ``(X, y)``.

    Args:
        data: A path for :func:`read_file`; a ``pandas.DataFrame`` that includes the target; or a
            tuple of features ``(N, n)`` and targets ``(N,)`` (arrays, tensors, lists, pandas).
        target: Name of the target column; given to the target of a pair.
        separator: Passed to :func:`read_file`.
        na_values: Passed to :func:`read_file`.
        **kwargs: Passed to :func:`read_file`.

    Raises:
        TypeError: If ``data`` has another type.
        ValueError: If the shapes of a pair do not match.

    Example:
        >>> list(as_frame(([[1.0, 2.0], [3.0, 4.0]], [0, 1]), "target").columns)
        ['x0', 'x1', 'target']
    """
    import pandas as pd

    if isinstance(data, str | os.PathLike):
        return read_file(data, separator, na_values, **kwargs)
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return _join(data[0], data[1], target)
    raise TypeError(
        f"data must be a path, a pandas DataFrame or a tuple (X, y), got {type(data).__name__}"
    )


def as_rows(
    data: Any, separator: str | None = None, na_values: list[str] | None = None, **kwargs: Any
) -> "DataFrame":
    """Return a data frame for a path, a data frame or an array of features.

    Args:
        data: A path for :func:`read_file`, a ``pandas.DataFrame``, or features ``(N, n)``.
        separator: Passed to :func:`read_file`.
        na_values: Passed to :func:`read_file`.
        **kwargs: Passed to :func:`read_file`.

    Raises:
        ValueError: If an array does not have shape ``(N, n)``.

    Example:
        >>> list(as_rows([[1.0, 2.0]]).columns)
        ['x0', 'x1']
    """
    import pandas as pd

    if isinstance(data, str | os.PathLike):
        return read_file(data, separator, na_values, **kwargs)
    return data if isinstance(data, pd.DataFrame) else _numbered_columns(data)


def _numbered_columns(features: Any) -> "DataFrame":
    import pandas as pd

    array = _to_array(features)
    if array.ndim != 2:
        raise ValueError(f"X must have shape (rows, features), got {array.shape}")
    names = [f"x{i}" for i in range(array.shape[1])]
    return pd.DataFrame(array, columns=names).infer_objects()


def _to_array(values: Any) -> Any:
    import numpy as np
    from torch import Tensor

    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _join(features: Any, values: Any, target: str) -> "DataFrame":
    import pandas as pd

    if isinstance(features, pd.DataFrame):
        frame = features.reset_index(drop=True)
    else:
        frame = _numbered_columns(features)
    values = _to_array(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"y must have shape (rows,), got {values.shape}")
    if len(values) != len(frame):
        raise ValueError(f"y must have as many rows as X, {len(frame)}, got {len(values)}")
    if target in frame.columns:
        raise ValueError(
            f"target must not be the name of a column of X, got {target!r}; choose another name"
        )
    return frame.assign(**{target: values})
