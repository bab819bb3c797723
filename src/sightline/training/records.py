"""Which pictures a run was trained on: written beside it, and held against what is on the disk now."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sightline.data import Catalogue, Split
from sightline.errors import DataError
from sightline.training import directory
from sightline.writing import write_whole

NAMED = 3
COLUMNS = {directory.CATALOGUE: ("digest", "class", "side", "name"), directory.REFUSED: ("name", "reason")}
MOVED = "moved to another side of the split, or of other classes"


def write(path: Path, catalogue: Catalogue, split: Split) -> None:
    """Write which picture is on which side of the split, and which were left out and why."""
    sides = np.full(len(catalogue.index), "unused", dtype="<U10")
    sides[split.train] = "train"
    sides[split.validation] = "validation"
    sides[split.test] = "test"
    names, classes = catalogue.source.names, catalogue.class_names
    rows = (
        (digest.tobytes().hex(), classes[label], side, names[index])
        for digest, label, side, index in zip(
            catalogue.digests, catalogue.labels.tolist(), sides.tolist(), catalogue.index.tolist(), strict=True
        )
    )
    _write_csv(path / directory.CATALOGUE, rows)
    reasons = ((refusal.name, refusal.reason) for refusal in catalogue.refused)
    _write_csv(path / directory.REFUSED, reasons)


def _write_csv(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS[path.name])
    writer.writerows(rows)
    write_whole(path, _encoded(text.getvalue()))


def changes(path: Path, now: Catalogue) -> list[str]:
    """Return in words which pictures of a run are missing or changed and which are new; empty where all are as noted.

    Names do not count: a picture that was renamed is the same picture.

    Args:
        path: the run's directory.
        now: what its source holds now, before anything is decoded.

    Raises:
        DataError: the run's own lists cannot be read.
    """
    refused = {row["name"] for row in _read(path / directory.REFUSED)}
    noted: dict[tuple[str, str], list[str]] = {}
    for row in _read(path / directory.CATALOGUE):
        noted.setdefault((row["digest"], row["class"]), []).append(row["name"])
    found: dict[tuple[str, str], list[str]] = {}
    for at, label in enumerate(now.labels):
        pair = now.digests[at].tobytes().hex(), _encoded(now.class_names[label]).decode()
        found.setdefault(pair, []).append(_encoded(now.name(at)).decode())
    # Copies share their bytes: what counts is how many there are.
    missing = _surplus(noted, found)
    new = [name for name in _surplus(found, noted) if name not in refused]
    changed = sorted(set(missing) & set(new))
    groups = {
        "changed": changed,
        "missing": sorted(set(missing) - set(changed)),
        "new": sorted(set(new) - set(changed)),
    }
    return [f"{kind}: {_listed(names)}" for kind, names in groups.items() if names]


def _surplus(these: dict[tuple[str, str], list[str]], those: dict[tuple[str, str], list[str]]) -> list[str]:
    """Return the names of the pictures of which there are more here than there."""
    found = []
    for pair, names in these.items():
        others = those.get(pair, [])
        if len(names) > len(others):
            # Those that have no namesake there first.
            ordered = sorted(names, key=lambda name, others=others: name in others)  # type: ignore[misc]
            found += ordered[: len(names) - len(others)]
    return found


def _encoded(text: str) -> bytes:
    """Return a text that may hold names of files, which need not be valid anywhere."""
    return text.encode("utf-8", "backslashreplace")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _read(path: Path) -> list[dict[str, str]]:
    columns = COLUMNS[path.name]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file, strict=True)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}). Restore it from a copy of the run.") from error
    if tuple(head) != columns or any(len(row) != len(columns) for row in rows):
        raise DataError(f"{path}: is damaged: wanted lines of {', '.join(columns)}. Restore it from a copy of the run.")
    return [dict(zip(columns, row, strict=True)) for row in rows]
