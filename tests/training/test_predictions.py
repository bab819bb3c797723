"""The list of predictions is what the sealed model says, and the pictures kept are the most remarkable."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import sightline
from sightline import data
from sightline.data import open_source
from sightline.training.predictions import SHOWN, worth_a_look


@given(arrays(np.float64, (30, 3), elements=st.floats(-9, 9)), arrays(np.int64, 30, elements=st.integers(0, 2)))
def test_mistakes_are_the_surest_and_the_others_the_least_sure(scores, labels):
    log_probabilities = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    found = worth_a_look(log_probabilities, labels)
    mistakes, uncertain = found["mistakes"], found["uncertain"]
    assert not set(mistakes) & set(uncertain)
    wrong = np.flatnonzero(log_probabilities.argmax(axis=1) != labels)
    assert set(mistakes) <= set(wrong)
    assert len(mistakes) == min(SHOWN, len(wrong))
    confidence = log_probabilities.max(axis=1)
    others = np.setdiff1d(wrong, mistakes)
    if len(others):
        assert confidence[mistakes].min() >= confidence[others].max()
    left = np.setdiff1d(np.arange(30), [*mistakes, *uncertain])
    assert confidence[uncertain].max() <= confidence[left].min()
    assert (np.diff(confidence[mistakes]) <= 0).all()
    assert (np.diff(confidence[uncertain]) >= 0).all()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = {"network": "lenet", "training.epochs": 2, "training.threads": 1, "optimizer.learning_rate": 0.01}
    return sightline.train("digits", recipe, out=tmp_path_factory.mktemp("runs") / "run")


def rows(run) -> list[dict[str, str]]:
    with (run.path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_is_what_the_sealed_model_says_and_what_the_metrics_count(run):
    listed = rows(run)
    assert [row["side"] for row in listed] == sorted(row["side"] for row in listed)  # test before validation
    for side, metrics in run.metrics.items():
        of_side = [row for row in listed if row["side"] == side]
        assert len(of_side) == metrics["images"]
        right = sum(row["class"] == row["predicted"] for row in of_side)
        assert right / len(of_side) == pytest.approx(metrics["accuracy"])
        loss = -np.log([float(row["of_class"]) for row in of_side]).mean()
        assert loss == pytest.approx(metrics["loss"], rel=1e-4)
    catalogue = data.build_catalogue(open_source("digits"), limits=data.Limits(), threads=1)
    names = {catalogue.source.names[int(index)]: record for record, index in enumerate(catalogue.index)}
    model, (images, _) = run.model(), digits()
    for row in listed[:20]:
        said = model.probabilities(images[int(catalogue.index[names[row["name"]]])][None]).numpy()[0]
        assert said.max() == pytest.approx(float(row["confidence"]), rel=1e-3)
        assert model.class_names[said.argmax()] == row["predicted"]


def digits():
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return (loaded.images * 255 / 16).round().astype(np.uint8)[..., None], loaded.target


def test_pictures_are_kept_with_what_is_said_of_them(run):
    listed = rows(run)
    with np.load(run.path / "mistakes.npz", allow_pickle=False) as kept:
        for row in kept["mistakes"]:
            assert listed[row]["side"] == "test"
            assert listed[row]["class"] != listed[row]["predicted"]
        assert kept["uncertain_pixels"].dtype == np.uint8
        assert len(kept["uncertain_pixels"]) == len(kept["uncertain"]) == SHOWN


def test_the_same_training_writes_the_same_files(run, tmp_path):
    again = sightline.train("digits", run.recipe(), out=tmp_path / "again")
    for name in ("predictions.csv", "mistakes.npz"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()
        assert name in (run.path / "SHA256SUMS").read_text()
