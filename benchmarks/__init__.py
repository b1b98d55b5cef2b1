"""The benchmarks: one package for each published table, run as ``python -m benchmarks.<name>``."""
