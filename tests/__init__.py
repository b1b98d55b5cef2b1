"""Tests of pear-lightning; a package so that they can import ``tests.reference``."""
