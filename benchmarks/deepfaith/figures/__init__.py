"""Figures of the DeepFaith benchmark."""
