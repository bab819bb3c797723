"""From the recipe's optimizer section to an optimizer of torch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.optim import Optimizer

from sightline.optimization.adadelta import adadelta
from sightline.optimization.adam import adam
from sightline.optimization.adamw import adamw
from sightline.optimization.momentum import momentum
from sightline.optimization.nesterov import nesterov
from sightline.optimization.parameter_groups import parameter_groups
from sightline.optimization.rmsprop import rmsprop
from sightline.optimization.sgd import sgd
from sightline.recipe import optimizer as recipe
from sightline.recipe.choices import settled


def build(
    section: recipe.Optimizer, module: nn.Module, *, rate_factors: Mapping[str, float] | None = None
) -> Optimizer:
    """Return the update rule of a resolved `section` over the trainable parameters of `module`.

    Move the module to its device first. Clipping is the loop's part: see `clip_norm`. So is the rate, which it sets to
    the schedule's times the group's `rate_factor`.

    Args:
        section: of the recipe.
        module: the network.
        rate_factors: of parameters whose rate is not the schedule's, by name.

    Raises:
        ValueError: the learning rate is still "auto", or nothing in `module` can be trained.
    """
    rate = settled(section.learning_rate)
    groups = parameter_groups(
        module, weight_decay=section.weight_decay, decayed=section.decayed, rate_factors=rate_factors or {}
    )
    if not groups:
        raise ValueError("found no trainable parameter; wanted at least one with requires_grad")
    fused = fusible(module)
    match section:
        case recipe.Sgd():
            return sgd(groups, learning_rate=rate, fused=fused)
        case recipe.Momentum():
            return momentum(groups, learning_rate=rate, momentum=section.momentum, fused=fused)
        case recipe.Nesterov():
            return nesterov(groups, learning_rate=rate, momentum=section.momentum, fused=fused)
        case recipe.RmsProp():
            return rmsprop(groups, learning_rate=rate, decay=section.decay, epsilon=section.epsilon)
        case recipe.Adadelta():
            return adadelta(groups, learning_rate=rate, decay=section.decay, epsilon=section.epsilon)
        case recipe.Adam() | recipe.AdamW():
            rule = adam if isinstance(section, recipe.Adam) else adamw
            return rule(
                groups,
                learning_rate=rate,
                beta1=section.beta1,
                beta2=section.beta2,
                epsilon=section.epsilon,
                fused=fused,
            )


def fusible(module: nn.Module) -> bool | None:
    """Return True where torch has a fused kernel for every trainable parameter, otherwise None: torch chooses."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in trained) or None
