"""What a piece of advice is, and what rules ask of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sightline.recipe.choices import Choices
from sightline.recipe.facts import DataFacts
from sightline.recipe.fields import choice, default, same_kind, show
from sightline.recipe.network import SWIFT_WIDTHS, VGG, LeNet, MobileNetV2, Network, ResNet, SqueezeNet, Swift
from sightline.recipe.overrides import as_overrides
from sightline.recipe.recipe import Recipe

AUTO_BATCH = 128


@dataclass(frozen=True)
class Advice:
    """What speaks against a choice, why, who says so, and what to choose instead."""

    code: str
    """A short name that stays the same, such as `init-relu`."""
    says: str
    """What was found and what follows from it, in one sentence."""
    reason: str
    """Why it is so, for every recipe."""
    reference: str
    """The paper, the textbook or the lecture's topic."""
    change: Mapping[str, Any]
    """Dotted fields and the values that `apply_overrides` takes."""

    @property
    def overrides(self) -> tuple[str, ...]:
        """The change as what `--set` takes."""
        return as_overrides(self.change)


Rule = Callable[[Recipe, DataFacts | None], Advice | None]


def depth(network: Network) -> int | None:
    """Return the number of weighted layers one after another, None while the architecture is `auto`."""
    match network:
        case LeNet():
            return 5
        case VGG():
            return sum(network.convolutions) + len(network.hidden) + 1
        case ResNet():
            return network.depth
        case Swift():
            stages = SWIFT_WIDTHS if network.widths == "auto" else network.widths
            return len(stages) * network.convolutions + 2
        case SqueezeNet():
            return 18
        case MobileNetV2():
            return 53
        case _:
            return None


def batch_size(recipe: Recipe, facts: DataFacts) -> int:
    """Return the pictures per step, or what `auto` comes to at most."""
    size = recipe.training.batch_size
    return min(AUTO_BATCH, facts.training) if size == "auto" else size


def steps(recipe: Recipe, facts: DataFacts | None) -> int | None:
    """Return the number of updates of the whole training, None while it is not settled."""
    epochs = recipe.training.epochs
    if epochs == "auto" or facts is None or facts.training < 1:
        return None
    return epochs * math.ceil(facts.training / batch_size(recipe, facts))


def instead(section: Choices, other: type[Choices]) -> str | dict[str, Any]:
    """Return the name of another choice for a section, with the fields that only a new table can carry over.

    The name alone is enough where no field of `section` that differs from its default would be lost.
    """
    name = choice(other) or ""
    fields = type(section).model_fields
    chosen = {
        key: getattr(section, key)
        for key, field in fields.items()
        if key != "name" and show(getattr(section, key)) != show(default(field))
    }
    kept = {
        key: value
        for key, value in chosen.items()
        if key in other.model_fields and same_kind(fields[key], other.model_fields[key])
    }
    return name if kept == chosen else {"name": name, **kept}
