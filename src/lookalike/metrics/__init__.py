"""The five metrics: their names, their float64 reference, and their NumPy form."""

from lookalike.metrics.metric import Metric
from lookalike.metrics.registry import METRICS, resolve

__all__ = ["METRICS", "Metric", "resolve"]
