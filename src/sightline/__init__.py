"""Sightline trains convolutional image classifiers from your own pictures and shows its work.

import sightline

run = sightline.train("photos", {"training.epochs": 20})
predictions = sightline.load(run.model_path).predict(["new.jpg"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.classifier import SightlineClassifier
    from sightline.comparison import Comparison, compare
    from sightline.errors import SightlineError
    from sightline.model import Model, Predictions, load
    from sightline.recipe import Recipe
    from sightline.training import Run, train, transfer

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Model",
    "Predictions",
    "Recipe",
    "Run",
    "SightlineClassifier",
    "SightlineError",
    "compare",
    "load",
    "train",
    "transfer",
]

_HOMES = {
    "Comparison": "sightline.comparison",
    "Model": "sightline.model",
    "Predictions": "sightline.model",
    "Recipe": "sightline.recipe",
    "Run": "sightline.training",
    "SightlineClassifier": "sightline.classifier",
    "SightlineError": "sightline.errors",
    "compare": "sightline.comparison",
    "load": "sightline.model",
    "train": "sightline.training",
    "transfer": "sightline.training",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: it is loaded when something that needs it is first asked for.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
