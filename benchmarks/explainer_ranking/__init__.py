"""Explainers, ranked by faithfulness."""
