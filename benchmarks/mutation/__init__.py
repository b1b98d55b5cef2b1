"""Mutation testing: which changes of the library its tests notice."""
