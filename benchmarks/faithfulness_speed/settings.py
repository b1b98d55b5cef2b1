"""How much is measured, and with which settings of the metrics."""

SAMPLES = {"table": 512, "light": 32, "wide": 4}
"""Samples of each problem."""

BATCHES = {"table": (1, 16, 64, 512), "light": (1, 8, 32, 128)}
IN_BATCHES = ("faithfulness correlation", "deletion")
"""Which metrics are measured in batches of several sizes."""

RUNS = 100  # random subsets
DRAWS = 10  # of a random baseline on the table, and of the noise of max-sensitivity
RADIUS = 0.02
PATCH = 4  # 49 regions
PIXELS_PER_STEP = 28  # 28 steps
