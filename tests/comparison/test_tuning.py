"""A tuning finds what is better, never looks at a test, goes on where it was, and is confirmed by fresh seeds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from small_trainings import SMALL

from sightline.comparison.space import Range, Values
from sightline.comparison.tuning import FRESH, tune
from sightline.errors import DataError, TrainingError
from sightline.recipe import read_recipe
from sightline.training import directory

pytest.importorskip("optuna", reason="optuna, which proposes recipes, is not installed")

SLOW = {**SMALL, "optimizer": "adam", "optimizer.learning_rate": 1e-5, "data.validation_fraction": 0.2}
SPACE = {"optimizer.learning_rate": Range(1e-5, 1e-2, log=True), "network.activation": Values(('"relu"', '"tanh"'))}


@pytest.fixture(scope="module")
def tuned(digits, tmp_path_factory):
    """Eight trials from a rate that is far too low."""
    out = tmp_path_factory.mktemp("tuning")
    told: list[tuple[int, float | None]] = []
    found = tune(
        digits, SLOW, space=SPACE, trials=8, seeds=3, out=out, workers=1, cache=out / "cache",
        told=lambda number, accuracy, choices: told.append((number, accuracy)),
    )  # fmt: skip
    return found, out, told


def test_what_is_far_better_is_found_and_confirmed(tuned) -> None:
    found, out, told = tuned
    assert [number for number, _ in told] == list(range(8))
    assert found.accuracy == max(accuracy for _, accuracy in told if accuracy is not None)
    rate = float(found.choices["optimizer.learning_rate"])
    assert 1e-4 < rate <= 1e-2
    assert read_recipe(out / "tuned.toml") == found.recipe
    assert found.confirmed.arms == ("the start", "the best found")
    assert found.confirmed.seeds == (FRESH, FRESH + 1, FRESH + 2)
    assert found.confirmed.verdicts()["the best found"].mean > 10


def test_no_trial_has_looked_at_a_test(tuned) -> None:
    _, out, _ = tuned
    runs = list((out / "tuning").iterdir())
    assert len(runs) == 8
    for run in runs:
        assert not (run / directory.PREDICTIONS).exists()
        assert "test" not in (run / directory.EVENTS).read_text()


def test_what_was_tried_is_listed(tuned) -> None:
    found, out, _ = tuned
    with (out / "tuning.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == [str(number) for number in range(8)]
    assert rows[0]["optimizer.learning_rate"] == ""  # the start itself
    assert sum(row["state"] == "pruned" for row in rows) == found.cut_short


def test_it_goes_on_where_it_was(tuned, digits) -> None:
    found, out, _ = tuned
    told: list[int] = []
    again = tune(
        digits, SLOW, space=SPACE, trials=9, seeds=3, out=out, workers=1, cache=out / "cache",
        told=lambda number, accuracy, choices: told.append(number),
    )  # fmt: skip
    assert told == [8]
    assert again.accuracy >= found.accuracy


def test_where_nothing_is_better_the_start_stays(digits, tmp_path) -> None:
    worse = {"optimizer.learning_rate": Range(1e-9, 1e-8, log=True)}
    start = {**SLOW, "optimizer.learning_rate": 3e-3}
    found = tune(digits, start, space=worse, trials=3, seeds=2, out=tmp_path, cache=tmp_path / "cache")
    assert found.confirmed is None
    assert not found.choices
    assert not (tmp_path / "comparison.json").exists()


def test_a_space_of_which_nothing_can_be_trained_is_said_to_be_so(digits, tmp_path) -> None:
    hopeless = {**SLOW, "optimizer": "sgd", "optimizer.learning_rate": 100.0, "optimizer.weight_decay": 1.0,
                "training.epochs": 6}  # fmt: skip
    with pytest.raises(TrainingError, match="none of 2 trials came to its end"):
        tune(
            digits, hopeless, space={"optimizer.learning_rate": Range(90.0, 100.0)}, trials=2, out=tmp_path,
            cache=tmp_path / "cache",
        )  # fmt: skip


def test_without_validation_there_is_nothing_to_choose_by(digits, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none are held out"):
        tune(digits, {**SLOW, "data.validation_fraction": 0.0}, trials=2, out=tmp_path)
