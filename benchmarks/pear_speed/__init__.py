"""PEAR: what a training step costs."""
