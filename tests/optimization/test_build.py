"""A resolved section becomes exactly the update rule and the groups it names."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from sightline.optimization import build
from sightline.recipe import optimizer as recipe
from sightline.recipe.rates import USUAL_RATES, usual_range, usual_rate

SECTIONS = get_args(get_args(recipe.Optimizer)[0])


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))


def ready() -> nn.Module:
    module = network()
    module(torch.zeros(2, 3, 6, 6))
    return module


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_setting_reaches_torch(section: type[recipe.OptimizerChoices]) -> None:
    names = {"momentum": "momentum", "decay": "rho" if section is recipe.Adadelta else "alpha", "epsilon": "eps"}
    chosen = {"learning_rate": 0.03, "momentum": 0.7, "decay": 0.6, "epsilon": 1e-4, "beta1": 0.5, "beta2": 0.8}
    chosen = {name: value for name, value in chosen.items() if name in section.model_fields}
    optimizer = build(section(weight_decay=0.01, head_rate=0.5, **chosen), ready())
    group = optimizer.param_groups[0]
    assert group["lr"] == 0.03
    if "beta1" in chosen:
        assert group["betas"] == (0.5, 0.8)
    for ours, theirs in names.items():
        if ours in chosen:
            assert group[theirs] == chosen[ours]
    decays = [found["weight_decay"] for found in optimizer.param_groups]
    assert decays == [0.01, 0.0] * 2  # the last layer has a rate of its own
    assert group.get("nesterov", False) == (section is recipe.Nesterov)
    if section is recipe.Sgd:
        assert group["momentum"] == 0


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_rule_lowers_the_loss(section: type[recipe.OptimizerChoices]) -> None:
    torch.manual_seed(0)
    module = ready()
    images, labels = torch.randn(16, 3, 6, 6), torch.arange(16) % 2
    rate = 10.0 if section is recipe.Adadelta else 0.01
    optimizer = build(section(learning_rate=rate, head_rate=1.0), module)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(module(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_state_can_be_saved_and_names_its_parameters() -> None:
    module = ready()
    first = build(recipe.AdamW(learning_rate=0.1), module)
    module(torch.ones(2, 3, 6, 6)).sum().backward()
    first.step()
    saved = first.state_dict()
    assert [group["param_names"] for group in saved["param_groups"]] == [
        ["0.weight", "4.weight"],
        ["0.bias", "1.weight", "1.bias", "4.bias"],
    ]
    second = build(recipe.AdamW(learning_rate=0.2), module)
    second.load_state_dict(saved)
    assert second.param_groups[0]["lr"] == 0.1


def test_auto_must_have_been_resolved() -> None:
    with pytest.raises(ValueError, match="resolve the recipe first"):
        build(recipe.AdamW(), ready())
    with pytest.raises(ValueError, match="resolve the recipe first"):
        build(recipe.Muon(learning_rate=0.1), ready())


def test_nothing_to_train_is_said() -> None:
    with pytest.raises(ValueError, match="no trainable parameter"):
        build(recipe.Sgd(learning_rate=0.1), nn.ReLU())


def test_every_rule_has_a_usual_rate_inside_its_range() -> None:
    assert set(USUAL_RATES) == {section.model_fields["name"].default for section in SECTIONS}
    for name in USUAL_RATES:
        low, high = usual_range(name)
        for batch_size in (1, 128, 65_536):
            value, reason = usual_rate(name, batch_size)
            assert low <= value <= high
            assert name in reason
            assert build(recipe_section(name, value), ready())


def recipe_section(name: str, value: float) -> recipe.Optimizer:
    (section,) = (found for found in SECTIONS if found.model_fields["name"].default == name)
    made: recipe.Optimizer = section(learning_rate=value, head_rate=1.0)
    return made


def test_the_usual_rate_follows_the_batch_by_the_rule_it_states() -> None:
    assert usual_rate("momentum", 256)[0] == pytest.approx(2 * usual_rate("momentum", 128)[0])
    assert usual_rate("adamw", 512)[0] == pytest.approx(2 * usual_rate("adamw", 128)[0])
    assert usual_rate("adadelta", 512)[0] == usual_rate("adadelta", 8)[0] == 1.0
    assert "in proportion" in usual_rate("sgd", 64)[1]
    assert "square root" in usual_rate("adam", 64)[1]


def test_rates_of_biases_and_of_the_head_come_upon_those_of_layers() -> None:
    section = recipe.Momentum(learning_rate=0.1, bias_rate=3.0, head_rate=2.0)
    optimizer = build(section, ready(), rate_factors={"0.weight": 0.5, "0.bias": 0.5, "4.bias": 0.25})
    found = {name: group["rate_factor"] for group in optimizer.param_groups for name in group["param_names"]}
    assert found == {"0.weight": 0.5, "0.bias": 1.5, "1.weight": 1.0, "1.bias": 3.0, "4.weight": 2.0, "4.bias": 1.5}
