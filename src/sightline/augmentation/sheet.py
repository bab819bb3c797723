"""The contact sheet: training pictures, each operation alone at both ends, and draws of the whole recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray
from numpy.typing import NDArray
from PIL import Image

from sightline.augmentation.captions import lines, said, shares, title
from sightline.augmentation.draw import draw, listed
from sightline.augmentation.extremes import drawn, extreme, halved
from sightline.augmentation.layout import Column, ContactSheet
from sightline.augmentation.plan import Plan
from sightline.augmentation.render import render
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.operations import AnyOperation

CLASSES, DRAWS = 6, 6
MOST_PER_CLASS = 3

Pictures = UInt8[ndarray, "picture height width channel"]
Positions = Int64[ndarray, " picture"]


class Gathered(Protocol):
    """Pictures that are handed out by their positions, such as those of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Pictures, height, width and channels."""

    def gather(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures at `indices`."""


@dataclass(frozen=True)
class Gallery:
    """Pictures with their labels and identities, and which of them are trained on."""

    pixels: Pictures | Gathered
    class_names: Sequence[str]
    labels: NDArray[np.integer]
    keys: NDArray[np.uint64]
    training: Positions
    """Ascending. Only these are augmented, and they are the partners of mixup and cutmix."""
    sources: Pictures | Gathered | None = None
    """The same pictures at the size that augmentation draws from, where that is another one than a network's."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that a network is shown."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def source(self) -> tuple[int, int]:
        """Height and width that augmentation draws from."""
        stored = self.pixels if self.sources is None else self.sources
        return stored.shape[1], stored.shape[2]

    @property
    def channels(self) -> int:
        return self.pixels.shape[3]

    def at(self, positions: Positions) -> Pictures:
        """Return some of the pictures, as they are shown without augmentation."""
        return _gathered(self.pixels, positions)

    def sources_at(self, positions: Positions) -> Pictures:
        """Return some of the pictures, as augmentation draws from them."""
        return _gathered(self.pixels if self.sources is None else self.sources, positions)

    def some(self, classes: int) -> Positions:
        """Return the first training picture of each of the first classes; a few of each where there is room."""
        each = max(1, min(MOST_PER_CLASS, classes // max(1, len(self.class_names))))
        own = self.labels[self.training]
        of_class = (self.training[own == label][:each] for label in np.unique(own)[:classes])
        return np.concatenate(list(of_class))


def sheet(
    pixels: Pictures | Gathered,
    class_names: Sequence[str],
    labels: NDArray[np.integer],
    keys: NDArray[np.uint64],
    augmentation: Augmentation,
    *,
    training: Positions | None = None,
    sources: Pictures | Gathered | None = None,
    classes: int = CLASSES,
    draws: int = DRAWS,
    seed: int = 0,
    epoch: int = 1,
) -> Image.Image:
    """Return the contact sheet as a picture.

    Args:
        pixels: pictures of one size, uint8, or what hands them out by position.
        class_names: of the labels.
        labels: position of each picture's class in `class_names`.
        keys: identity of each picture.
        augmentation: a recipe's section, without `"auto"`.
        training: positions of the pictures that are trained on; all where None.
        sources: the pictures at the size that augmentation draws from; None where it draws from `pixels`.
        classes: rows; at most so many classes are shown.
        draws: columns of the whole recipe, one for each epoch from `epoch` on.
        seed: of the training.
        epoch: 1 for the first.
    """
    positions = np.arange(len(labels)) if training is None else training
    gallery = Gallery(pixels, class_names, labels, keys, positions, sources)
    return contact_sheet(gallery, augmentation, classes=classes, draws=draws, seed=seed, epoch=epoch).image()


def contact_sheet(
    gallery: Gallery,
    augmentation: Augmentation,
    *,
    classes: int = CLASSES,
    draws: int = DRAWS,
    seed: int = 0,
    epoch: int = 1,
) -> ContactSheet:
    """Return the contact sheet, to be written as a picture or a page; arguments as for `sheet`."""
    shown = gallery.some(classes)
    operations = listed(augmentation, channels=gallery.channels)
    columns = [_originals(gallery, shown)]
    for each in operations:
        columns += _alone(gallery, shown, augmentation, each, seed, epoch)
    for drawing in range(epoch, epoch + draws if operations else epoch):
        plan = _plan(gallery, shown, augmentation, seed, drawing)
        columns.append(_rendered(gallery, shown, f"epoch {drawing}", plan))
    labels = tuple(gallery.class_names[label] for label in gallery.labels[shown])
    return ContactSheet(title(augmentation, operations, seed=seed), labels, tuple(columns))


def one_record(
    gallery: Gallery, position: int, augmentation: Augmentation, *, seed: int, epoch: int
) -> tuple[ContactSheet, list[str]]:
    """Return one picture beside what a network is shown of it in one epoch, and what was done to it, line by line.

    A picture that is held out is shown as it is, in every epoch.
    """
    shown = np.array([position], np.int64)
    label = (str(gallery.class_names[gallery.labels[position]]),)
    original = _originals(gallery, shown)
    if not np.isin(position, gallery.training):
        kept = Column(f"epoch {epoch}", original.pictures, ("held out: left as it is",))
        return ContactSheet("A picture that is held out", label, (original, kept)), []
    operations = listed(augmentation, channels=gallery.channels)
    key, trivial = int(gallery.keys[position]), augmentation.policy == "trivial"
    plan = _plan(gallery, shown, augmentation, seed, epoch)
    done = drawn(operations, key, seed=seed, epoch=epoch, size=gallery.size, trivial=trivial)
    told = lines(done, plan, key=key, seed=seed, epoch=epoch)
    columns = [original]
    if plan.partner[0] >= 0:
        partner = _sources(gallery, shown, plan)[plan.partner[:1]]
        mixing = "cutmix" if plan.paste[0].any() else "mixup"
        columns.append(Column("partner", gallery.at(partner), (str(gallery.class_names[gallery.labels[partner[0]]]),)))
        told.append(f"{mixing} with a partner, label {_mixture(gallery, shown, plan, 0)}")
    columns.append(_rendered(gallery, shown, f"epoch {epoch}", plan))
    return ContactSheet(title(augmentation, operations, seed=seed), label, tuple(columns)), told


def _gathered(pictures: Pictures | Gathered, positions: Positions) -> Pictures:
    return pictures[positions] if isinstance(pictures, np.ndarray) else pictures.gather(positions)


def _originals(gallery: Gallery, shown: Positions) -> Column:
    return Column("original", gallery.at(shown), ("",) * len(shown))


def _alone(
    gallery: Gallery, shown: Positions, augmentation: Augmentation, operation: AnyOperation, seed: int, epoch: int
) -> list[Column]:
    """Return the columns of one operation: weakest and strongest, or one where both are the same."""
    if isinstance(operation, op.Mixup | op.Cutmix):
        always = operation.model_copy(update={"probability": 1.0})
        plan = halved(_plan(gallery, shown, _custom(augmentation, always), seed, epoch), operation)
        return [_rendered(gallery, shown, f"{operation.name}, strongest", plan)]
    ends = [extreme(operation, end, size=gallery.size) for end in ("weakest", "strongest")]
    name: str = operation.name.replace("_", " ")
    columns = []
    for each in ends[:1] if ends[0] == ends[1] else ends:
        heading = said(each) if type(each) is type(operation) else f"{name}: {said(each)}"
        plan = _plan(gallery, shown, _custom(augmentation, each), seed, epoch)
        columns.append(_rendered(gallery, shown, heading, plan))
    return columns


def _custom(augmentation: Augmentation, operation: AnyOperation) -> Augmentation:
    return augmentation.model_copy(update={"policy": "custom", "operations": (operation,)})


def _plan(gallery: Gallery, shown: Positions, augmentation: Augmentation, seed: int, epoch: int) -> Plan:
    return draw(
        augmentation,
        gallery.keys[shown],
        seed=seed,
        epoch=epoch,
        source=gallery.source,
        size=gallery.size,
        channels=gallery.channels,
        pool=gallery.keys[gallery.training],
    )


def _rendered(gallery: Gallery, shown: Positions, heading: str, plan: Plan) -> Column:
    values = render(gallery.sources_at(_sources(gallery, shown, plan)), plan, threads=1)
    captions = tuple(_mixture(gallery, shown, plan, row) for row in range(plan.own))
    return Column(heading, np.round(255.0 * values).astype(np.uint8), captions)


def _sources(gallery: Gallery, shown: Positions, plan: Plan) -> Positions:
    """Return the positions of the pictures of every row of a plan."""
    return np.concatenate([shown, gallery.training[plan.others]])


def _mixture(gallery: Gallery, shown: Positions, plan: Plan, row: int) -> str:
    if plan.partner[row] < 0:
        return ""
    other = _sources(gallery, shown, plan)[plan.partner[row]]
    own, others = int(gallery.labels[shown[row]]), int(gallery.labels[other])
    return shares(gallery.class_names, own, others, float(plan.weight[row]))
