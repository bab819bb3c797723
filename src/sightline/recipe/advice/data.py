"""Advice on size, resizing and division of the pictures."""

from __future__ import annotations

from sightline.recipe.advice.advice import Advice, Rule
from sightline.recipe.facts import DataFacts
from sightline.recipe.recipe import Recipe

FEWEST_VALIDATION = 50
LARGEST_VALIDATION_SHARE = 0.3
SMALLEST_TRAINING_SHARE = 0.5


def shrunk_too_far(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """What is smaller than a few pixels of the shrunk picture is gone."""
    size = _size(recipe)
    if facts is None or size is None:
        return None
    shrinking = min(facts.median_height / size[0], facts.median_width / size[1])
    if shrinking < 4 or min(size) >= 96:
        return None
    return Advice(
        code="small-pictures",
        says=f"Pictures of {facts.median_height} × {facts.median_width} pixels are shrunk {shrinking:.0f} times, to "
        f"{size[0]} × {size[1]}.",
        reason="Accuracy rises with resolution as long as it shows more of what tells classes apart.",
        reference="Tan and Le, EfficientNet (2019), figure 3.",
        change={"data.image_size": "auto"},
    )


def enlarged(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Enlarging costs time in proportion to the area and adds nothing that was not there."""
    size = _size(recipe)
    if facts is None or size is None or facts.median_height < 1 or facts.median_width < 1:
        return None
    growing = min(size[0] / facts.median_height, size[1] / facts.median_width)
    if growing <= 2:
        return None
    return Advice(
        code="enlarged-pictures",
        says=f"Pictures of {facts.median_height} × {facts.median_width} pixels are enlarged {growing:.1f} times, which "
        f"costs about {growing**2:.0f} times the computation.",
        reason="Interpolated pixels hold no information of their own.",
        reference="Gonzalez and Woods, Digital Image Processing, chapter 2, image interpolation.",
        change={"data.image_size": "auto"},
    )


def distorted(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Stretching to another aspect ratio makes pictures of things that do not exist."""
    off = _aspect_change(recipe, facts)
    if recipe.data.resize != "stretch" or off < 1.25:
        return None
    return Advice(
        code="stretched-pictures",
        says=f"Stretching changes the aspect ratio {off:.1f} times.",
        reason="A picture should stay a valid one; fit keeps its proportions and cuts nothing off.",
        reference='Lecture, "Image Transformations": every transformation that yields a valid image.',
        change={"data.resize": "fit"},
    )


def cropped_away(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A crop of long pictures may leave out what their label is about."""
    off = _aspect_change(recipe, facts)
    if recipe.data.resize != "crop" or off < 1.5:
        return None
    return Advice(
        code="cropped-pictures",
        says=f"Cropping cuts off {1 - 1 / off:.0%} of a usual picture.",
        reason="What the label is about may lie outside the middle; fit keeps all of it.",
        reference='Lecture, "Image Transformations": every transformation that yields a valid image.',
        change={"data.resize": "fit"},
    )


def color_dropped(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Color often tells classes apart."""
    if facts is None or recipe.data.channels != 1 or facts.all_gray:
        return None
    return Advice(
        code="color-dropped",
        says="The pictures have color, and one channel drops it.",
        reason="Color is a cue of its own that shape does not replace.",
        reference="Gowda and Yuan, ColorNet: Investigating the Importance of Color Spaces (2018).",
        change={"data.channels": "auto"},
    )


def no_test_set(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """The validation figure has been used to choose, and so is too good."""
    if facts is None or facts.test > 0 or recipe.data.test_fraction > 0:
        return None
    share = min(0.15, round((1 - recipe.data.validation_fraction) / 4, 3))
    if share <= 0:
        return None
    return Advice(
        code="no-test-set",
        says="No picture is held out for the final figure.",
        reason="The best epoch is chosen by its validation figure, which is therefore better than what new pictures "
        "will give.",
        reference="Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2009), section 7.2.",
        change={"data.test_fraction": share},
    )


def few_to_validate_on(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """The standard error of an accuracy over n pictures is up to 0.5 / √n."""
    if facts is None or facts.validation >= FEWEST_VALIDATION:
        return None
    total = facts.training + facts.validation + facts.test
    share = recipe.data.validation_fraction
    given_by_source = facts.validation > 2 * share * total + facts.classes
    enough = min(LARGEST_VALIDATION_SHARE, FEWEST_VALIDATION / max(total, 1) + 0.01, 0.9 - recipe.data.test_fraction)
    enough = round(enough, 2)
    if given_by_source or share >= enough:
        return None
    error = f"± {50 / facts.validation**0.5:.0f} points" if facts.validation else "no figure at all"
    return Advice(
        code="tiny-validation",
        says=f"{facts.validation} validation pictures tell an accuracy with {error}.",
        reason="The standard error of a share over n pictures is up to 0.5 / √n, and the best epoch is chosen by it.",
        reference="Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2009), section 7.2.",
        change={"data.validation_fraction": enough},
    )


def little_to_train_on(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """What is held out does not teach."""
    held_out = recipe.data.validation_fraction + recipe.data.test_fraction
    if held_out <= SMALLEST_TRAINING_SHARE:
        return None
    return Advice(
        code="small-training-share",
        says=f"{held_out:.0%} of the pictures are held out, and {1 - held_out:.0%} remain to train on.",
        reason="A quarter each for validation and test is usual where data is plentiful, and less where it is not.",
        reference="Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2009), section 7.2.",
        change={"data.validation_fraction": 0.1, "data.test_fraction": 0.15},
    )


def _size(recipe: Recipe) -> tuple[int, int] | None:
    size = recipe.data.image_size
    if size == "auto":
        return None
    return (size, size) if isinstance(size, int) else size


def _aspect_change(recipe: Recipe, facts: DataFacts | None) -> float:
    """Return the larger over the smaller of the two aspect ratios, 1 where they agree or are not known."""
    size = _size(recipe)
    if facts is None or size is None or facts.median_height < 1 or facts.median_width < 1:
        return 1.0
    ratio = (facts.median_width / facts.median_height) / (size[1] / size[0])
    return max(ratio, 1 / ratio)


RULES: tuple[Rule, ...] = (
    shrunk_too_far,
    enlarged,
    distorted,
    cropped_away,
    color_dropped,
    no_test_set,
    few_to_validate_on,
    little_to_train_on,
)
