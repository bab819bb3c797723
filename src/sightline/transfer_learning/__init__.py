"""Transfer learning: weights that were trained on other pictures, and going on from them without forgetting."""

from sightline.transfer_learning.agreement import for_channels, overlapping, unlike
from sightline.transfer_learning.distillation import distillation
from sightline.transfer_learning.earlier import earlier_network
from sightline.transfer_learning.feature_store import store_features
from sightline.transfer_learning.fit import Fit, fit
from sightline.transfer_learning.interpolation import interpolated
from sightline.transfer_learning.layers import Layer, is_head, layers, rate_factors
from sightline.transfer_learning.similarity import linear_cka, outputs, relative_distance
from sightline.transfer_learning.statistics import adapt, freeze, normalizations
from sightline.transfer_learning.weights import Weights, first_convolution, read

__all__ = [
    "Fit",
    "Layer",
    "Weights",
    "adapt",
    "distillation",
    "earlier_network",
    "first_convolution",
    "fit",
    "for_channels",
    "freeze",
    "interpolated",
    "is_head",
    "layers",
    "linear_cka",
    "normalizations",
    "outputs",
    "overlapping",
    "rate_factors",
    "read",
    "relative_distance",
    "store_features",
    "unlike",
]
