"""Which column of a table holds the picture and which the label, found by their usual names."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.errors import DataError

PICTURE = (
    "image", "file", "path", "filename", "img", "file_name", "filepath", "file_path", "image_path", "images", "bytes",
    "image_bytes",
)  # fmt: skip
ENCODED = ("bytes", "image_bytes")
"""Those of them that cannot mean the name of a file."""
LABEL = ("label", "class", "target", "category", "labels", "class_name", "label_name", "fine_label")


def picture_and_label(where: str, found: Sequence[str], encoded: Sequence[str] = ()) -> tuple[str, str]:
    """Return the names of the picture's and the label's column as the table spells them.

    Args:
        where: the table, for messages.
        found: all its columns.
        encoded: those that hold pictures themselves; one of them goes before a column of file names.

    Raises:
        DataError: one of them is missing.
    """
    holds_pictures = any(name.strip().lower() in PICTURE for name in encoded)
    return _first(where, encoded if holds_pictures else found, PICTURE, "picture"), _first(where, found, LABEL, "label")


def _first(where: str, found: Sequence[str], wanted: Sequence[str], what: str) -> str:
    spelled = {name.strip().lower(): name for name in reversed(found)}
    for name in wanted:
        if name in spelled:
            return spelled[name]
    listed = ", ".join(repr(name) for name in found[:12]) or "none"
    raise DataError(
        f"{where}: no column for the {what} among {listed}. Name it {', '.join(wanted[:4])} or {wanted[4]}."
    )
