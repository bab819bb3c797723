"""The sealed model: one file with weights, preprocessing, class names and where they came from; data, never code."""

from sightline.model.description import Description, InputRules
from sightline.model.loading import load, load_bytes
from sightline.model.model import Model
from sightline.model.predictions import Prediction, Predictions
from sightline.model.sealing import seal

__all__ = ["Description", "InputRules", "Model", "Prediction", "Predictions", "load", "load_bytes", "seal"]
