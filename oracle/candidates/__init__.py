"""Implementations under test: the contract, the built-in ones, Python functions, and how their answers are read."""

from backproof.candidates.contract import Answer, Candidate, CandidateError, load

__all__ = ["Answer", "Candidate", "CandidateError", "load"]
