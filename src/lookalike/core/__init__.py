"""Errors, validation of inputs, result types. Imports NumPy and nothing else."""
