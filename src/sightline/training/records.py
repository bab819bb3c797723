"""Which pictures a run was trained on: written beside it, and held against what is on the disk now."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sightline.data import Catalogue, Split
from sightline.errors import DataError
from sightline.training import directory
from sightline.writing import write_whole

NAMED = 3


def write(path: Path, catalogue: Catalogue, split: Split) -> None:
    """Write which picture is on which side of the split, and which were left out and why."""
    sides = np.full(len(catalogue.index), "train", dtype="<U10")
    sides[split.validation] = "validation"
    sides[split.test] = "test"
    names, classes = catalogue.source.names, catalogue.class_names
    rows = (
        (digest.tobytes().hex(), classes[label], side, names[index])
        for digest, label, side, index in zip(
            catalogue.digests, catalogue.labels.tolist(), sides.tolist(), catalogue.index.tolist(), strict=True
        )
    )
    _write_csv(path / directory.CATALOGUE, ("digest", "class", "side", "name"), rows)
    reasons = ((refusal.name, refusal.reason) for refusal in catalogue.refused)
    _write_csv(path / directory.REFUSED, ("name", "reason"), reasons)


def _write_csv(path: Path, head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
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
    noted = {(row["digest"], row["class"]): row["name"] for row in _read(path / directory.CATALOGUE)}
    refused = {row["name"] for row in _read(path / directory.REFUSED)}
    found = [
        (now.digests[at].tobytes().hex(), now.class_names[label], _encoded(now.name(at)).decode())
        for at, label in enumerate(now.labels)
    ]
    present = Counter((digest, label) for digest, label, _ in found)
    missing = [name for pair, name in noted.items() if not present[pair]]
    new = [name for digest, label, name in found if (digest, label) not in noted and name not in refused]
    changed = sorted(set(missing) & set(new))
    groups = {
        "changed": changed,
        "missing": sorted(set(missing) - set(changed)),
        "new": sorted(set(new) - set(changed)),
    }
    return [f"{kind}: {_listed(names)}" for kind, names in groups.items() if names]


def _encoded(text: str) -> bytes:
    """Return a text that may hold names of files, which need not be valid anywhere."""
    return text.encode("utf-8", "backslashreplace")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}). Restore it from a copy of the run.") from error
