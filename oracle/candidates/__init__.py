"""Implementations under test: the contract, the built-in ones, Python functions, and how their answers are read."""
