"""Iris-Cancer: a table joined with a second table that reveals the class."""

from typing import Any, ClassVar, Literal

import torch
from typing_extensions import override

from pear_lightning.datamodules.annotated import AnnotatedDataModule
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.datamodules.scaling import Scaling, make_scaler

N_IRIS = 4
_N_TRAIN = 67


class IrisCancer(AnnotatedDataModule):
    """Iris-Cancer: breast cancer joined with measurements of flowers that reveal the class.

    100 rows with 34 features: 4 of iris (50 versicolor, then 50 virginica), and 30 of breast cancer
    (the first 50 malignant rows, then the first 50 benign rows). Both parts determine the class. In
    test rows, the flowers are removed (their columns are 0), and the mask marks them as irrelevant.
    67 rows are for training and 33 for testing, drawn with the seed and not stratified. Both tables
    are part of scikit-learn.

    Features are **not scaled** by default: 0 is the mean of a standardised feature, so removing the
    flowers would hardly affect a model that relies on them.

    Shapes:
        - ``inputs``: ``(B, 34)`` float32
        - ``target``: ``(B,)`` long: 0 malignant, 1 benign
        - ``mask``: ``(B, 34)`` bool, true in columns 0 to 3

    Args:
        test_iris: ``"zeroed"``: columns 0 to 3 of the test rows are set to 0; ``"kept"``: they are
            not changed.
        scaling: Scaling of the features, with the statistics of the training rows that are left
            after validation rows are held out; ``"none"`` as in the paper. Columns are set to 0
            after scaling.
        seed: Seed of the split.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.annotated.AnnotatedDataModule`.

    Raises:
        ValueError: If ``test_iris`` or ``scaling`` is unknown.

    Example:
        >>> data = IrisCancer()
        >>> data.setup()
        >>> data.splits, data.rows("test").inputs[:, :4].abs().sum()
        ({'train': 67, 'test': 33}, tensor(0.))

    References:
        A. Ross, M. Hughes, F. Doshi-Velez. *Right for the right reasons: training differentiable
        models by constraining their explanations.* IJCAI 2017, arXiv 1703.03717.
    """

    class_names: ClassVar[tuple[str, ...]] = ("malignant", "benign")
    marked_by: ClassVar[str] = "val_fraction, if given, because all rows are annotated"

    def __init__(
        self,
        test_iris: Literal["zeroed", "kept"] = "zeroed",
        scaling: Scaling = "none",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if test_iris not in ("zeroed", "kept"):
            raise ValueError(f"test_iris must be 'zeroed' or 'kept', got {test_iris!r}")
        make_scaler(scaling, 1)  # raises for an unknown name
        super().__init__(seed=seed, **kwargs)
        self.test_iris = test_iris
        self.scaling: Scaling = scaling

    @override
    def load_rows(self) -> dict[str, AnnotatedDataset]:
        import numpy as np
        from sklearn.datasets import load_breast_cancer, load_iris

        iris, cancer = load_iris(), load_breast_cancer()
        flowers = np.concatenate([iris.data[iris.target == each] for each in (1, 2)])
        cells = np.concatenate([cancer.data[cancer.target == each][:50] for each in (0, 1)])
        inputs = np.concatenate([flowers, cells], axis=1)
        target = torch.arange(100) // 50
        order = np.random.RandomState(self.seed).permutation(100)
        train, test = order[:_N_TRAIN], order[_N_TRAIN:]
        mask = torch.zeros(100, inputs.shape[1], dtype=torch.bool)
        mask[:, :N_IRIS] = True
        values = torch.from_numpy(inputs)
        return {
            split: AnnotatedDataset(values[rows], target[rows], mask[rows])
            for split, rows in {"train": train, "test": test}.items()
        }

    @override
    def finish_rows(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Return the scaled rows; the scaler is fitted to the rows that are left to train.

        Args:
            rows: Rows of each split in float64.
        """
        train = rows["train"].inputs.numpy()
        scaler = make_scaler(self.scaling, len(train), seed=self.seed)
        if scaler is not None:
            scaler.fit(train)
        finished = {}
        for split, each in rows.items():
            values = each.inputs.numpy()
            inputs = torch.tensor(values if scaler is None else scaler.transform(values)).float()
            if split == "test" and self.test_iris == "zeroed":
                inputs[:, :N_IRIS] = 0
            finished[split] = AnnotatedDataset(inputs, each.target, each.mask)
        return finished
