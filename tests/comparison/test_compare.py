"""Comparisons of real, small trainings: paired, complete whoever dies, the same bits as undisturbed."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from statistics import fmean

import psutil
import pytest
from crews import crew_of
from small_trainings import SMALL

import sightline
from sightline.comparison import at_once, coordinator
from sightline.comparison.arms import varied
from sightline.comparison.at_once import Crew
from sightline.comparison.plan import as_asked, from_asked, planned
from sightline.comparison.rates import SEEDS
from sightline.comparison.store import Store, url_in
from sightline.comparison.trained import trained
from sightline.errors import DataError, OutputError, RecipeError, TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import Run, train

VARY = ["network.activation=sigmoid,relu"]


@pytest.fixture(scope="module")
def compared(digits, tmp_path_factory):
    """Two arms with two seeds, undisturbed, by two workers."""
    out = tmp_path_factory.mktemp("comparison")
    found = sightline.compare(digits, SMALL, vary=VARY, seeds=2, out=out, workers=2, cache=out / "cache")
    return found, out


def bits(out: Path) -> dict[str, tuple[bytes, str]]:
    """Return the model and the log's fingerprint of each run."""
    return {
        run.name: ((run / "model.safetensors").read_bytes(), (run / "events.jsonl").read_text())
        for run in sorted((out / "runs").iterdir())
    }


def test_each_arm_has_each_seed_and_differences_are_paired(compared) -> None:
    found, out = compared
    assert found.arms == ("activation=sigmoid", "activation=relu")
    assert [(row.trial.arm, row.trial.seed, row.state) for row in found.rows] == [
        (arm, seed, "done") for seed in (0, 1) for arm in found.arms
    ]
    values = found.values()
    wanted = [values["activation=relu"][seed] - values["activation=sigmoid"][seed] for seed in (0, 1)]
    assert found.differences()["activation=relu"].tolist() == wanted
    for row in found.rows:
        run = Run(out / "runs" / row.trial.digest)
        assert values[row.trial.arm][row.trial.seed] == 100 * run.metrics["test"]["accuracy"]
        recipe = run.recipe()
        assert (recipe.training.seed, recipe.training.threads) == (row.trial.seed, 1)
        assert recipe.network.activation == row.trial.arm.removeprefix("activation=")


def test_arms_have_the_same_split(compared) -> None:
    found, out = compared
    catalogues = {(out / "runs" / row.trial.digest / "catalogue.csv").read_bytes() for row in found.rows}
    assert len(catalogues) == 1


def test_a_trial_that_cannot_be_gone_on_with_is_trained_anew(compared, digits, tmp_path) -> None:
    """Killed before its first checkpoint was there: the log has a step, and nothing to go on from."""
    found, out = compared
    row = found.rows[0]
    before = out / "runs" / row.trial.digest
    run = tmp_path / row.trial.digest
    run.mkdir()
    (run / "recipe.toml").write_bytes((before / "recipe.toml").read_bytes())
    lines = (before / "events.jsonl").read_text().splitlines()
    (run / "events.jsonl").write_text("\n".join([*lines[:1], json.dumps({"event": "weights", "weights": "x"})]) + "\n")
    again = trained(digits, from_asked(row.trial.recipe), run, cache=tmp_path / "cache")
    assert (again.path / "model.safetensors").read_bytes() == (before / "model.safetensors").read_bytes()


def test_where_nothing_can_be_written_it_ends_and_says_so(digits, tmp_path) -> None:
    plan = planned(digits, varied(apply_overrides(Recipe(), SMALL), VARY), [0, 1])
    (tmp_path / "runs").mkdir()
    for trial in plan.trials(1):
        (tmp_path / "runs" / trial.digest).write_text("no folder")
    with pytest.raises(OutputError, match="no run can be written there"):
        sightline.compare(digits, SMALL, vary=VARY, seeds=2, out=tmp_path, workers=2, cache=tmp_path / "cache")
    store = Store(url_in(tmp_path))
    assert {row.state for row in store.rows()} == {"waiting"}  # nothing is lost, and nothing counts as a death
    assert {row.attempts for row in store.rows()} == {0}
    store.close()


def test_workers_that_never_begin_are_not_begun_for_ever(digits, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(coordinator, "work", os._exit)  # whose first argument is no number, so that it raises at once
    with pytest.raises(TrainingError, match="ended before they began"):
        sightline.compare(digits, SMALL, vary=VARY, seeds=2, out=tmp_path, workers=1, cache=tmp_path / "cache")


def test_the_files_have_what_was_found(compared) -> None:
    found, out = compared
    with (out / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == found.table()["arm"]
    assert [float(row["accuracy"]) for row in rows] == pytest.approx(found.table()["accuracy"])
    told = json.loads((out / "comparison.json").read_text())
    verdict = told["verdicts"]["accuracy"]["activation=relu"]
    assert verdict["mean"] == pytest.approx(found.verdicts()["activation=relu"].mean)
    assert {trial["run"] for trial in told["trials"]} == {run.name for run in (out / "runs").iterdir()}


def test_what_was_trained_is_not_trained_again_and_more_is_added(compared, digits, monkeypatch) -> None:
    _, out = compared
    before = bits(out)
    times = {run: (out / "runs" / run / "times.jsonl").stat().st_mtime_ns for run in before}
    found = sightline.compare(
        digits, SMALL, vary=["network.activation=sigmoid,relu,tanh"], seeds=2, out=out, cache=out / "cache"
    )
    assert [row.state for row in found.rows] == ["done"] * 6
    after = bits(out)
    assert {run: after[run] for run in before} == before
    assert {run: (out / "runs" / run / "times.jsonl").stat().st_mtime_ns for run in before} == times


def test_an_arm_that_fails_is_reported_and_the_others_are_compared(digits, tmp_path) -> None:
    found = sightline.compare(
        digits,
        {**SMALL, "optimizer": "sgd", "schedule": "constant", "optimizer.weight_decay": 1.0, "training.epochs": 6},
        vary=["optimizer.learning_rate=0.01,0.02,100.0"],
        seeds=2, out=tmp_path, workers=2, cache=tmp_path / "cache",
    )  # fmt: skip
    assert set(found.failed()) == {"learning_rate=100.0"}
    assert set(found.failed()["learning_rate=100.0"]) == {0, 1}
    assert set(found.verdicts()) == {"learning_rate=0.02"}
    (said,) = [each for each in sightline.comparison.sentences(found) if "failed" in each]
    assert "in every seed" in said


def test_each_arm_has_the_best_of_its_own_rates(digits, tmp_path) -> None:
    found = sightline.compare(
        digits, SMALL, vary=["optimizer=sgd,adam"], seeds=2, tune_rate=True, out=tmp_path, workers=2,
        cache=tmp_path / "cache",
    )  # fmt: skip
    told = json.loads((tmp_path / "comparison.json").read_text())
    for row in found.rows:
        search = found.searches[row.trial.arm]
        recipe = Run(tmp_path / "runs" / row.trial.digest).recipe()
        assert recipe.optimizer.learning_rate == search.rate
        means = {fmean(each) for each in search.tried.values() if len(each) == len(SEEDS)}
        assert fmean(search.tried[search.rate]) == max(means)
        assert sorted(map(len, search.tried.values())) == [1, 1, 1, 3, 3]
        assert told["rates"][row.trial.arm]["rate"] == search.rate
    usual = {"sgd": 0.05, "adam": 0.0015}  # at a batch of 32
    for arm, search in found.searches.items():
        assert sorted(search.tried) == pytest.approx(
            [f * usual[arm.split("=")[1]] for f in (0.1, 0.3, 1, 3, 10)], rel=1e-2
        )
    assert len(list((tmp_path / "runs").iterdir())) == 2 * (5 + 2 * 2) + 2 * 2


def test_rates_are_not_searched_for_and_compared_at_once(digits, tmp_path) -> None:
    with pytest.raises(RecipeError, match="leave one of the two out"):
        sightline.compare(
            digits, SMALL, vary=["optimizer.learning_rate=0.1,0.2"], seeds=2, tune_rate=True, out=tmp_path, workers=1
        )
    with pytest.raises(DataError, match="none are held out"):
        sightline.compare(
            digits, {**SMALL, "data.validation_fraction": 0.0}, vary=VARY, seeds=2, tune_rate=True, out=tmp_path / "b",
            workers=1,
        )  # fmt: skip


def test_workers_that_are_killed_leave_the_same_bits(compared, digits, tmp_path) -> None:
    """Only those that have a trial are killed: three that die before they have one end a comparison."""
    wanted = bits(compared[1])
    over = threading.Event()
    killed = []

    def kill() -> None:
        store = Store(url_in(tmp_path))
        while not over.wait(0.3) and len(killed) < 4:
            crew = crew_of(psutil.Process())
            if crew and len(store.at_work()) == len(crew):
                killed.append(chance.choice(crew).pid)
                os.kill(killed[-1], signal.SIGKILL)
        store.close()

    chance = random.Random(0)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        deadline = time.monotonic() + 300
        while True:
            found = sightline.compare(
                digits, SMALL, vary=VARY, seeds=2, out=tmp_path, workers=2, cache=tmp_path / "cache"
            )
            if not found.failed() or time.monotonic() > deadline:
                break
    finally:
        over.set()
        killer.join()
    assert killed
    assert [row.state for row in found.rows] == ["done"] * 4
    after = bits(tmp_path)
    assert {run: after[run] for run in after} == {run: wanted[run] for run in after}


@pytest.mark.parametrize(
    ("seeds", "vary", "says"),
    [
        (1, VARY, "--seeds: found 1, wanted two at least"),
        (2, ["training.seed=1,2"], "are the same training with seed 0"),
        (2, ["data.test_fraction=0.2,0.3"], "has other test pictures"),
        (2, ["data.channels=auto,1"], "channels=auto and channels=1 come to the same training"),
        (2, ["network=lenet,swift", "training.smallest_size=1.0,0.5"], "lenet, whose dense layers know one"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_trained(digits, tmp_path, seeds, vary, says) -> None:
    chosen = {key: value for key, value in SMALL.items() if key != "training.batch_size"}
    with pytest.raises(RecipeError, match=says):
        sightline.compare(digits, chosen, vary=vary, seeds=seeds, out=tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_comparison_of_other_pictures_is_refused(compared, digits) -> None:
    images, labels = digits
    with pytest.raises(DataError, match="a comparison of other pictures"):
        sightline.compare((images[:200], labels[:200]), SMALL, vary=VARY, seeds=2, out=compared[1])


def test_how_many_at_once_is_measured(digits, tmp_path, monkeypatch) -> None:
    recipe = apply_overrides(Recipe(), SMALL)
    plan = planned(digits, varied(recipe, VARY), [0, 1])
    speeds = {(1, 2): 100.0, (2, 1): 150.0}
    monkeypatch.setattr(at_once, "_together", lambda source, recipe, workers, threads, cache: speeds[workers, threads])
    monkeypatch.setattr(at_once, "settled", lambda value: 2 if isinstance(value, int) else value)
    assert at_once.crew(digits, plan.surveyed) == Crew(2, 1, {"1 x 2": 100.0, "2 x 1": 150.0})


def test_speeds_are_those_of_real_steps(digits, tmp_path) -> None:
    recipe = as_asked(apply_overrides(Recipe(), SMALL))
    assert at_once._together(digits, recipe, 1, 1, tmp_path) > 0


@pytest.mark.parametrize("depth", ["head", "both"])
def test_speeds_of_a_transfer_are_measured_too(digits, tmp_path, depth) -> None:
    """Its first stage learns from features that are cached, which are no pictures."""
    network = {"network": "resnet", "network.width": 8, "training.epochs": 1}
    before = train(digits, {**SMALL, **network}, out=tmp_path / "before")
    chosen = {key: value for key, value in SMALL.items() if not key.startswith("network")}
    recipe = apply_overrides(Recipe(), {**chosen, "transfer.weights": str(before.model_path), "transfer.depth": depth})
    assert at_once._together(digits, as_asked(recipe), 1, 1, tmp_path) > 0
