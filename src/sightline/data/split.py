"""Training, validation and test, drawn by content: a picture's side never depends on the other pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.catalogue import Catalogue
from sightline.data.source import NONE, TEST, TRAIN, VALIDATION
from sightline.errors import DataError
from sightline.keys import purpose


@dataclass(frozen=True, eq=False)
class Split:
    """Positions in the catalogue, ascending, of each side."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split(
    catalogue: Catalogue, *, seed: int, validation_fraction: float, test_fraction: float, training_per_class: int = 0
) -> Split:
    """Return the sides of every record.

    With u uniform in [0, 1), a function of the seed and the record's content:

        u < test_fraction                          → test
        u < test_fraction + validation_fraction    → validation
        otherwise                                  → training

    So copies stay together, another picture added or removed moves none, and a changed validation_fraction leaves the
    test set alone. Subsets that the source gives are kept; a side that it lacks is drawn from its training set.

    One thing does look at other pictures: a class that has none on a side gets the one whose u comes nearest.

    Args:
        catalogue: the records.
        seed: another seed divides anew.
        validation_fraction: expected share, 0 to 1; 0 leaves the side empty. Unused where the source has
            a validation set.
        test_fraction: the same for the test set.
        training_per_class: different images of each class that stay on the training side, those of the largest u; the
            others are tested on, or on no side where the source has a test set of its own. 0: all stay.

    Raises:
        DataError: a class has fewer different images than sides to fill, or no training images.
    """
    given = catalogue.subsets
    test_share = 0.0 if (given == TEST).any() else test_fraction
    validation_share = 0.0 if (given == VALIDATION).any() else validation_fraction
    sides = given.copy()
    drawn = np.flatnonzero((given == NONE) | (given == TRAIN))
    u = np.asarray(purpose(seed, "split").uniform(catalogue.keys[drawn]))
    sides[drawn] = np.where(u < test_share, TEST, np.where(u < test_share + validation_share, VALIDATION, TRAIN))
    for label in range(len(catalogue.class_names)):
        own = np.flatnonzero(catalogue.labels[drawn] == label)
        needed = [TEST] * (test_share > 0) + [VALIDATION] * (validation_share > 0) + [TRAIN]
        if set(sides[drawn[own]].tolist()) != set(needed):
            _require(catalogue, label, drawn[own], needed)
            sides[drawn[own]] = _filled(u[own], test_share, validation_share)
        if training_per_class:
            training = own[sides[drawn[own]] == TRAIN]
            most = np.unique(u[training])[-training_per_class:]
            # A source's own test set is the same for everybody, and stays so.
            sides[drawn[training[u[training] < most[0]]]] = NONE if (given == TEST).any() else TEST
    return Split(*(np.flatnonzero(sides == side).astype(np.int64) for side in (TRAIN, VALIDATION, TEST)))


def _filled(u: NDArray[np.float64], test_share: float, validation_share: float) -> NDArray[np.int8]:
    """Return sides for one class such that none is empty: two cuts through its numbers, moved as little as possible.

    Copies share their number, so they cannot be parted.
    """
    values = np.unique(u)
    count = len(values)
    first = int(np.searchsorted(values, test_share))
    second = int(np.searchsorted(values, test_share + validation_share))
    testing, validating = int(test_share > 0), int(validation_share > 0)
    first = min(max(first, testing), count - 1 - validating) if testing else 0
    if validating and second <= first:
        # The neighbors of an empty validation interval: the last one below and the first one above.
        below = test_share - values[first - 1] if first > 1 else np.inf
        above = values[first] - (test_share + validation_share) if first < count - 1 else np.inf
        first, second = (first - 1, first) if below < above else (first, first + 1)
    second = min(max(second, first + validating), count - 1)
    places = np.searchsorted(values, u)
    return np.where(places < first, TEST, np.where(places < second, VALIDATION, TRAIN)).astype(np.int8)


def _require(catalogue: Catalogue, label: int, records: NDArray[np.int64], needed: list[int]) -> None:
    """Raise DataError where the class cannot put one different image on every side."""
    different = len(np.unique(catalogue.keys[records]))
    if different >= len(needed):
        return
    name, class_name = catalogue.source.name, catalogue.class_names[label]
    if not len(records):
        raise DataError(f"{name}: class {class_name!r} has no training images. Add some, or remove the class.")
    copies = f" ({len(records)} with copies)" if len(records) > different else ""
    sides = {1: "training", 2: "training and one side held out", 3: "training, validation and test"}[len(needed)]
    raise DataError(
        f"{name}: class {class_name!r} has {different} different image{'s' if different != 1 else ''}{copies}, "
        f"wanted at least {len(needed)}, one each for {sides}. Add images, or remove the class."
    )
