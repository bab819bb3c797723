"""Batch normalization's running averages against the statistics of a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sightline.diagnosis.moments import rounded


@dataclass(frozen=True)
class Mismatch:
    """Of one batch normalization."""

    name: str
    shift: float | None
    """Median over the maps of |batch mean − running mean| / running standard deviation."""
    scale: float | None
    """Median over the maps of |log(batch standard deviation / running one)|."""


@dataclass
class Compared:
    """What hooks saw of one pass."""

    mismatches: list[Mismatch] = field(default_factory=list)

    def as_list(self) -> list[dict[str, Any]]:
        """Return what the log takes."""
        return [asdict(each) for each in self.mismatches]


@contextlib.contextmanager
def comparing(network: nn.Module) -> Iterator[Compared]:
    """Compare in the body what enters each batch normalization with what it would assume at inference."""
    found = Compared()

    def watch(name: str) -> Any:
        def hook(module: _BatchNorm, inputs: tuple[Tensor, ...]) -> None:
            if module.running_mean is None or module.running_var is None:
                return
            values = inputs[0].detach().float().transpose(0, 1).flatten(1)
            mean, spread = values.mean(dim=1), (values.var(dim=1, correction=0) + module.eps).sqrt()
            usual = (module.running_var.float() + module.eps).sqrt()
            shift = ((mean - module.running_mean.float()).abs() / usual).median()
            found.mismatches.append(
                Mismatch(name, rounded(shift.item()), rounded(torch.log(spread / usual).abs().median().item()))
            )

        return hook

    hooks = [
        module.register_forward_pre_hook(watch(name))
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """Run the body as in training, but with dropout off and with running averages that stay as they are."""
    training = [module for module in network.modules() if module.training]
    tracking = [each for each in training if isinstance(each, _BatchNorm) and each.track_running_stats]
    dropping = [each for each in training if isinstance(each, nn.modules.dropout._DropoutNd)]
    for each in tracking:
        each.track_running_stats = False
    for other in dropping:
        other.training = False
    try:
        yield
    finally:
        for each in tracking:
            each.track_running_stats = True
        for other in dropping:
            other.training = True
