"""Faithfulness metrics: speed, and agreement with Quantus."""
