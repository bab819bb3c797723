"""What a trial came to, as its run's files tell: the numbers that arms are compared by."""

from __future__ import annotations

import json
from typing import Any

from sightline.training import Run, directory


def outcome(run: Run) -> dict[str, Any]:
    """Return the numbers of a finished run that comparisons look at, as JSON.

    `sides` has the metrics on each side that was held out, with `worst_class`, the lowest recall of a class, and
    `calibration`, the expected calibration error; `curve` has each epoch's number, seconds since the first step, and
    validation accuracy and loss; `findings` has the codes of what diagnosis found.
    """
    epochs: list[dict[str, Any]] = []
    findings: set[str] = set()
    sealed: dict[str, Any] = {}
    for line in run.events():
        match line["event"]:
            case "epoch":
                epochs.append(line)
            case "finding":
                findings.add(line["code"])
            case "sealed":
                sealed = line
    seconds = _seconds(run)
    return {
        "sides": {side: _side(sealed, side) for side in ("validation", "test") if side in sealed},
        "best_epoch": sealed["best_epoch"],
        "fingerprint": sealed["fingerprint"],
        "seconds": sum(seconds.values()),
        "curve": [
            {
                "epoch": line["epoch"],
                "training_loss": line["training_loss"],
                **{name: (line.get("validation") or {}).get(name) for name in ("accuracy", "loss")},
            }
            for line in epochs
        ],
        "findings": sorted(findings),
    }


def _side(sealed: dict[str, Any], side: str) -> dict[str, Any]:
    found = sealed[side]
    calibration = sealed["calibration"].get(side, {})
    return {
        **{name: found[name] for name in ("images", "accuracy", "balanced_accuracy", "macro_f1", "loss")},
        "worst_class": min(found["recall"]),
        "calibration": calibration.get("error_after"),
    }


def _seconds(run: Run) -> dict[int, float]:
    """Return the seconds of each epoch, the last time that it was trained."""
    found: dict[int, float] = {}
    for text in (run.path / directory.TIMES).read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["event"] == "epoch":
            found[line["epoch"]] = line["seconds"]
    return found
