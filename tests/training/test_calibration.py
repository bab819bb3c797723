"""Calibration against the definition, and temperatures against a brute-force search, where the answer is known too."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar

import sightline
from sightline.model.description import COLDEST, HOTTEST
from sightline.training import judge, measure
from sightline.training.calibration import (
    BINS,
    UNSURE,
    calibrate,
    expected_calibration_error,
    fit,
    reliability,
    tempered,
)
from sightline.training.predictions import Judged


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_the_definition(given_):
    confidence, right = np.array([c for c, _ in given_]), np.array([r for _, r in given_])
    expected = 0.0
    for number in range(BINS):
        inside = [(c, r) for c, r in given_ if number < c * BINS <= number + 1]
        if inside:
            accuracy = sum(r for _, r in inside) / len(inside)
            sure = sum(c for c, _ in inside) / len(inside)
            expected += len(inside) / len(given_) * abs(accuracy - sure)
    bins = reliability(confidence, right)
    assert expected_calibration_error(bins) == pytest.approx(expected, abs=1e-9)
    assert sum(each.images for each in bins) == len(given_)


def test_who_is_right_as_often_as_it_says_has_no_error():
    confidence, right = np.array([0.75] * 4 + [1.0] * 2), np.array([True, True, True, False, True, True])
    assert expected_calibration_error(reliability(confidence, right)) == pytest.approx(0)
    sure = np.ones(4), np.array([True, False, False, False])
    assert expected_calibration_error(reliability(*sure)) == pytest.approx(0.75)


def logs(scores: np.ndarray) -> np.ndarray:
    above = scores - scores.max(axis=1, keepdims=True)
    return above - np.log(np.exp(above).sum(axis=1, keepdims=True))


def loss(scores: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    return float(-logs(scores / temperature)[np.arange(len(labels)), labels].mean())


def drawn(count: int, spread: float = 3.0, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores, and labels drawn from their softmax: a model that is as sure as it should be."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(count, classes)) * spread
    below = np.exp(logs(scores)).cumsum(axis=1) < random.random((count, 1))
    return scores, np.minimum(below.sum(axis=1), classes - 1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("factor", [0.2, 0.7, 1.0, 2.5, 7.0])
def test_the_temperature_is_the_best_of_all(factor, seed):
    scores, labels = drawn(300, seed=seed)
    found = fit(logs(scores * factor), labels)
    wanted = minimize_scalar(
        lambda log: loss(scores * factor, labels, np.exp(log)), bounds=np.log([COLDEST, HOTTEST]), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    assert found.value == pytest.approx(np.exp(wanted.x), rel=1e-5)
    least = min(loss(scores * factor, labels, each) for each in np.geomspace(COLDEST, HOTTEST, 500))
    assert loss(scores * factor, labels, found.value) <= least
    assert found.why == "the least loss on 300 validation pictures"


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_scores_that_were_scaled_are_scaled_back(factor):
    scores, labels = drawn(20_000)
    assert fit(logs(scores * factor), labels).value == pytest.approx(factor, rel=0.03)
    # Exactly so in proportion: the scale of scores is the unit of the temperature.
    assert fit(logs(scores * factor), labels).value == pytest.approx(factor * fit(logs(scores), labels).value, rel=1e-7)


TIES = st.sampled_from([0.0, 1.0, 1.0 + 2**-52, -3.0])


@settings(max_examples=200)
@given(
    arrays(np.float64, (60, 4), elements=st.floats(-30, 30) | TIES),
    arrays(np.int64, 60, elements=st.integers(0, 3)),
)
def test_a_fitted_temperature_costs_no_accuracy_and_gains_in_loss(scores, labels):
    given_ = logs(scores)
    temperature = fit(given_, labels)
    assert COLDEST <= temperature.value <= HOTTEST
    after = tempered(given_, temperature.value)
    np.testing.assert_array_equal(after.argmax(axis=1), given_.argmax(axis=1))
    np.testing.assert_allclose(np.exp(after).sum(axis=1), 1, rtol=1e-12)
    before, now = measure(given_, labels), measure(after, labels)
    assert (now.accuracy, now.confusion) == (before.accuracy, before.confusion)
    assert now.loss <= before.loss + 1e-12


@given(arrays(np.float64, (20, 4), elements=st.floats(-30, 30) | TIES), st.floats(COLDEST, HOTTEST))
def test_any_temperature_leaves_the_likeliest_class(scores, temperature):
    given_ = logs(scores)
    after = tempered(given_, temperature)
    np.testing.assert_array_equal(after.argmax(axis=1), given_.argmax(axis=1))
    np.testing.assert_allclose(after, logs(scores / temperature), rtol=1e-9, atol=1e-11)


def test_a_temperature_of_one_changes_no_bit():
    given_ = logs(drawn(30)[0])
    assert tempered(given_, 1.0).tobytes() == given_.tobytes()


def test_what_cannot_be_fitted_stays_as_it_is():
    scores, labels = drawn(200)
    right = fit(logs(scores), scores.argmax(axis=1))
    assert right.value == 1
    assert right.why == "all 200 validation pictures are right, so that the best one would be 0"
    broken = logs(scores)
    broken[3, 1] = -np.inf
    assert fit(broken, labels).value == 1
    assert fit(broken, labels).why == "scores of validation pictures are not finite"
    few = fit(logs(scores[:8]), (scores[:8].argmax(axis=1) + np.eye(8, dtype=int)[3]) % 5)
    assert few.value == 1
    assert few.why.startswith("what 8 validation pictures tell of it is too little")


def test_bounds_are_kept_and_told():
    scores, labels = drawn(400)
    cold, hot = fit(logs(scores / 100), labels), fit(logs(scores * 40), labels)
    assert (cold.value, hot.value) == (COLDEST, HOTTEST)
    assert cold.why.endswith(", as low as it may be")
    assert hot.why.endswith(", as high as it may be")


def test_the_standard_error_is_how_far_temperatures_scatter():
    """As many pictures as make the error `UNSURE` scatter log T by about that; half of them are too few."""
    few, enough = (
        [fit(logs(scores), labels) for seed in range(300) for scores, labels in [drawn(count, 4.0, seed=seed)]]
        for count in (10, 60)
    )
    assert sum(each.value == 1 for each in few) > 200
    fitted = np.log([each.value for each in enough if each.value != 1])
    assert len(fitted) > 270
    assert 0.1 < fitted.std() < UNSURE


def test_sides_are_told_before_and_after_and_only_validation_is_fitted():
    scores, labels = drawn(900, seed=3)
    given_ = logs(scores * 2.5)
    records = np.random.default_rng(0).permutation(900)
    judged = (
        Judged("validation", records[:400], given_[records[:400]]),
        Judged("test", records[400:], given_[records[400:]]),
    )
    after, found = calibrate(judged, labels)
    assert found.temperature == fit(judged[0].log_probabilities, labels[judged[0].records])
    for before, now in zip(judged, after, strict=True):
        truth, side = labels[before.records], found.sides[before.side]
        np.testing.assert_array_equal(
            now.log_probabilities, tempered(before.log_probabilities, found.temperature.value)
        )
        for each, error in ((before, side.error_before), (now, side.error_after)):
            sure = np.exp(each.log_probabilities.max(axis=1))
            right = each.log_probabilities.argmax(axis=1) == truth
            assert error == expected_calibration_error(reliability(sure, right))
        assert side.loss_before == measure(before.log_probabilities, truth).loss
        assert side.error_after < side.error_before
    alone, without = calibrate(judged[1:], labels)
    assert without.temperature.value == 1
    assert "no pictures are held out for validation" in without.temperature.why
    assert alone[0].log_probabilities is judged[1].log_probabilities
    assert without.sides["test"].error_before == without.sides["test"].error_after
    broken = Judged("validation", records[:2], np.full((2, 5), np.nan))
    _, lost = calibrate((broken,), labels)
    assert lost.as_dict()["validation"] == {"loss_before": None, "error_before": None, "error_after": None}
    assert calibrate((), labels)[1].as_dict().keys() == {"temperature", "why"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = {"network": "lenet", "training.epochs": 6, "training.threads": 1}
    return sightline.train("digits", recipe, out=tmp_path_factory.mktemp("runs") / "run")


def test_a_training_seals_its_temperature_and_is_better_calibrated(run):
    *_, last_epoch, sealed = [event for event in run.events() if event["event"] in ("epoch", "sealed")]
    told, loaded = sealed["calibration"], run.model()
    assert loaded.temperature == told["temperature"] != 1
    assert told["why"].startswith("the least loss on ")
    for side in ("validation", "test"):
        assert told[side]["error_after"] < told[side]["error_before"]
        assert sealed[side]["loss"] < told[side]["loss_before"]
    assert last_epoch["validation"]["accuracy"] == sealed["validation"]["accuracy"]
    assert dict(loaded.metrics) == {side: sealed[side] for side in ("validation", "test")}


def test_what_the_model_says_afterwards_is_with_the_temperature(run):
    sealed, loaded = list(run.events())[-1], run.model()
    judged = judge(loaded, "digits")
    assert judged.side == "test"
    assert judged.metrics.loss == pytest.approx(sealed["test"]["loss"], rel=1e-4)
    assert judged.metrics.accuracy == sealed["test"]["accuracy"]
    with (run.path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["side"] == "test"]
    sure = np.array([float(row["confidence"]) for row in listed])
    right = np.array([row["class"] == row["predicted"] for row in listed])
    error = expected_calibration_error(reliability(sure, right))
    assert error == pytest.approx(sealed["calibration"]["test"]["error_after"], abs=1e-3)


def test_weights_of_a_calibrated_model_begin_a_transfer_as_they_are(run, tmp_path):
    """What was forgotten is measured by accuracy, and the way between two sets of weights by losses without it."""
    chosen = {
        "training.epochs": 1, "transfer.head_epochs": 1, "training.threads": 1, "augmentation.policy": "none",
        "transfer.source_data": "digits", "transfer.interpolation": "validation",
    }  # fmt: skip
    found = sightline.transfer(run.path, "digits", chosen, out=tmp_path / "run")
    measured, sealed = json.loads((found.path / "transfer.json").read_text()), list(found.events())[-1]
    point = next(each for each in measured["path"] if each["share"] == measured["share"])
    assert point["target_loss"] == pytest.approx(sealed["calibration"]["validation"]["loss_before"], rel=1e-6)
    assert measured["source_before"] == judge(run.model(), "digits").metrics.accuracy
