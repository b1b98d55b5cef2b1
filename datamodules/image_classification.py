"""Data module for images with one class each, from folders, the Hugging Face hub or local files."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.datamodules.image_dataset import ImageDataset
from pear_lightning.datamodules.image_source import (
    LabelledImages,
    read_image_folder,
    read_image_hub,
)
from pear_lightning.datamodules.image_transform import ImageTransform, Interpolation, as_size
from pear_lightning.datamodules.split_data_module import SplitDataModule

_BACKGROUND_ROWS = 1000


class ImageClassification(SplitDataModule):
    """Data module for images with one class each, from folders, the hub or local files.

    Images are decoded when they are used, converted to ``channels`` channels (grey images are
    repeated for each colour, colours are averaged to grey by luminance, transparency is dropped),
    resized, cropped and normalised. With ``model_name``, they are prepared as timm evaluates this
    model.

    Shapes:
        - ``inputs``: ``(B, channels, *image_size)`` float32
        - ``target``: ``(B,)`` long

    To support another data set, subclass it and override :meth:`load_images`.

    Args:
        data_dir: Folder with ``train/<class>/<file>``, and ``val`` and ``test`` likewise, or with
            ``<class>/<file>``; ``Training`` and ``Testing`` are splits, too. Hidden files and
            folders are skipped. If the only split besides ``train`` is ``val``, this is for
            testing, and ``val_fraction`` holds training images out for validation; so it is on the
            hub. None with ``hub_id``.
        hub_id: A data set on the Hugging Face hub, or anything else that ``datasets.load_dataset``
            takes (a local folder, ``"imagefolder"`` or ``"parquet"`` with ``data_files``).
        hub_config: Name of the configuration of the data set.
        data_files: Files of the data set to read.
        revision: Branch, tag or commit of the data set.
        cache_dir: Folder for the data set. None is the default folder of ``datasets``.
        image_column: Name of the column of images.
        target_column: Name of the column of labels.
        class_names: Names of the classes, in the order of the labels. None takes those of the data.
        model_name: Name of a model of timm, whose image size, interpolation, crop, mean and
            standard deviation are used. The following arguments replace them.
        image_size: Height and width of the inputs, or one number for both. None is that of the
            model, or that of the images, which must then all have the same size.
        channels: 1 for grey, 3 for colour. None is that of the model, or 3.
        mean: Mean of each channel on the scale from 0 to 1. None is that of the model, or .5.
        std: Standard deviation of each channel. None is that of the model, or .5.
        interpolation: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``. None is that of the model, or
            ``"bilinear"``.
        crop_fraction: Share of height and width that is left after cropping. None is that of the
            model if the image size is that of the model, too, or 1. Below 1 only if the image size
            is given or that of a model.
        flip: Whether to mirror training images at random.
        padding: Largest random shift of training images in pixels of the inputs.
        test_fraction: Share of the training images held out for testing if there are neither test
            nor validation images, 0 to below 1.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.split_data_module.SplitDataModule`:
            ``val_fraction``, ``seed``, ``shuffle``, ``batch_size``, ``eval_batch_size``,
            ``num_workers``, ``drop_last`` and ``pin_memory``.

    Raises:
        FileNotFoundError: If there are no images in ``data_dir``.
        ImportError: If ``model_name`` is given and timm cannot be imported.
        ValueError: If an argument is out of range, no source or two sources are given, or a label
            is not among the classes.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name, grey in {"day": 200, "night": 10}.items():
        ...     Path(folder.name, name).mkdir()
        ...     for number in range(4):
        ...         Image.new("L", (9, 7), grey).save(Path(folder.name, name, f"{number}.png"))
        >>> data = ImageClassification(folder.name, image_size=6, batch_size=4)
        >>> data.setup()
        >>> data.class_names, data.splits
        (['day', 'night'], {'train': 6, 'test': 2})
        >>> next(iter(data.train_dataloader()))[0].shape
        torch.Size([4, 3, 6, 6])
        >>> folder.cleanup()
    """

    default_channels: ClassVar[int] = 3
    default_statistics: ClassVar[tuple[tuple[float, ...], tuple[float, ...]]] = ((0.5,), (0.5,))
    """Mean and standard deviation of each channel without arguments."""

    def __init__(
        self,
        data_dir: str | None = None,
        *,
        hub_id: str | None = None,
        hub_config: str | None = None,
        data_files: str | list[str] | dict[str, str] | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        image_column: str = "image",
        target_column: str = "label",
        class_names: list[str] | None = None,
        model_name: str | None = None,
        image_size: int | Sequence[int] | None = None,
        channels: int | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        interpolation: Interpolation | None = None,
        crop_fraction: float | None = None,
        flip: bool = False,
        padding: int = 0,
        test_fraction: float = 0.25,
        **kwargs: Any,
    ) -> None:
        # a checkpoint must hold plain values only to be readable under weights_only
        data_dir = None if data_dir is None else str(data_dir)
        super().__init__(**kwargs)
        if not 0 <= test_fraction < 1:
            raise ValueError(f"test_fraction must lie in [0, 1), got {test_fraction}")
        if padding < 0:
            raise ValueError(f"padding must be at least 0 pixels, got {padding}")
        if data_dir is not None and hub_id is not None:
            raise ValueError("data_dir must be None with hub_id, got both; give one source")
        self.data_dir = data_dir
        self.hub_id = hub_id
        self.hub_config = hub_config
        self.data_files = data_files
        self.revision = revision
        self.cache_dir = cache_dir
        self.image_column = image_column
        self.target_column = target_column
        self.name_classes(class_names or [])
        self.model_name = model_name
        self.flip = flip
        self.padding = padding
        self.test_fraction = test_fraction
        self.transform = self._transform(
            as_size(image_size),
            channels,
            {
                "mean": _as_tuple(mean),
                "std": _as_tuple(std),
                "interpolation": interpolation,
                "crop_fraction": crop_fraction,
            },
        )

    def load_images(self) -> dict[str, LabelledImages]:
        """Return the images of ``"train"``, and of ``"val"`` and ``"test"`` if there are any.

        Sets :attr:`class_names`.
        """
        names = self.class_names or None
        if self.hub_id is not None:
            splits, found = read_image_hub(
                self.hub_id,
                self.hub_config,
                image=self.image_column,
                target=self.target_column,
                class_names=names,
                data_files=self.data_files,
                revision=self.revision,
                cache_dir=self.cache_dir,
            )
        elif self.data_dir is not None:
            splits, found = read_image_folder(self.data_dir, names)
        else:
            raise ValueError("data_dir (a folder of images) or hub_id must be given, got neither")
        self.name_classes(found)
        return splits

    @override
    def prepare_data(self) -> None:
        if self.hub_id is not None:
            self.load_images()  # fills the cache for the other processes

    @override
    def load_rows(self) -> dict[str, ImageDataset]:
        return {
            split: ImageDataset(each.images, each.target, self.transform, each.mask)
            for split, each in self.load_images().items()
        }

    @override
    def setup(self, stage: str | None = None) -> None:
        if self._datasets:
            return  # all stages use the same images
        super().setup(stage)
        train = self._datasets["train"]
        self._unchanged = train
        self._datasets["train"] = train.changed_at_random(flip=self.flip, padding=self.padding)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape ``(C, H, W)`` of an input."""
        return tuple(self.rows("train")[0][0].shape)

    @property
    def training_mean(self) -> Tensor:
        """Mean ``(C, H, W)`` of up to 1,000 training images, the baseline of many explanations."""
        return self.training_rows(_BACKGROUND_ROWS).mean(dim=0)

    def training_rows(self, n: int, seed: int = 0) -> Tensor:
        """Draw up to ``n`` different training images without random changes, as background data.

        Args:
            n: Number of images; if there are fewer, all images are drawn.
            seed: Seed of the draw.

        Returns:
            Inputs ``(min(n, N), C, H, W)``.

        Raises:
            ValueError: If ``n`` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        self.rows("train")
        generator = torch.Generator().manual_seed(seed)
        order: list[int] = torch.randperm(len(self._unchanged), generator=generator).tolist()
        inputs: Tensor = self._unchanged.__getitems__(order[:n])[0]
        return inputs

    def _transform(
        self, size: tuple[int, int] | None, channels: int | None, wanted: dict[str, Any]
    ) -> ImageTransform:
        given = {name: value for name, value in wanted.items() if value is not None}
        if self.model_name is not None:
            of_model = ImageTransform.of_model(self.model_name, size, channels)
            return ImageTransform(**{**vars(of_model), **given})
        channels = channels or self.default_channels
        mean, std = self.default_statistics
        if channels == 1 and len(mean) == 3:
            mean, std = (sum(mean) / 3,), (sum(std) / 3,)
        return ImageTransform(**{"channels": channels, "size": size, "mean": mean, "std": std,
                                 **given})  # fmt: skip

    def _refuse_source(self) -> None:
        """Raise for arguments that name a source, in a class with a fixed source."""
        if self.hub_id is not None or self.data_files is not None:
            raise ValueError(
                f"hub_id and data_files must be None for {type(self).__name__}, which has fixed "
                "images, got a source; use ImageClassification for other images"
            )


def _as_tuple(values: float | Sequence[float] | None) -> tuple[float, ...] | None:
    if values is None:
        return None
    return (float(values),) if isinstance(values, int | float) else tuple(map(float, values))
