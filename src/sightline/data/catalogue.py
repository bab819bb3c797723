"""The catalogue: every usable image of a source, in an order that depends on content alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightline.data.limits import Limits
from sightline.data.progress import Progress, Silent
from sightline.data.reading import examine
from sightline.data.source import SUBSET_NAMES, Refusal, Source
from sightline.errors import DataError

REASONS_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The records of a data set in columns, ordered by (digest, label).

    Names, folders and the order of listing never matter, so that renamed files train the same model.
    """

    source: Source
    index: NDArray[np.int64]
    """Position in the source, shape (n,)."""
    digests: NDArray[np.uint8]
    """blake2b-128 of the file's bytes, or of shape and pixels, shape (n, 16)."""
    labels: NDArray[np.int32]
    """Position in `class_names`, shape (n,)."""
    subsets: NDArray[np.int8]
    """NONE, TRAIN, VALIDATION or TEST as the source gives it, shape (n,)."""
    widths: NDArray[np.int32]
    """Pixels, as seen (after EXIF orientation), shape (n,)."""
    heights: NDArray[np.int32]
    """Pixels, as seen, shape (n,)."""
    channels: NDArray[np.int8]
    """1 gray, 3 color, shape (n,)."""
    class_names: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """The identity of each record, shape (n,): the first 8 bytes of its digest. Copies share it."""
        return np.ascontiguousarray(self.digests[:, :8]).view("<u8")[:, 0].astype(np.uint64, copy=False)

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that change with the content, a label, a subset or a class name."""
        hashed = hashlib.blake2b(digest_size=16)
        for column in (self.digests, self.labels.astype("<i4"), self.subsets):
            hashed.update(np.ascontiguousarray(column).tobytes())
        for name in self.class_names:
            encoded = name.encode("utf-8", "surrogatepass")
            hashed.update(len(encoded).to_bytes(4, "little") + encoded)
        return hashed.hexdigest()

    @property
    def reading_order(self) -> NDArray[np.int64]:
        """Positions of the records in the order of the source, shape (n,): the fast order to read them in."""
        return np.argsort(self.index, kind="stable").astype(np.int64)

    def name(self, position: int) -> str:
        """Return the readable name of one record."""
        return self.source.names[int(self.index[position])]

    def counts(self) -> NDArray[np.int64]:
        """Return how many records each class has, shape (classes,)."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def take(self, positions: NDArray[np.int64]) -> Catalogue:
        """Return the catalogue of the records at ascending `positions`; classes and refusals stay."""
        columns = ("index", "digests", "labels", "subsets", "widths", "heights", "channels")
        return replace(self, **{column: getattr(self, column)[positions] for column in columns})

    def without(self, positions: Iterable[int], reasons: Sequence[str] = ()) -> Catalogue:
        """Return the catalogue less the records at `positions`, listed as refused with their `reasons` where given."""
        left_out = np.fromiter(positions, dtype=np.int64)
        pairs = zip(left_out.tolist(), reasons, strict=True) if reasons else ()
        refused = (*self.refused, *(Refusal(self.name(position), reason) for position, reason in pairs))
        return replace(self.take(np.delete(np.arange(len(self)), left_out)), refused=refused)


def build_catalogue(
    source: Source,
    *,
    limits: Limits,
    threads: int = 1,
    progress: Progress | None = None,
    max_refused_fraction: float = 0.1,
    minimum_classes: int = 2,
    reread: bool = False,
) -> Catalogue:
    """Return the catalogue of `source` after reading every item once, but those whose file is known from before.

    The same bytes under two labels are left out altogether, since one of the labels must be wrong. The same bytes in
    two given subsets are kept in one, test before validation before training, so that nothing leaks.

    Args:
        source: what to read.
        limits: what a single picture may cost.
        threads: how many read at the same time, ≥ 1.
        progress: told of every item.
        max_refused_fraction: share of refused items above which nothing is returned, 0 to 1.
        minimum_classes: 2 to train; 1 where images are only evaluated.
        reread: read every file, even one that has not changed by its stamp since it was read before.

    Raises:
        DataError: too few classes, too many refusals, or a class of which nothing is left.
    """
    if not len(source.labels):
        first = f" First: {source.refused[0]}." if source.refused else ""
        raise DataError(f"{source.name}: no images.{first} Wanted pictures with their labels.")
    _require_classes(source, minimum_classes)
    entries, reasons = examine(source, limits=limits, threads=threads, progress=progress or Silent(), reread=reread)
    good = np.setdiff1d(np.arange(len(source.labels), dtype=np.int64), np.fromiter(reasons, np.int64))
    digests = np.ascontiguousarray(entries["digest"])
    words = digests.view(">u8")
    good = good[np.lexsort((source.labels[good], words[good, 1], words[good, 0]))]
    reasons.update(_conflicts(source, good, words[good]))
    kept = good[~np.isin(good, np.fromiter(reasons, np.int64, len(reasons)))]
    catalogue = Catalogue(
        source=source,
        index=kept,
        digests=digests[kept],
        labels=source.labels[kept],
        subsets=source.subsets[kept],
        widths=entries["width"][kept].astype(np.int32),
        heights=entries["height"][kept].astype(np.int32),
        channels=entries["channels"][kept].astype(np.int8),
        class_names=source.class_names,
        refused=(*source.refused, *sorted((Refusal(source.names[i], reasons[i]) for i in reasons), key=str)),
    )
    require_enough(catalogue, max_refused_fraction=max_refused_fraction)
    return catalogue


def require_enough(catalogue: Catalogue, *, max_refused_fraction: float) -> None:
    """Raise DataError where too large a share was refused, or all of a class.

    Call it again after more records were left out, as when they turn out not to decode.
    """
    refused, found = len(catalogue.refused), len(catalogue) + len(catalogue.refused)
    name = catalogue.source.name
    if refused and (refused > max_refused_fraction * found or not len(catalogue)):
        listed = "; ".join(str(refusal) for refusal in catalogue.refused[:REASONS_SHOWN])
        more = f"; and {refused - REASONS_SHOWN:,} more" if refused > REASONS_SHOWN else ""
        share = f"{refused:,} of {found:,} images are refused ({refused / found:.1%})"
        remedy = "Mend or remove them" + (
            ", or raise the limit: --set data.max_refused=…" if len(catalogue) else ", since none is left"
        )
        raise DataError(
            f"{name}: {share}, more than the limit of {max_refused_fraction:.0%}: {listed}{more}. {remedy}."
        )
    empty = np.flatnonzero(catalogue.counts() == 0)
    if len(empty):
        lost = ", ".join(repr(catalogue.class_names[i]) for i in empty[:REASONS_SHOWN])
        first = f" First: {catalogue.refused[0]}." if catalogue.refused else ""
        raise DataError(f"{name}: no usable image is left of {lost}.{first} Mend its images, or remove the class.")


def _require_classes(source: Source, minimum: int) -> None:
    count = len(source.class_names)
    if count < minimum:
        listed = ", ".join(repr(name) for name in source.class_names)
        raise DataError(
            f"{source.name}: {count} class found ({listed}), wanted at least {minimum}. A classifier tells classes "
            "apart: add another class, or, where the classes lie one folder deeper, give that folder."
        )


def _conflicts(source: Source, order: NDArray[np.int64], words: NDArray[np.uint64]) -> dict[int, str]:
    """Return items to leave out for sharing their bytes, with reasons; `order` is sorted by `words`, shape (n, 2)."""
    reasons: dict[int, str] = {}
    if not len(order):
        return reasons
    edges = np.flatnonzero((words[1:] != words[:-1]).any(axis=1)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(order)]])
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        group = order[start:end]
        labels, subsets = source.labels[group], source.subsets[group]
        if (labels != labels[0]).any():
            for item, label in zip(group.tolist(), labels, strict=True):
                others = " and ".join(repr(source.class_names[i]) for i in np.unique(labels) if i != label)
                reasons[item] = f"the same bytes are also in class {others}; one label must be wrong"
        elif (subsets != subsets.max()).any():
            stays = SUBSET_NAMES[int(subsets.max())]
            for item in group[subsets < subsets.max()].tolist():
                reasons[item] = f"the same bytes are also in {stays}; left out here so that nothing leaks"
    return reasons
