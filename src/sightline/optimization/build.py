"""From the recipe's optimizer section to an optimizer of torch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.optim import Optimizer

from sightline.optimization.adadelta import adadelta
from sightline.optimization.adam import adam
from sightline.optimization.adamw import adamw
from sightline.optimization.momentum import momentum
from sightline.optimization.muon import muon
from sightline.optimization.nesterov import nesterov
from sightline.optimization.parameter_groups import NORMALIZATIONS, parameter_groups
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
        ValueError: a rate is still "auto", or nothing in `module` can be trained.
    """
    rate = settled(section.learning_rate)
    head = head_of(module)
    groups = parameter_groups(
        module,
        weight_decay=section.weight_decay,
        decayed=section.decayed,
        rate_factors=_factors(section, module, head, rate_factors or {}),
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
        case recipe.Muon():
            hidden = {name for name, _ in module.named_parameters()} - head - _normalizing(module)
            return muon(
                groups,
                is_matrix=lambda name, parameter: name in hidden and parameter.ndim >= 2,
                learning_rate=rate,
                momentum=section.momentum,
                iterations=section.iterations,
                rest_momentum=section.rest_momentum,
            )


def head_of(module: nn.Module) -> set[str]:
    """Return the names of the parameters of the last layers; without a stated head, of the last layer with a weight."""
    inside: str | None = getattr(module, "HEAD", None)
    names = [name for name, _ in module.named_parameters()]
    if inside is None:
        weights = [name for name, parameter in module.named_parameters() if parameter.ndim >= 2]
        inside = weights[-1].rpartition(".")[0] if weights else ""
    return {name for name in names if name.rpartition(".")[0] == inside or name.startswith(f"{inside}.")}


def _factors(
    section: recipe.OptimizerChoices, module: nn.Module, head: set[str], given: Mapping[str, float]
) -> dict[str, float]:
    """Return what the rate of each parameter is multiplied by, where that is not 1."""
    head_rate = settled(section.head_rate)
    if section.bias_rate == head_rate == 1.0:
        return dict(given)
    found = {}
    for name, _ in module.named_parameters():
        factor = given.get(name, 1.0) * (head_rate if name in head else 1.0)
        found[name] = factor * (section.bias_rate if name.endswith("bias") else 1.0)
    return found


def _normalizing(module: nn.Module) -> set[str]:
    return {
        f"{place}.{name}" if place else name
        for place, part in module.named_modules()
        if isinstance(part, NORMALIZATIONS)
        for name, _ in part.named_parameters(recurse=False)
    }


def fusible(module: nn.Module) -> bool | None:
    """Return True where torch has a fused kernel for every trainable parameter, otherwise None: torch chooses."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in trained) or None
