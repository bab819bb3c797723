"""How soon an accuracy is reached, as arms are compared by it."""

from __future__ import annotations

import pytest

import sightline
from sightline.comparison.comparison import Comparison, sentences
from sightline.comparison.measures import MEASURES, measures
from sightline.comparison.store import Row, Trial
from sightline.errors import DataError, RecipeError


def row(arm: str, seed: int, accuracies: list[float | None], seconds: float | None = 2.0) -> Row:
    curve = [
        {"epoch": number, "training_loss": 1.0, "loss": 1.0, "accuracy": accuracy, "seconds": seconds}
        for number, accuracy in enumerate(accuracies, start=1)
    ]
    side = {"accuracy": accuracies[-1] or 0.0}
    result = {"sides": {"test": side}, "seconds": None, "curve": curve, "findings": []}
    return Row(Trial(f"{arm}{seed}", arm, seed, ""), "done", 1, "", result)


def failed(arm: str, seed: int) -> Row:
    return Row(Trial(f"{arm}{seed}", arm, seed, ""), "failed", 1, "the loss is nan", {})


def comparison(rows: list[Row], reach: float | None = 0.8) -> Comparison:
    return Comparison("photos", "test", ("a", "b", "c"), (0, 1, 2), tuple(rows), reach=reach)


ROWS = [
    *(row("a", seed, [0.5, 0.7, 0.8, 0.9]) for seed in range(3)),
    *(row("b", seed, [0.5 + 0.1 * seed, 0.85, 0.7, 0.9], seconds=3.0) for seed in range(3)),
    *(row("c", seed, [0.9 if seed == 0 else 0.1, None, 0.2, 0.3]) for seed in range(3)),
]


def test_it_is_the_first_epoch_whose_accuracy_is_as_high() -> None:
    found = comparison(ROWS)
    assert found.values("epochs_to") == {"a": {0: 3, 1: 3, 2: 3}, "b": {0: 2, 1: 2, 2: 2}, "c": {0: 1}}
    assert found.values("seconds_to") == {"a": {0: 6, 1: 6, 2: 6}, "b": {0: 6, 1: 6, 2: 6}, "c": {0: 2}}


def test_an_arm_that_does_not_come_there_with_each_seed_is_not_judged_by_those_that_do() -> None:
    found = comparison(ROWS)
    assert set(found.verdicts("epochs_to")) == {"b"}
    assert found.verdicts("epochs_to")["b"].mean == -1
    assert set(found.verdicts()) == {"b", "c"}
    said = [each for each in sentences(found) if "reaches" in each]
    assert said == [
        "a reaches 80 % on the validation pictures with 3 of 3 seeds, after 3.0 epochs in the mean and 6 s.",
        "b reaches 80 % on the validation pictures with 3 of 3 seeds, after 2.0 epochs in the mean and 6 s.",
        "c reaches 80 % on the validation pictures with 1 of 3 seeds, after 1.0 epochs in the mean and 2 s.",
    ]


def test_where_the_base_does_not_come_there_nobody_is_held_against_it() -> None:
    rows = [*(row("a", seed, [0.5, 0.6]) for seed in range(3)), *ROWS[3:]]
    assert not comparison(rows).verdicts("epochs_to")
    assert "a reaches 80 % on the validation pictures with 0 of 3 seeds." in sentences(comparison(rows))
    # Nor by the seeds with which it does.
    rows = [row("a", 0, [0.9]), row("a", 1, [0.9]), row("a", 2, [0.5]), *ROWS[3:]]
    assert not comparison(rows).verdicts("epochs_to")


def test_a_seed_that_failed_does_not_come_there() -> None:
    rows = [*ROWS[:3], row("b", 0, [0.9]), row("b", 1, [0.9]), failed("b", 2)]
    found = comparison(rows)
    assert not found.verdicts("epochs_to")
    assert found.verdicts()["b"].seeds == 2
    assert "b reaches 80 % on the validation pictures with 2 of 3 seeds, after 1.0 epochs in the mean and 2 s." in (
        sentences(found)
    )


def test_who_does_not_come_there_with_each_seed_is_not_called_the_soonest() -> None:
    first = sentences(comparison(ROWS), "epochs_to")[0]
    assert first.startswith("b ")  # two recipes are left, of which none is called the best of several


def test_a_training_that_was_interrupted_takes_away_its_own_seconds_only() -> None:
    rows = [*ROWS[:3], row("b", 0, [0.5, 0.9], seconds=None), *(row("b", seed, [0.5, 0.9], 5.0) for seed in (1, 2))]
    found = comparison(rows)
    assert found.values("seconds_to")["b"] == {1: 10.0, 2: 10.0}
    assert found.verdicts("epochs_to")["b"].seeds == 3
    assert found.verdicts("seconds_to")["b"].seeds == 2
    assert any(
        each.endswith("2.0 epochs in the mean and 10 s (of 2 that were not interrupted).") for each in sentences(found)
    )


def test_without_a_stated_accuracy_there_is_no_such_number(digits, tmp_path) -> None:
    assert measures() == MEASURES
    found = comparison(ROWS, reach=None)
    assert "epochs_to" not in found.as_dict()["values"]
    assert not [each for each in sentences(found) if "reaches" in each]
    with pytest.raises(DataError, match="wanted one of accuracy, "):
        found.values("epochs_to")
    vary = ["optimizer=sgd,adam"]
    with pytest.raises(RecipeError, match="reach: found 80, wanted"):
        sightline.compare(digits, vary=vary, reach=80.0, out=tmp_path)
    with pytest.raises(DataError, match="--reach is about validation pictures"):
        sightline.compare(digits, {"data.validation_fraction": 0.0}, vary=vary, reach=0.8, out=tmp_path)
    with pytest.raises(RecipeError, match="has other validation pictures"):
        sightline.compare(digits, vary=["data.validation_fraction=0.1,0.2"], reach=0.8, out=tmp_path)
