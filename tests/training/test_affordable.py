"""A time budget has the widest network that it has enough passes over the pictures for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.facts import DataFacts, Machine
from sightline.training import affordable as module
from sightline.training.affordable import PASSES, affordable
from sightline.training.resolve import Resolved, resolve

CPU = Machine(device="cpu", name="a processor", threads=1, bfloat16=False)
FACTS = DataFacts(
    source="photos",
    classes=10,
    training=45_000,
    validation=5_000,
    test=10_000,
    smallest_class=4_500,
    largest_class=4_500,
    median_height=32,
    median_width=32,
    all_gray=False,
)


def of(minutes: float, *choices: str, facts: DataFacts = FACTS) -> Resolved:
    recipe = apply_overrides(Recipe(), [f"training.time_budget_minutes={minutes}", *choices])
    return affordable(resolve(recipe, facts, CPU, decoder="pillow"), facts)


@pytest.fixture(autouse=True)
def _a_machine_of_known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 0.1 TFLOP/s, so that the arithmetic alone decides."""
    monkeypatch.setattr(module, "convolution_peak", lambda **_: 1e11)


@pytest.mark.parametrize(
    ("minutes", "widths"), [(0.1, (16, 64, 64)), (10.0, (16, 64, 64)), (20.0, (32, 128, 128)), (60.0, (64, 256, 256))]
)
def test_more_time_buys_a_wider_network(minutes: float, widths: tuple[int, ...]) -> None:
    """A picture of 32 px takes 0.71, 0.19 and 0.05 GFLOP: 45,000 of them five times 2,660, 700 and 200 s at 60 %."""
    found = of(minutes)
    assert found.recipe.network.widths == widths
    assert f"and {PASSES} are wanted" in found.reasons["network.widths"]
    assert f"{minutes:g} minutes" in found.reasons["network.widths"]


def test_fewer_or_smaller_pictures_do_too() -> None:
    assert of(10.0, facts=replace(FACTS, training=5_000)).recipe.network.widths == (64, 256, 256)
    assert of(10.0, "training.smallest_size=0.3", "training.whole_from=0.9").recipe.network.widths == (32, 128, 128)


@pytest.mark.parametrize("choices", [["network=swift", "network.widths=[8, 8]"], ["network=vgg"], ["network=lenet"]])
def test_what_was_chosen_stays(choices: list[str]) -> None:
    recipe = apply_overrides(Recipe(), ["training.time_budget_minutes=1", *choices])
    resolved = resolve(recipe, FACTS, CPU, decoder="pillow")
    assert affordable(resolved, FACTS) is resolved


def test_without_a_budget_nothing_changes() -> None:
    resolved = resolve(Recipe(), FACTS, CPU, decoder="pillow")
    assert affordable(resolved, FACTS) is resolved
