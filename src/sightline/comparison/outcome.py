"""What a trial came to, as its run's files tell: the numbers that arms are compared by."""

from __future__ import annotations

import json
from typing import Any

from sightline.training import Run, directory


def outcome(run: Run) -> dict[str, Any]:
    """Return the numbers of a finished run that comparisons look at, as JSON.

    `sides` has the metrics on each side that was held out, with `worst_class`, the lowest recall of a class that
    occurs, and `calibration`, the expected calibration error; `curve` has each epoch's number, training loss,
    validation accuracy and loss, and seconds; `seconds` are those of all epochs, None of a training that was
    interrupted, as are those of its epochs; `findings` has the codes of what diagnosis found; `gradients` has the norm
    of the gradient of each layer's weights before the first step, from the first layer on, where it was looked at.
    """
    epochs: list[dict[str, Any]] = []
    findings: set[str] = set()
    sealed: dict[str, Any] = {}
    gradients: list[dict[str, Any]] = []
    for line in run.events():
        match line["event"]:
            case "epoch":
                epochs.append(line)
            case "finding":
                findings.add(line["code"])
            case "sealed":
                sealed = line
            case "probe" if not gradients:
                gradients = [{key: layer[key] for key in ("name", "gradient")} for layer in line["layers"]]
    seconds = _seconds(run)
    return {
        "sides": {side: _side(sealed, side) for side in ("validation", "test") if side in sealed},
        "best_epoch": sealed["best_epoch"],
        "fingerprint": sealed["fingerprint"],
        "seconds": None if seconds is None else float(sum(seconds)),
        "curve": [
            {
                "epoch": line["epoch"],
                "training_loss": line["training_loss"],
                **{name: (line.get("validation") or {}).get(name) for name in ("accuracy", "loss")},
                "seconds": None if seconds is None else seconds[number],
            }
            for number, line in enumerate(epochs)
        ],
        "findings": sorted(findings),
        "gradients": gradients,
    }


def _side(sealed: dict[str, Any], side: str) -> dict[str, Any]:
    found = sealed[side]
    calibration = sealed["calibration"].get(side, {})
    return {
        **{name: found[name] for name in ("images", "accuracy", "balanced_accuracy", "macro_f1", "loss")},
        "worst_class": min(
            recall for recall, row in zip(found["recall"], found["confusion"], strict=True) if sum(row) > 0
        ),
        "calibration": calibration.get("error_after"),
    }


def _seconds(run: Run) -> list[float] | None:
    """Return the seconds of each epoch; None where it was interrupted, which they do not tell of."""
    lines = [json.loads(text) for text in (run.path / directory.TIMES).read_text(encoding="utf-8").splitlines()]
    if any(line["event"] == "resumed" for line in lines):
        return None
    return [float(line["seconds"]) for line in lines if line["event"] == "epoch"]
