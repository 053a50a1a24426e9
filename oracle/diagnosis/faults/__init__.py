"""The catalogue of faults: named ways to get one equation wrong."""
