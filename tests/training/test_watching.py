"""Probes change no bit of a training, and what they say is in the log of whoever repeats or resumes it."""

import json

import numpy as np
import pytest
from small_transfer import SMALL as TRANSFER

from sightline.recipe import Recipe, apply_overrides
from sightline.training import Found, StepEnd, prepare, start, survey, train
from sightline.training.log import lines
from sightline.training.watching import SAMPLE, history_of, sample

SMALL = {
    "network": "vgg",
    "network.widths": [8, 16],
    "network.convolutions": [1, 1],
    "training.threads": 1,
    "training.epochs": 3,
    "training.batch_size": 16,
    "data.test_fraction": 0.2,
}
KINDS = {
    "plain": {"augmentation": "none"},
    "augmented": {"augmentation": ["crop", "mixup"]},
    "dropout": {"network.dropout": 0.4, "network.dropout_where": "everywhere"},
    "averaged": {"training.weight_averaging": 0.9},
    "in parts": {"training.gradient_accumulation": 4},
    "clipped": {"optimizer": "momentum", "optimizer.clip_norm": 0.1},
    "group": {"network.normalization": "group", "training.batch_size": 3},
    "bfloat16": {"training.precision": "bfloat16"},
}


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = generator.integers(0, 120, (120, 16, 16, 1), dtype=np.uint8)
    images[np.arange(120), 4 * labels + 2] += 120
    return images, labels


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_the_same_bits_with_probes_and_without(kind, pictures, tmp_path):
    runs = {}
    for watched in (True, False):
        chosen = {**SMALL, **KINDS[kind], "training.diagnosis": watched}
        runs[watched] = list(train(pictures, chosen, out=tmp_path / str(watched)).events())
    said = {watched: [each for each in events if "weights" in each] for watched, events in runs.items()}
    assert [each["weights"] for each in said[True]] == [each["weights"] for each in said[False]]
    assert runs[True][-1]["event"] in ("sealed", "finding")
    sealed = [next(each for each in events if each["event"] == "sealed") for events in runs.values()]
    assert sealed[0]["fingerprint"] == sealed[1]["fingerprint"]
    assert sealed[0]["validation"] == sealed[1]["validation"]
    probes = [each["step"] for each in runs[True] if each["event"] == "probe"]
    assert probes[:2] == [1, 4]
    assert not any(each["event"] in ("probe", "finding") for each in runs[False])


def test_a_transfer_is_probed_where_pixels_are_trained_on(pictures, tmp_path):
    images = np.repeat(np.repeat(pictures[0], 2, 1), 2, 2)
    train((images, pictures[1]), {**SMALL, "data.image_size": 32}, out=tmp_path / "weights")
    chosen = {
        **TRANSFER,
        "transfer.weights": str(tmp_path / "weights"),
        "transfer.head_epochs": 1,
        "training.epochs": 1,
    }
    fingerprints = set()
    for watched in (True, False):
        run = train((images, pictures[1]), {**chosen, "training.diagnosis": watched}, out=tmp_path / str(watched))
        events = list(run.events())
        fingerprints.add(next(each["fingerprint"] for each in events if each["event"] == "sealed"))
        if watched:
            second = max(each["step"] for each in events if each["event"] == "epoch" and each["epoch"] == 1)
            probes = [each["step"] for each in events if each["event"] == "probe"]
            assert [step for step in probes if step <= second] == [1]
            assert max(probes) > second
    assert len(fingerprints) == 1


def test_findings_are_told_once_and_are_in_the_log(pictures, tmp_path):
    recipe = apply_overrides(Recipe(), {**SMALL, "optimizer.learning_rate": 1e-7, "training.epochs": 14})
    (tmp_path / "run").mkdir()
    session = start(prepare(survey(pictures, recipe), cache=tmp_path), tmp_path / "run")
    told, steps = [], 0
    for event in session.events():
        steps += isinstance(event, StepEnd)
        if isinstance(event, Found):
            told.append((event.finding.code, event.finding.layer))
            logged = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
            assert (logged[-1]["event"], logged[-1]["code"]) == ("finding", told[-1][0])
    session.seal()
    assert "rate-too-low" in {code for code, _ in told}
    assert len(told) == len(set(told))
    assert steps == 14 * session.steps_per_epoch()


def test_the_sample_is_of_training_pictures(pictures, tmp_path):
    recipe = apply_overrides(Recipe(), SMALL)
    prepared = prepare(survey(pictures, recipe), cache=tmp_path)
    chosen = sample(prepared)
    assert set(chosen.tolist()) <= set(prepared.split.train.tolist())
    assert len(chosen) == min(SAMPLE, len(prepared.split.train))


def test_what_a_history_has_is_what_the_log_has(pictures, tmp_path):
    run = train(pictures, {**SMALL, "loss.label_smoothing": 0.0}, out=tmp_path / "run")
    history = history_of(run.path)
    events = list(lines(run.path / "events.jsonl"))
    assert len(history.probes) == sum(each["event"] == "probe" for each in events)
    assert history.classes == 3
    assert history.class_names == ("0", "1", "2")
    assert history.ended
    assert history.length == 3
    assert len(history.said) == run.metrics["test"]["images"] + run.metrics["validation"]["images"]
    assert history.sealed["training"]["images"] == len(
        [row for row in (run.path / "catalogue.csv").read_text().splitlines() if ",train" in row]
    )
    assert all(probe["chance"] == pytest.approx(np.log(3), rel=1e-4) for probe in history.probes)
