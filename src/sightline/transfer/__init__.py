"""Transfer: weights that were trained on other pictures, and what fits of them."""

from sightline.transfer.fit import Fit, fit
from sightline.transfer.weights import Weights, read

__all__ = ["Fit", "Weights", "fit", "read"]
