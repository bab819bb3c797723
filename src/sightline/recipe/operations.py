"""The operations of augmentation: what may be done to a training picture, how often and how far.

Every range is in the unit that the field's text names; lengths are shares of the picture's side unless the name ends
in `_pixels`. Where nothing else is said, a number is drawn evenly from its range for each picture.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field

from sightline.recipe.choices import Choices
from sightline.recipe.ranges import between

Probability = Annotated[float, Field(ge=0.0, le=1.0, title="a probability")]

EVERY = "Share of pictures it is done to."


class Operation(Choices):
    """What every operation lets you choose."""

    probability: Probability = Field(default=1.0, description=EVERY)


class HorizontalFlip(Operation):
    """Mirrors left and right: (x, y) → (−x, y)."""

    name: Literal["horizontal_flip"] = "horizontal_flip"
    probability: Probability = Field(default=0.5, description=EVERY)


class VerticalFlip(Operation):
    """Mirrors top and bottom: (x, y) → (x, −y)."""

    name: Literal["vertical_flip"] = "vertical_flip"
    probability: Probability = Field(default=0.5, description=EVERY)


class AlternatingFlip(Operation):
    """Mirrors half of the pictures in the first epoch, then each picture in every second epoch (Jordan 2024)."""

    name: Literal["alternating_flip"] = "alternating_flip"


class QuarterTurns(Operation):
    """Turns by 0, 90, 180 or 270 degrees, each as likely; exact where the picture is square."""

    name: Literal["quarter_turns"] = "quarter_turns"


class Rotation(Operation):
    """Turns about the middle: (x, y) → (x cos θ − y sin θ, x sin θ + y cos θ)."""

    name: Literal["rotation"] = "rotation"
    degrees: between(-180, 180, around=0) = Field(  # type: ignore[valid-type]
        default=(-15.0, 15.0), description="Angle θ in degrees, counted clockwise."
    )


class Translation(Operation):
    """Moves: (x, y) → (x + a · width, y + b · height)."""

    name: Literal["translation"] = "translation"
    horizontal: between(-1, 1, around=0) = Field(  # type: ignore[valid-type]
        default=(-0.1, 0.1), description="Way a to the right, as a share of the width."
    )
    vertical: between(-1, 1, around=0) = Field(  # type: ignore[valid-type]
        default=(-0.1, 0.1), description="Way b down, as a share of the height."
    )


class Scaling(Operation):
    """Enlarges or shrinks about the middle: (x, y) → (f x, f y)."""

    name: Literal["scaling"] = "scaling"
    factor: between(0.05, 20) = Field(  # type: ignore[valid-type]
        default=(0.8, 1.25), description="Factor f, drawn evenly in its logarithm; above 1 enlarges."
    )


class Aspect(Operation):
    """Stretches one way and squeezes the other: (x, y) → (√r x, y / √r)."""

    name: Literal["aspect"] = "aspect"
    ratio: between(0.1, 10) = Field(  # type: ignore[valid-type]
        default=(0.8, 1.25), description="Ratio r, drawn evenly in its logarithm; above 1 makes wider."
    )


class Shear(Operation):
    """Slants: (x, y) → (x + tan(a) y, y + tan(b) x)."""

    name: Literal["shear"] = "shear"
    horizontal: between(-44, 44, around=0) = Field(  # type: ignore[valid-type]
        default=(-10.0, 10.0), description="Angle a in degrees by which upright lines slant."
    )
    vertical: between(-44, 44, around=0) = Field(  # type: ignore[valid-type]
        default=(0.0, 0.0), description="Angle b in degrees by which level lines slant."
    )


class Crop(Operation):
    """Shows a random rectangle of the picture, enlarged to the whole size (Szegedy et al. 2015)."""

    name: Literal["crop"] = "crop"
    area: between(0.01, 1) = Field(  # type: ignore[valid-type]
        default=(0.5, 1.0), description="Share of the picture's area that is shown."
    )
    aspect: between(0.1, 10) = Field(  # type: ignore[valid-type]
        default=(0.75, 4 / 3),
        description="Width over height of the rectangle, relative to the picture's own; drawn evenly in its logarithm.",
    )


class PadAndCrop(Operation):
    """Moves by whole pixels, as padding all around and cropping back does: nothing is interpolated."""

    name: Literal["pad_and_crop"] = "pad_and_crop"
    padding: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.125, description="Largest way in each direction, as a share of the side; 1/8 is 4 pixels of 32."
    )


class Perspective(Operation):
    """Moves the four corners, as if the picture were seen from another place: a homography."""

    name: Literal["perspective"] = "perspective"
    distortion: between(0, 0.33) = Field(  # type: ignore[valid-type]
        default=(0.0, 0.15), description="Farthest that a corner moves each way, as a share of the side."
    )


class Elastic(Operation):
    """Pushes every pixel by a smooth random field (Simard et al. 2003)."""

    name: Literal["elastic"] = "elastic"
    displacement_pixels: between(0, 100) = Field(  # type: ignore[valid-type]
        default=(0.0, 2.0), description="Root mean square of the way in each direction, in pixels."
    )
    smoothness_pixels: Annotated[float, Field(ge=2, le=200)] = Field(
        default=8.0, description="Standard deviation σ, in pixels, of the bell that smooths the field."
    )


class Lens(Operation):
    """Bends lines outwards (barrel) or inwards (pincushion): a point at radius r shows what was at r (1 + k r²)."""

    name: Literal["lens"] = "lens"
    strength: between(-0.5, 1, around=0) = Field(  # type: ignore[valid-type]
        default=(-0.15, 0.15), description="Coefficient k; r is 1 at the corners. Above 0 is a barrel."
    )


class Brightness(Operation):
    """Multiplies every value: v → f v."""

    name: Literal["brightness"] = "brightness"
    factor: between(0, 10, around=1) = Field(  # type: ignore[valid-type]
        default=(0.8, 1.2), description="Factor f; 1 changes nothing. A single number x is 1 ± x."
    )


class Contrast(Operation):
    """Stretches values about middle gray: v → 1/2 + f (v − 1/2)."""

    name: Literal["contrast"] = "contrast"
    factor: between(0, 10, around=1) = Field(  # type: ignore[valid-type]
        default=(0.8, 1.2), description="Factor f; 1 changes nothing. A single number x is 1 ± x."
    )


class Saturation(Operation):
    """Moves colors from or towards their gray: v → L + f (v − L), with L = 0.299 R + 0.587 G + 0.114 B."""

    name: Literal["saturation"] = "saturation"
    factor: between(0, 10, around=1) = Field(  # type: ignore[valid-type]
        default=(0.7, 1.3), description="Factor f; 0 is gray, 1 changes nothing. A single number x is 1 ± x."
    )


class Hue(Operation):
    """Turns colors about the gray axis, in the plane of I and Q (YIQ), which keeps their luma."""

    name: Literal["hue"] = "hue"
    degrees: between(-180, 180, around=0) = Field(  # type: ignore[valid-type]
        default=(-10.0, 10.0), description="Angle in degrees."
    )


class Gamma(Operation):
    """Bends the scale of values: v → v^γ, black and white staying where they are."""

    name: Literal["gamma"] = "gamma"
    exponent: between(0.1, 10) = Field(  # type: ignore[valid-type]
        default=(0.8, 1.25), description="Exponent γ, drawn evenly in its logarithm; above 1 darkens."
    )


class Grayscale(Operation):
    """Puts luma in the place of color: R = G = B = L."""

    name: Literal["grayscale"] = "grayscale"
    probability: Probability = Field(default=0.1, description=EVERY)


class ChannelDropout(Operation):
    """Sets one of the three color channels to 0."""

    name: Literal["channel_dropout"] = "channel_dropout"
    probability: Probability = Field(default=0.1, description=EVERY)


class GaussianNoise(Operation):
    """Adds to every value a number from a normal distribution of its own: v → v + s n."""

    name: Literal["gaussian_noise"] = "gaussian_noise"
    deviation: between(0, 1) = Field(  # type: ignore[valid-type]
        default=(0.0, 0.05), description="Standard deviation s, as a share of the range from black to white."
    )


class SaltPepper(Operation):
    """Makes single pixels white or black, each as likely."""

    name: Literal["salt_pepper"] = "salt_pepper"
    share: between(0, 1) = Field(  # type: ignore[valid-type]
        default=(0.0, 0.02), description="Share of the pixels that it hits."
    )


class Blur(Operation):
    """Smooths with a Gaussian bell."""

    name: Literal["blur"] = "blur"
    sigma_pixels: between(0, 10) = Field(  # type: ignore[valid-type]
        default=(0.1, 1.5), description="Standard deviation of the bell, in pixels of the result."
    )


class Sharpen(Operation):
    """Adds what a slight blur takes away: v → v + a (v − blurred v), the bell one pixel wide."""

    name: Literal["sharpen"] = "sharpen"
    amount: between(0, 5) = Field(  # type: ignore[valid-type]
        default=(0.0, 1.0), description="Amount a; 0 changes nothing."
    )


class Jpeg(Operation):
    """Stores the picture as JPEG and reads it back, with the blocks and rings that this leaves. Slow."""

    name: Literal["jpeg"] = "jpeg"
    quality: between(1, 100) = Field(  # type: ignore[valid-type]
        default=(30.0, 90.0), description="Quality as JPEG encoders count it, rounded to a whole number."
    )


class Erasing(Operation):
    """Covers a random rectangle (cutout: DeVries and Taylor 2017; random erasing: Zhong et al. 2017)."""

    name: Literal["erasing"] = "erasing"
    probability: Probability = Field(default=0.5, description=EVERY)
    area: between(0, 1) = Field(  # type: ignore[valid-type]
        default=(0.02, 0.2), description="Share of the picture's area that is covered."
    )
    aspect: between(0.1, 10) = Field(  # type: ignore[valid-type]
        default=(0.5, 2.0),
        description="Width over height of the rectangle, relative to the picture's own; drawn evenly in its logarithm.",
    )
    value: Annotated[int, Field(ge=0, le=255)] = Field(default=128, description="Gray level of the cover.")


class Mixup(Operation):
    """Blends with another training picture, labels included: x = λ a + (1 − λ) b (Zhang et al. 2018)."""

    name: Literal["mixup"] = "mixup"
    alpha: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.2, description="λ is drawn from the distribution Beta(alpha, alpha); small values blend little."
    )


class Cutmix(Operation):
    """Shows another training picture in a rectangle; labels by their shares of the area (Yun et al. 2019)."""

    name: Literal["cutmix"] = "cutmix"
    alpha: Annotated[float, Field(gt=0, le=10)] = Field(
        default=1.0, description="The share that stays is drawn from Beta(alpha, alpha); 1 draws it evenly."
    )


ORDER: tuple[type[Operation], ...] = (
    HorizontalFlip, VerticalFlip, AlternatingFlip, QuarterTurns, Rotation, Translation, Scaling, Aspect, Shear, Crop,
    PadAndCrop, Perspective, Elastic, Lens, Brightness, Contrast, Saturation, Hue, Gamma, Grayscale, ChannelDropout,
    GaussianNoise, SaltPepper, Blur, Sharpen, Jpeg, Erasing, Mixup, Cutmix,
)  # fmt: skip
"""Every operation, in the order of the documentation."""

GEOMETRY = (HorizontalFlip, VerticalFlip, AlternatingFlip, QuarterTurns, Rotation, Translation, Scaling, Aspect, Shear,
            Crop, PadAndCrop, Perspective)  # fmt: skip
"""What a homography can say; these compose, in the order of the recipe, into one."""

COLOR = (Brightness, Contrast, Saturation, Hue, Grayscale, ChannelDropout)
"""What a color matrix can say; these compose, in the order of the recipe, into one."""

NEEDS_COLOR = (Saturation, Hue, Grayscale, ChannelDropout)
CHANGES_LABELS = (Mixup, Cutmix)


def _table(value: Any) -> Any:
    """Read `"rotation"` as `{name = "rotation"}`."""
    return {"name": value} if isinstance(value, str) else value


AnyOperation = Annotated[
    HorizontalFlip | VerticalFlip | AlternatingFlip | QuarterTurns | Rotation | Translation | Scaling | Aspect | Shear
    | Crop | PadAndCrop | Perspective | Elastic | Lens | Brightness | Contrast | Saturation | Hue | Gamma | Grayscale
    | ChannelDropout | GaussianNoise | SaltPepper | Blur | Sharpen | Jpeg | Erasing | Mixup | Cutmix,
    Discriminator("name"),
    BeforeValidator(_table),
]  # fmt: skip
