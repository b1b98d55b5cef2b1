"""PEAR: accuracy against agreement."""
