"""Augmentation: which valid pictures each training picture is turned into."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sightline.recipe.choices import Choices
from sightline.recipe.operations import AnyOperation

PolicyName = Literal["auto", "none", "light", "standard", "strong", "trivial", "custom"]
Orientation = Literal["auto", "fixed", "mirror", "any"]
Fill = Literal["reflect", "edge", "constant"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]

TAKES_OPERATIONS = ("custom", "trivial")
"""Policies with which operations may be listed."""


def table(value: Any) -> Any:
    """Read the name of a policy as that policy, and a list as operations; a table with operations alone is custom."""
    if isinstance(value, str):
        return {"policy": value}
    if isinstance(value, list | tuple):
        return {"policy": "custom", "operations": value}
    if isinstance(value, dict) and value.get("operations") and "policy" not in value:
        return {"policy": "custom", **value}
    return value


class Augmentation(Choices):
    """What happens to training pictures, anew in every epoch. Validation and test pictures are left as they are."""

    policy: PolicyName = Field(
        default="auto",
        description="light, standard and strong are lists of operations; trivial does one operation of its list to "
        "each picture; custom does the operations listed. auto: by the number of pictures and what they show.",
    )
    operations: tuple[AnyOperation, ...] = Field(
        default=(),
        strict=False,
        title='a list of operations such as ["horizontal_flip", {name = "rotation", degrees = 15}]',
        description="For custom (and trivial): the operations. Those of geometry compose in this order into one "
        "resampling, those of color into one matrix.",
    )
    orientation: Orientation = Field(
        default="auto",
        description="Which orientations are valid: fixed for digits and text, mirror for photographs, any (all eight) "
        "for pictures without up and down. auto: fixed where the classes are digits or letters, otherwise mirror.",
    )
    fill: Fill = Field(default="reflect", description="What comes into view from outside the picture.")
    fill_value: Annotated[int, Field(ge=0, le=255)] = Field(
        default=0, description="Gray level outside the picture with fill constant."
    )
    interpolation: Interpolation = Field(default="bilinear", description="How values between pixels are found.")

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return table(value)

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Augmentation:
        names = [operation.name for operation in self.operations]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"found {name} {names.count(name)} times in operations, wanted each operation once.")
        if self.policy == "custom" and not names:
            raise ValueError('found policy "custom" without operations; list some, or choose policy "none".')
        if names and self.policy not in TAKES_OPERATIONS:
            raise ValueError(
                f'found operations with policy "{self.policy}", which has its own; wanted policy "custom" or "trivial".'
            )
        if "horizontal_flip" in names and "alternating_flip" in names:
            raise ValueError("found horizontal_flip and alternating_flip, which undo each other; wanted one of them.")
        if "mixup" in names and "cutmix" in names and self.policy == "custom":
            total = sum(op.probability for op in self.operations if op.name in ("mixup", "cutmix"))
            if total > 1:
                raise ValueError(
                    f"found mixup and cutmix with probabilities that add up to {total:g}; a picture has one partner, "
                    "so wanted at most 1."
                )
        if self.fill_value and self.fill != "constant":
            raise ValueError(
                f'found fill_value {self.fill_value} with fill "{self.fill}", which does not use it; wanted fill '
                '"constant", or no fill_value.'
            )
        return self
