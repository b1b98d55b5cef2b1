"""Supervision runs that are killed at random moments, against one that is not."""
