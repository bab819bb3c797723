"""What a trial came to, as its run's files tell: the numbers that arms are compared by."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from sightline.training import Run, directory


def outcome(run: Run) -> dict[str, Any]:
    """Return the numbers of a finished run that comparisons look at, as JSON.

    `sides` has the metrics on each side that was held out, with `worst_class`, the lowest recall of a class that
    occurs, and `calibration`, the expected calibration error; `curve` has each epoch's number, training loss,
    validation accuracy and loss, and seconds; `seconds` are those of all epochs, None of a training that was
    interrupted, as are those of its epochs; `findings` has the codes of what diagnosis found; `gradients` has the norm
    of the gradient of the weights before the first step, from the first layer on, of layers that are trained; it is
    empty where nobody looked.
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
                layers = [layer for layer in line["layers"] if "gradient" in layer]  # frozen ones have none
                gradients = [{key: layer[key] for key in ("name", "gradient")} for layer in layers]
    seconds = _seconds(run)
    return {
        "sides": {side: _side(sealed, side) for side in ("validation", "test") if side in sealed},
        "best_epoch": sealed["best_epoch"],
        "fingerprint": sealed["fingerprint"],
        "seconds": float(sum(seconds.values())) if len(seconds) == len(epochs) else None,
        "curve": [
            {
                "epoch": line["epoch"],
                "training_loss": line["training_loss"],
                **{name: (line.get("validation") or {}).get(name) for name in ("accuracy", "loss")},
                "seconds": seconds.get(line["epoch"]),
            }
            for line in epochs
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


def _seconds(run: Run) -> dict[int, float]:
    """Return the seconds of each epoch by its number; nothing of a training that was interrupted.

    Lines may be missing or torn where the disk was full.
    """
    lines = []
    for text in (run.path / directory.TIMES).read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(text))
    events = [line["event"] for line in lines]
    if "resumed" in events or events.count("started") > 1:  # the latter where it began anew from its first step
        return {}
    return {line["epoch"]: float(line["seconds"]) for line in lines if line["event"] == "epoch"}
