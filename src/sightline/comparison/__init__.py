"""Comparison: recipes held against each other over several seeds."""

from sightline.comparison.data_efficiency import ARMS, Curve, Trial, data_efficiency

__all__ = ["ARMS", "Curve", "Trial", "data_efficiency"]
