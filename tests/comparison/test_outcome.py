"""What is read of a finished run."""

import json

import pytest
from small_trainings import SMALL

from sightline.comparison.outcome import outcome
from sightline.training import Run, train

TEST = {
    "images": 9, "accuracy": 0.7, "balanced_accuracy": 0.6, "macro_f1": 0.5, "loss": 1.0, "recall": [0.8, 0.4, 0.0],
    "confusion": [[4, 1, 0], [2, 2, 0], [0, 0, 0]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("between", "seconds"),
    [
        ([], 5.0),
        ([{"event": "resumed", "seconds": 1.0}], None),
        ([{"event": "started", "seconds": 0.0}], None),  # killed before its first step was kept, and begun anew
    ],
)
def test_the_worst_class_is_one_that_occurs_and_interrupted_trainings_have_no_time(tmp_path, between, seconds) -> None:
    sealed = {"event": "sealed", "test": TEST, "best_epoch": 2, "fingerprint": "x", "calibration": {"test": {}}}
    epochs = [{"event": "epoch", "epoch": number, "training_loss": 1.0, "seconds": 2.5} for number in (1, 2)]
    probes = [
        {
            "event": "probe",
            "step": step,
            "layers": [
                {"name": "whitening", "spread": 1.0},  # frozen
                {"name": "conv1", "gradient": 0.1 * step, "spread": 1.0},
                {"name": "conv2", "gradient": None},
            ],
        }
        for step in (1, 4)
    ]
    started = {"event": "started", "seconds": 0.0}
    lines = {"events.jsonl": [*probes, *epochs, sealed], "times.jsonl": [started, epochs[0], *between, epochs[1]]}
    for name, each in lines.items():
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in each))
    found = outcome(Run(tmp_path))
    assert found["sides"]["test"]["worst_class"] == 0.4
    assert found["seconds"] == seconds
    assert [each["epoch"] for each in found["curve"]] == [1, 2]
    assert [each["seconds"] for each in found["curve"]] == [seconds and 2.5] * 2
    # Before the first step; one that is not finite keeps its place among the layers.
    assert found["gradients"] == [{"name": "conv1", "gradient": 0.1}, {"name": "conv2", "gradient": None}]


def test_of_a_disk_that_was_full_seconds_are_kept_that_are_whole(tmp_path) -> None:
    sealed = {"event": "sealed", "test": TEST, "best_epoch": 2, "fingerprint": "x", "calibration": {"test": {}}}
    epochs = [{"event": "epoch", "epoch": number, "training_loss": 1.0, "seconds": number} for number in (1, 2, 3)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*epochs, sealed]))
    first, second, third = (json.dumps(line) for line in epochs)
    (tmp_path / "times.jsonl").write_text(f"{first}\n{second[:9]}\n{third}\n")
    found = outcome(Run(tmp_path))
    assert [each["seconds"] for each in found["curve"]] == [1.0, None, 3.0]
    assert found["seconds"] is None


@pytest.mark.parametrize("recipe", [{"network": "swift", "network.widths": [8, 8, 8]}, {"network": "lenet"}])
def test_gradients_are_those_of_the_layers_that_are_trained(digits, tmp_path, recipe) -> None:
    """Swift's first layer whitens and is not trained."""
    chosen = {**SMALL, **recipe, "training.epochs": 1, "training.diagnosis": True}
    if recipe["network"] == "swift":
        del chosen["network.width"]
    run = train(digits, chosen, out=tmp_path / "run", cache=tmp_path / "cache")
    found = outcome(run)["gradients"]
    probe = next(line for line in run.events() if line["event"] == "probe")
    names = [layer["name"] for layer in probe["layers"]]
    assert [each["name"] for each in found] == (names[1:] if recipe["network"] == "swift" else names)
    assert all(each["gradient"] > 0 for each in found)
