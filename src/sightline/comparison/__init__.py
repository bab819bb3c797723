"""Comparison: recipes held against each other over several seeds."""

from sightline.comparison.comparing import compare
from sightline.comparison.comparison import Comparison, sentences
from sightline.comparison.data_efficiency import ARMS, Curve, Trial, data_efficiency

__all__ = ["ARMS", "Comparison", "Curve", "Trial", "compare", "data_efficiency", "sentences"]
