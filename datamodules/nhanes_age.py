"""NHANES age prediction, a data set of DeepFaith."""

from typing import ClassVar

from pear_lightning.datamodules.local_table import LocalTable


class NHANESAge(LocalTable):
    r"""NHANES 2013-2014: is a person 65 or older, from clinical measurements?

    2,278 rows with 7 features: RIAGENDR (sex), PAQ605 (physical activity), BMXBMI (body mass
    index), LBXGLU (glucose after fasting), DIQ010 (diabetes), LBXGLT (glucose after two hours) and
    LBXIN (insulin). Class 0 is Adult (1,914 rows), class 1 is Senior (364 rows). The split is
    stratified, 75 to 25 by default.

    The file also has the age in years (RIDAGEYR), which decides the class, and a serial number
    (SEQN). Both are left out; a model that gets one of them explains nothing of interest.

    Source: UCI data set 887 (licence not checked).

    Shapes:
        - ``inputs``: ``(B, 7)`` float32
        - ``target``: ``(B,)`` long

    Args:
        data_dir: Folder with ``NHANES_age_prediction.csv`` (or ``.csv.gz``), or the folder above
            it.
        features: Names of the feature columns. None takes the 7 clinical ones.
        scaling: Scaling of the features.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        FileNotFoundError: If the file is not in ``data_dir``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> names = "SEQN,age_group,RIDAGEYR,RIAGENDR,PAQ605,BMXBMI,LBXGLU,DIQ010,LBXGLT,LBXIN"
        >>> rows = [f"{i},{['Adult', 'Senior'][i % 2]},{i},1,2,{20 + i},90,2,80,4\n"
        ...         for i in range(8)]
        >>> path = Path(folder.name, "NHANES_age_prediction.csv")
        >>> _ = path.write_text(f"{names}\n{''.join(rows)}")
        >>> data = NHANESAge(folder.name)
        >>> data.setup()
        >>> data.splits, data.num_features, data.class_names
        ({'train': 6, 'test': 2}, 7, ['Adult', 'Senior'])
        >>> folder.cleanup()
    """

    file_name: ClassVar[str] = "NHANES_age_prediction.csv"
    folder: ClassVar[str] = "nhanes-age"
    target_column: ClassVar[str] = "age_group"
    columns: ClassVar[tuple[str, ...]] = (
        "RIAGENDR",
        "PAQ605",
        "BMXBMI",
        "LBXGLU",
        "DIQ010",
        "LBXGLT",
        "LBXIN",
    )
