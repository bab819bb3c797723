"""The recipe: every choice of a training, as typed, frozen data."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from sightline.recipe.augmentation import Augmentation
from sightline.recipe.choices import Choices
from sightline.recipe.data import Data, Preprocessing
from sightline.recipe.impossible import PAIRS
from sightline.recipe.network import AutoNetwork, Network
from sightline.recipe.optimizer import AdamW, Loss, OneCycle, Optimizer, Schedule
from sightline.recipe.training import Training
from sightline.recipe.transfer import Transfer


class Recipe(Choices):
    """Every choice of a training. `Recipe()` trains a good classifier on most folders of pictures."""

    data: Data = Field(default_factory=Data, description="How pictures are read, resized and divided.")
    preprocessing: Preprocessing = Field(
        default_factory=Preprocessing, description="What is done to pixels before the network sees them."
    )
    augmentation: Augmentation = Field(
        default_factory=Augmentation, description="What training pictures are turned into, anew in every epoch."
    )
    network: Network = Field(default_factory=AutoNetwork, description="What is trained.")
    loss: Loss = Field(default_factory=Loss, description="What is made small.")
    optimizer: Optimizer = Field(default_factory=AdamW, description="How weights follow the gradient.")
    schedule: Schedule = Field(default_factory=OneCycle, description="How the rate changes over the training.")
    training: Training = Field(default_factory=Training, description="How long, how and on what.")
    transfer: Transfer = Field(default_factory=Transfer, description="What is learned from, besides the pictures.")

    @model_serializer(mode="wrap")
    def _without_what_is_idle(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Sections that mean nothing are left out, as in TOML."""
        return {key: value for key, value in write(self).items() if not getattr(self, key).idle}

    @model_validator(mode="after")
    def _can_be_honored(self) -> Recipe:
        if sentences := [sentence for pair in PAIRS if (sentence := pair(self)) is not None]:
            raise ValueError("\n".join(sentences))
        return self
