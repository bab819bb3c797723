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
    return affordable(again(recipe, facts), facts, again=lambda other: again(other, facts))


def again(recipe: Recipe, facts: DataFacts = FACTS) -> Resolved:
    return resolve(recipe, facts, CPU, decoder="pillow")


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
    assert f"and {PASSES['swift']} are wanted" in found.reasons["network.widths"]
    assert f"{minutes:g} minutes" in found.reasons["network.widths"]


def test_the_last_layer_of_a_narrower_network_takes_longer_steps() -> None:
    """In proportion to the maps that its scores are sums over, and only where its rate was left open."""
    muon = "optimizer=muon"
    rates = [of(minutes, muon).recipe.optimizer.head_rate for minutes in (10.0, 20.0, 60.0)]
    assert rates == [0.34, 0.17, 0.085]
    assert of(10.0, muon, "optimizer.head_rate=0.2").recipe.optimizer.head_rate == 0.2
    assert of(10.0).recipe.optimizer.head_rate == 1.0
    assert of(10.0, muon, "network=lenet").recipe.optimizer.head_rate == 0.1


def test_fewer_or_smaller_pictures_do_too() -> None:
    assert of(10.0, facts=replace(FACTS, training=5_000)).recipe.network.widths == (64, 256, 256)
    assert of(10.0, "training.smallest_size=0.3", "training.whole_from=0.9").recipe.network.widths == (32, 128, 128)


@pytest.mark.parametrize("choices", [["network=swift", "network.widths=[8, 8]"], ["network=vgg"], ["network=lenet"]])
def test_what_was_chosen_stays(choices: list[str]) -> None:
    recipe = apply_overrides(Recipe(), ["training.time_budget_minutes=1", *choices])
    resolved = again(recipe)
    assert affordable(resolved, FACTS, again=again) is resolved


def test_without_a_budget_nothing_changes() -> None:
    resolved = again(Recipe())
    assert affordable(resolved, FACTS, again=again) is resolved


PHOTOS = replace(FACTS, training=3_000, classes=5, median_height=240, median_width=320)


@pytest.mark.parametrize(
    ("minutes", "side", "network"),
    [(2.0, 32, "swift"), (5.0, 48, "vgg"), (20.0, 96, "vgg"), (60.0, 160, "vgg"), (120.0, 224, "vgg")],
)
def test_more_time_buys_larger_photographs(minutes: float, side: int, network: str) -> None:
    """Twenty passes over 3,000 pictures at 0.035 TFLOP/s: 0.12, 0.46, 1.8 GFLOP of 48, 96, 160 px are 3, 13, 52 min."""
    found = of(minutes, facts=PHOTOS)
    assert (found.recipe.data.image_size, found.recipe.network.name) == (side, network)
    assert f"{minutes:g} minutes are about" in found.reasons["data.image_size"]
    assert found.asked.data.image_size == "auto"
    assert list(found.recipe.network.widths)[-1] == (256 if side > 96 else found.recipe.network.widths[-1])


def test_photographs_are_never_enlarged() -> None:
    assert of(500.0, facts=replace(PHOTOS, median_height=100, median_width=90)).recipe.data.image_size == 100
    assert of(500.0, facts=replace(PHOTOS, median_height=1000, median_width=900)).recipe.data.image_size == 224


@pytest.mark.parametrize("choice", ["data.image_size=64", "network=vgg", "network=resnet"])
def test_the_size_or_network_that_was_chosen_stays(choice: str) -> None:
    recipe = apply_overrides(Recipe(), ["training.time_budget_minutes=60", choice])
    resolved = again(recipe, PHOTOS)
    assert affordable(resolved, PHOTOS, again=lambda other: again(other, PHOTOS)) is resolved
