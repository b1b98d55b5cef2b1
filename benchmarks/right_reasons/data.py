"""The data of a setting."""

from typing import Any

from benchmarks.right_reasons.setting import Setting
from pear_lightning.datamodules import (
    DecoyDigits,
    DecoyMNIST,
    IrisCancer,
    ToyColors,
    TwentyNewsgroups,
)

_DATA: dict[Any, Any] = {}


def make_data(setting: Setting, seed: int, data_dir: str | None, **more: Any) -> Any:
    """Return the data of a setting, set up; the last ones are kept for the next run."""
    seed = seed if setting.data_seed is None else setting.data_seed
    key = (
        setting.data,
        setting.data_options,
        tuple(more.items()),
        seed,
        setting.batch_size,
        setting.paper_init,
        setting.relevant,
    )
    if key not in _DATA:
        if len(_DATA) > 1:
            _DATA.clear()
        folder = {} if setting.data in ("iris", "digits", "toy") else {"data_dir": data_dir}
        cls: Any = {
            "iris": IrisCancer,
            "digits": DecoyDigits,
            "toy": ToyColors,
            "news": TwentyNewsgroups,
            "mnist": DecoyMNIST,
        }[setting.data]
        options = {**dict(setting.data_options), **folder, **more}
        data = cls(
            seed=seed,
            batch_size=setting.batch_size,
            shuffle=not setting.paper_init,
            **options,
        )
        data.setup()
        if setting.relevant:
            rows = data.rows("train")
            rows.mask = (rows.inputs > 0) & ~rows.mask
        _DATA[key] = data
    return _DATA[key]
