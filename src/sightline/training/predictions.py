"""What the sealed weights say of each picture that was held out: `predictions.csv` and `mistakes.npz` of a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import nn

from sightline.data import Catalogue, Pixels
from sightline.diagnosis import Predicted
from sightline.network import grad_cam
from sightline.training import directory
from sightline.training.feed import Feed
from sightline.training.metrics import Metrics, measure
from sightline.writing import write_whole

COLUMNS = ("side", "name", "class", "predicted", "confidence", "of_class")
Places = NDArray[np.uint8] | None
Look = Callable[[NDArray[np.uint8], NDArray[np.int64]], Places]
"""Says where the network found classes in pictures."""
NAMED = 3
"""Pictures named in a message."""
SHOWN = 12
"""Pictures kept of each kind: mistakes of the greatest confidence, and predictions of the least."""


@dataclass(frozen=True)
class Judged:
    """The predictions for one side of the split."""

    side: str
    records: NDArray[np.int64]
    log_probabilities: Float[np.ndarray, "image class"]


def of(
    sides: Mapping[str, NDArray[np.int64]], predict: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> tuple[Judged, ...]:
    """Return the predictions for each side that has pictures, in the order of the sides."""
    return tuple(Judged(side, records, predict(records)) for side, records in sides.items() if len(records))


def keep(
    path: Path, catalogue: Catalogue, pixels: Pixels, judged: Sequence[Judged], *, look: Look
) -> dict[str, Metrics]:
    """Write the list of all predictions and the pictures most worth a look into a run, and return metrics by side.

    In the list, `confidence` is the probability of the predicted class and `of_class` that of the true one, as
    `judged` has them: with the temperature of the sealed model, so that they are what it will say. The last
    side, the one that counts, comes first, and the pictures are of it. A run that held out nothing has an empty list
    and no pictures. With each picture is kept where the network found the class that it predicts.

    Raises:
        OutputError: they cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in reversed(judged):
        for record, row in zip(each.records, each.log_probabilities, strict=True):
            true, predicted = int(catalogue.labels[record]), int(row.argmax())
            writer.writerow(
                (
                    each.side,
                    name_of(catalogue, int(record)),
                    catalogue.class_names[true],
                    catalogue.class_names[predicted],
                    f"{np.exp(row[predicted]):.6g}",
                    f"{np.exp(row[true]):.6g}",
                )
            )
    write_whole(path / directory.PREDICTIONS, text.getvalue().encode())
    if judged:
        write_whole(path / directory.MISTAKES, _pictures(catalogue, pixels, judged[-1], look))
    return {each.side: measure(each.log_probabilities, catalogue.labels[each.records]) for each in judged}


def read_list(path: Path) -> Iterator[Predicted]:
    """Yield the predictions that a run's list holds; none where there is no such file.

    Raises:
        OSError, KeyError, ValueError, csv.Error: it is not what a training wrote.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Predicted(
                row["side"],
                row["name"],
                row["class"],
                row["predicted"],
                float(row["confidence"]),
                float(row["of_class"]),
            )


def name_of(catalogue: Catalogue, record: int) -> str:
    """Return what a picture is called."""
    return catalogue.source.names[int(catalogue.index[record])]


def described(catalogue: Catalogue, records: NDArray[np.int64]) -> str:
    """Return the names of some pictures for a message."""
    names = [name_of(catalogue, int(each)) for each in records[:NAMED]]
    more = f" and {len(records) - len(names)} more" if len(records) > len(names) else ""
    return ", ".join(names) + more


def worth_a_look(
    log_probabilities: Float[np.ndarray, "image class"], labels: NDArray[np.integer]
) -> Mapping[str, NDArray[np.int64]]:
    """Return positions of the mistakes of the greatest confidence, and of the predictions of the least.

    Args:
        log_probabilities: of some pictures.
        labels: their true classes.

    Returns:
        `mistakes` and `uncertain`, the most remarkable first, at most `SHOWN` each; none is in both.
    """
    confidence = log_probabilities.max(axis=1)
    wrong = log_probabilities.argmax(axis=1) != labels
    order = np.argsort(-confidence, kind="stable")
    mistakes = order[wrong[order]][:SHOWN]
    left = order[::-1][~np.isin(order[::-1], mistakes)]
    return {"mistakes": mistakes.astype(np.int64), "uncertain": left[:SHOWN].astype(np.int64)}


def places(network: nn.Module, feed: Feed, pixels: NDArray[np.uint8], classes: NDArray[np.int64]) -> Places:
    """Return where a network found classes in pictures, from 0 to 255, shape of the pictures; None without maps.

    Args:
        network: in inference mode.
        feed: which standardizes.
        pixels: of the pictures.
        classes: one for each.
    """
    on_device = torch.from_numpy(classes).to(feed.device)
    inputs = feed.standardize(torch.from_numpy(pixels).to(feed.device))
    found = grad_cam(network, inputs, on_device)
    return None if found is None else (found * 255).round().to(torch.uint8).cpu().numpy()


def _pictures(catalogue: Catalogue, pixels: Pixels, judged: Judged, look: Look) -> bytes:
    found = worth_a_look(judged.log_probabilities, catalogue.labels[judged.records])
    written = io.BytesIO()
    # Positions among the rows of the list, in which this side comes first.
    arrays = {name: rows for name, rows in found.items() if len(rows)}
    seen = {f"{name}_pixels": pixels.gather(judged.records[rows]) for name, rows in arrays.items()}
    for name, rows in arrays.items():
        looked = look(seen[f"{name}_pixels"], judged.log_probabilities[rows].argmax(axis=1))
        if looked is not None:
            seen[f"{name}_places"] = looked
    np.savez_compressed(written, **arrays, **seen)  # type: ignore[arg-type]
    return written.getvalue()
