"""Weights decay; biases and normalization do not, whatever their number of dimensions."""

from __future__ import annotations

import torch
from torch import nn

from sightline.optimization import parameter_groups


class ScaleOfTwoDimensions(nn.LayerNorm):
    """A normalization whose weight has two dimensions: its kind counts, not its shape."""

    def __init__(self) -> None:
        super().__init__((3, 3))


def names(module: nn.Module, **choices: object) -> list[tuple[float, list[str]]]:
    groups = parameter_groups(module, weight_decay=0.1, **choices)  # type: ignore[arg-type]
    return [(group["weight_decay"], [name for name, _ in group["params"]]) for group in groups]


def test_weights_decay_and_nothing_else() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), ScaleOfTwoDimensions(), nn.PReLU(), nn.Linear(4, 2)
    )
    assert names(module) == [
        (0.1, ["0.weight", "5.weight"]),
        (0.0, ["0.bias", "1.weight", "1.bias", "2.weight", "2.bias", "3.weight", "3.bias", "4.weight", "5.bias"]),
    ]


def test_all_is_all() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    assert names(module, decayed="all") == [(0.1, ["0.weight", "0.bias", "1.weight", "1.bias"])]


def test_frozen_parameters_are_left_out_and_shared_ones_come_once() -> None:
    layer = nn.Linear(2, 2)
    module = nn.Sequential(layer, nn.Linear(2, 2), layer)
    module[1].requires_grad_(False)
    assert names(module) == [(0.1, ["0.weight"]), (0.0, ["0.bias"])]


def test_a_weight_shared_with_a_normalization_does_not_decay() -> None:
    normalization = nn.LayerNorm((2, 2))
    layer = nn.Linear(2, 2, bias=False)
    layer.weight = normalization.weight
    assert names(nn.Sequential(layer, normalization)) == [(0.0, ["0.weight", "1.bias"])]


def test_only_decayed_parameters_move_without_a_gradient() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimizer = torch.optim.SGD(parameter_groups(module, weight_decay=0.5), lr=0.1)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    moved = {name for name, value in module.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"0.weight"}
    torch.testing.assert_close(module[0].weight.detach(), before["0.weight"] * (1 - 0.1 * 0.5))
