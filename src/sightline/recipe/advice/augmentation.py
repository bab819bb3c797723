"""Advice on augmentation: pictures that are no longer valid, and more or less change than the training bears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sightline.recipe import operations as op
from sightline.recipe import policies
from sightline.recipe.advice.advice import Advice, Rule
from sightline.recipe.facts import DataFacts
from sightline.recipe.fields import choice, default, in_order
from sightline.recipe.operations import Operation
from sightline.recipe.recipe import Recipe

LARGEST_TURN_OF_TEXT = 30.0
USUAL_TURN = 15.0
SMALLEST_CROP = 0.25
LARGEST_COVER = 0.5
LARGEST_NOISE = 0.25
USUAL_NOISE = 0.1
LARGEST_SHIFT = 0.3
FEW_PICTURES = 5_000
FEW_EPOCHS = 10
MANY_OPERATIONS = 10

TURNED = 'Lecture, "Image Transformations": every transformation that yields a valid image.'
COLORLESS = (op.Saturation, op.Hue, op.Grayscale)
"""Operations that leave gray as it is."""
MOVES = (*op.GEOMETRY, op.Elastic, op.Lens)
"""Operations after which a pixel shows another place."""

Kind = TypeVar("Kind", bound=Operation)


def turned_text(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A 6 upside down is a 9."""
    if _orientation(recipe, facts) != "fixed":
        return None
    listed = _operations(recipe, facts)
    rotation = _one(listed, op.Rotation)
    turned = [each for each in listed if isinstance(each, op.VerticalFlip | op.QuarterTurns)]
    turns, left = _names(turned), _without(listed, *turned)
    if rotation is not None and max(map(abs, rotation.degrees)) > LARGEST_TURN_OF_TEXT:
        turns.append(f"rotation by up to {max(map(abs, rotation.degrees)):g} degrees")
        left = _with(left, rotation, degrees=(-USUAL_TURN, USUAL_TURN))
    if not turns:
        return None
    return Advice(
        code="turned-text",
        says=f"Digits or letters are turned by {' and '.join(turns)}.",
        reason="Upside down or on its side, a digit or letter is another one, or none.",
        reference=TURNED,
        change=_change(left),
    )


def mirrored_text(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A mirrored b is a d."""
    if _orientation(recipe, facts) != "fixed":
        return None
    listed = _operations(recipe, facts)
    flip = _one(listed, op.HorizontalFlip) or _one(listed, op.AlternatingFlip)
    if flip is None:
        return None
    return Advice(
        code="mirrored-text",
        says=f"Digits or letters are mirrored by {flip.name}.",
        reason="Most of them mean nothing in a mirror, and a mirrored b is a d.",
        reference=TURNED,
        change=_change(_without(listed, flip)),
    )


def color_of_gray(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Gray has no hue and no saturation."""
    listed = _operations(recipe, facts)
    idle = [each for each in listed if isinstance(each, COLORLESS)]
    if facts is None or not facts.all_gray or not idle:
        return None
    return Advice(
        code="color-of-gray",
        says=f"Every picture is gray, so that {' and '.join(_names(idle))} changes nothing.",
        reason="These operations turn colors about gray or move them towards it, and gray stays where it is.",
        reference="Gonzalez and Woods, Digital Image Processing, chapter 6, color models.",
        change=_change(_without(listed, *idle)),
    )


def small_crops(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """What the label is about may lie outside the rectangle."""
    listed = _operations(recipe, facts)
    crop = _one(listed, op.Crop)
    if crop is None or crop.area[0] >= SMALLEST_CROP:
        return None
    return Advice(
        code="small-crops",
        says=f"A crop of {crop.area[0]:.0%} of the picture may show nothing of what its label is about.",
        reason="A picture without its object has a wrong label; crops of 8% are meant for a million pictures and "
        "hundreds of epochs.",
        reference="Szegedy et al., Going Deeper with Convolutions (2015), section 6; Touvron et al., Fixing the "
        "train-test resolution discrepancy (2019).",
        change=_change(_with(listed, crop, area=(SMALLEST_CROP, max(SMALLEST_CROP, crop.area[1])))),
    )


def large_covers(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """What is covered cannot be recognized."""
    listed = _operations(recipe, facts)
    erasing = _one(listed, op.Erasing)
    if erasing is None or erasing.area[1] <= LARGEST_COVER:
        return None
    return Advice(
        code="large-covers",
        says=f"Erasing covers up to {erasing.area[1]:.0%} of a picture.",
        reason="A cover is to make the network look at every part of an object, not to hide all of it.",
        reference="DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout (2017), "
        "figure 3.",
        change=_change(_with(listed, erasing, area=(min(LARGEST_COVER, erasing.area[0]), LARGEST_COVER))),
    )


def much_noise(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Noise that drowns the picture teaches noise."""
    listed = _operations(recipe, facts)
    noise = _one(listed, op.GaussianNoise)
    if noise is None or noise.deviation[1] <= LARGEST_NOISE:
        return None
    return Advice(
        code="much-noise",
        says=f"Noise with a deviation of up to {noise.deviation[1]:g} is as strong as the picture itself, in which "
        "values deviate by about 0.25.",
        reason="Up to 0.1 is usual; under much more, the picture can no longer be made out.",
        reference="Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions (2019): 0.08 "
        "to 0.38, weak to severe.",
        change=_change(_with(listed, noise, deviation=(min(USUAL_NOISE, noise.deviation[0]), USUAL_NOISE))),
    )


def far_shifts(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """An object that is moved out of the picture is not in it."""
    listed = _operations(recipe, facts)
    way, left = 0.0, list(listed)
    if (shift := _one(listed, op.Translation)) is not None:
        way = max(map(abs, (*shift.horizontal, *shift.vertical)))
        left = _with(left, shift, horizontal=_clipped(shift.horizontal), vertical=_clipped(shift.vertical))
    if (padded := _one(listed, op.PadAndCrop)) is not None:
        way = max(way, padded.padding)
        left = _with(left, padded, padding=min(LARGEST_SHIFT, padded.padding))
    if way <= LARGEST_SHIFT:
        return None
    return Advice(
        code="far-shifts",
        says=f"Pictures are moved by up to {way:.0%} of their side.",
        reason="What the label is about may move out of sight, and what comes into view is made up.",
        reference="Cubuk et al., RandAugment (2020), and Müller and Hutter, TrivialAugment (2021): at most about 30%.",
        change=_change(left),
    )


def none_for_few_pictures(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A few pictures are soon learned by heart."""
    if facts is None or recipe.augmentation.policy != "none" or facts.training >= FEW_PICTURES:
        return None
    return Advice(
        code="no-augmentation",
        says=f"{facts.training:,} training pictures are shown in the same way in every epoch.",
        reason="Shown a little differently each time, few pictures do for many: augmentation is the surest remedy for "
        "overfitting.",
        reference="Shorten and Khoshgoftaar, A survey on Image Data Augmentation for Deep Learning (2019).",
        change={"augmentation.policy": "auto"},
    )


def much_in_few_epochs(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """What makes learning harder pays only where there is time to learn."""
    epochs, listed = recipe.training.epochs, _operations(recipe, facts)
    mixing = _names([each for each in listed if isinstance(each, op.CHANGES_LABELS)])
    many = len(listed) >= MANY_OPERATIONS and recipe.augmentation.policy != "trivial"  # which does one at a time
    if epochs == "auto" or epochs >= FEW_EPOCHS or not (many or mixing):
        return None
    what = f"{len(listed)} operations on a picture" if many else " and ".join(mixing)
    return Advice(
        code="augmentation-few-epochs",
        says=f"{what[:1].upper()}{what[1:]} in {epochs} {'epoch' if epochs == 1 else 'epochs'} will leave the network "
        "less accurate than little augmentation would.",
        reason="Strong augmentation slows learning down, and overfitting, which it is against, needs many epochs.",
        reference="He et al., Bag of Tricks for Image Classification (2019), section 5: mixup asks for more epochs.",
        change={"augmentation.policy": "light"},
    )


def moved_from_their_mean(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A statistic of each pixel holds for pictures that stay where they are."""
    preprocessing, chosen = recipe.preprocessing, recipe.augmentation
    change: dict[str, Any] = {}
    if preprocessing.center == "pixel":
        change["preprocessing.center"] = "channel"
    if preprocessing.scale == "pixel":
        change["preprocessing.scale"] = "channel"
    if preprocessing.decorrelate != "none":
        change["preprocessing.decorrelate"] = "none"
        usual = default(type(preprocessing).model_fields["whitening_epsilon"])
        if preprocessing.whitening_epsilon != usual:
            change["preprocessing.whitening_epsilon"] = usual
    moved = chosen.policy == "auto" or any(isinstance(each, MOVES) for each in _operations(recipe, facts))
    if not change or not moved:
        return None
    what = {"center": "mean", "scale": "scale", "decorrelate": "covariance"}
    found = " and ".join(what[field.partition(".")[2]] for field in change if not field.endswith("epsilon"))
    return Advice(
        code="moved-from-their-mean",
        says=f"The {found} of each pixel no longer fits pictures that augmentation moves.",
        reason="They are measured on pictures as they are; numbers per channel hold wherever a picture's parts go.",
        reference="Simonyan and Zisserman, Very Deep Convolutional Networks (2015), section 2.1; lecture, "
        '"Preprocessing".',
        change=change,
    )


def labels_softened_twice(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Mixup softens labels by itself."""
    mixup = _one(_operations(recipe, facts), op.Mixup)
    if mixup is None or recipe.loss.label_smoothing == 0:
        return None
    return Advice(
        code="mixup-smoothing",
        says=f"Label smoothing of {recipe.loss.label_smoothing:g} comes on top of mixup, which softens labels by "
        "itself.",
        reason="Both keep the network from being too sure of itself; together they leave it less sure than it is "
        "right.",
        reference="Carratino et al., On Mixup Regularization (2022); Zhang et al., mixup (2018).",
        change={"loss.label_smoothing": 0.0},
    )


def _operations(recipe: Recipe, facts: DataFacts | None) -> tuple[Operation, ...]:
    """Return the operations that a recipe ever does, none while its policy is `auto`."""
    chosen = recipe.augmentation
    policy = chosen.policy
    if policy == "auto":
        return ()
    if policy == "custom" or chosen.operations:
        return tuple(each for each in chosen.operations if each.probability > 0)
    gray = recipe.data.channels == 1 or (facts is not None and facts.all_gray)
    return policies.operations(policy, orientation=_orientation(recipe, facts), channels=1 if gray else 3)


def _orientation(recipe: Recipe, facts: DataFacts | None) -> policies.SettledOrientation:
    if recipe.augmentation.orientation != "auto":
        return recipe.augmentation.orientation
    return policies.orientation_of(() if facts is None else facts.class_names)[0]


def _one(listed: Sequence[Operation], kind: type[Kind]) -> Kind | None:
    return next((each for each in listed if isinstance(each, kind)), None)


def _names(listed: Sequence[Operation]) -> list[str]:
    return [choice(type(each)) or "" for each in listed]


def _without(listed: Sequence[Operation], *others: Operation) -> list[Operation]:
    return [each for each in listed if each not in others]


def _with(listed: Sequence[Operation], operation: Operation, **fields: Any) -> list[Operation]:
    """Return the operations with some fields of one of them set otherwise."""
    return [each.model_copy(update=fields) if each == operation else each for each in listed]


def _clipped(way: tuple[float, float]) -> tuple[float, float]:
    low, high = (max(-LARGEST_SHIFT, min(LARGEST_SHIFT, number)) for number in way)
    return low, high


def _change(left: Sequence[Operation]) -> dict[str, Any]:
    """Return the change to a list of operations, in which what has its default is left out."""
    return {"augmentation.operations": [_short(each) for each in left]} if left else {"augmentation.policy": "auto"}


def _short(operation: Operation) -> str | dict[str, Any]:
    fields = type(operation).model_fields
    other = {
        key: getattr(operation, key)
        for key in in_order(type(operation))
        if key == "name" or getattr(operation, key) != default(fields[key])
    }
    return other if len(other) > 1 else str(other["name"])


RULES: tuple[Rule, ...] = (
    turned_text,
    mirrored_text,
    color_of_gray,
    small_crops,
    large_covers,
    much_noise,
    far_shifts,
    none_for_few_pictures,
    much_in_few_epochs,
    moved_from_their_mean,
    labels_softened_twice,
)
