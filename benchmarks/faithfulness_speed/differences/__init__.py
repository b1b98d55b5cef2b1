"""What differs from Quantus on purpose, measured."""
