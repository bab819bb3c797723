"""What is read of a finished run."""

import json

import pytest

from sightline.comparison.outcome import outcome
from sightline.training import Run

TEST = {
    "images": 9, "accuracy": 0.7, "balanced_accuracy": 0.6, "macro_f1": 0.5, "loss": 1.0, "recall": [0.8, 0.4, 0.0],
    "confusion": [[4, 1, 0], [2, 2, 0], [0, 0, 0]],
}  # fmt: skip


@pytest.mark.parametrize(("between", "seconds"), [([], 5.0), ([{"event": "resumed", "seconds": 1.0}], None)])
def test_the_worst_class_is_one_that_occurs_and_interrupted_trainings_have_no_time(tmp_path, between, seconds) -> None:
    sealed = {"event": "sealed", "test": TEST, "best_epoch": 2, "fingerprint": "x", "calibration": {"test": {}}}
    epochs = [{"event": "epoch", "epoch": number, "training_loss": 1.0, "seconds": 2.5} for number in (1, 2)]
    probes = [
        {"event": "probe", "step": step, "layers": [{"name": "conv1", "gradient": 0.1 * step, "spread": 1.0}]}
        for step in (1, 4)
    ]
    lines = {"events.jsonl": [*probes, *epochs, sealed], "times.jsonl": [epochs[0], *between, epochs[1]]}
    for name, each in lines.items():
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in each))
    found = outcome(Run(tmp_path))
    assert found["sides"]["test"]["worst_class"] == 0.4
    assert found["seconds"] == seconds
    assert [each["epoch"] for each in found["curve"]] == [1, 2]
    assert [each["seconds"] for each in found["curve"]] == [seconds and 2.5] * 2
    assert found["gradients"] == [{"name": "conv1", "gradient": 0.1}]  # before the first step
