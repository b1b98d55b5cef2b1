"""Configurations of the command line, one per method and data set."""
