"""How pictures are read, brought to one size and divided into training, validation and test."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from sightline.recipe.choices import Auto, Choices

Side = Annotated[int, Field(ge=4, le=4096)]
Pair = Annotated[tuple[Side, Side], Field(strict=False)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0, title="a share")]


def _no_bool(value: Any) -> Any:
    # Python holds True for equal to 1, and so would a literal 1.
    return str(value) if isinstance(value, bool) else value


class Data(Choices):
    """Reading, resizing and splitting."""

    image_size: Auto | Side | Pair = Field(
        default="auto",
        description="Side in pixels, or [height, width]. auto: the median of the pictures found, at most "
        "64 on a cpu, 128 on mps, 224 on cuda.",
    )
    stored_size: Auto | Side | Pair = Field(
        default="auto",
        description="Side in pixels, or [height, width], at which training pictures are kept for augmentation. auto: "
        "image_size, or larger where crops would otherwise enlarge what they show, at most twice.",
    )
    channels: Annotated[Auto | Literal[1, 3], BeforeValidator(_no_bool)] = Field(
        default="auto", description="1 gray, 3 color. auto: 1 when every picture found is gray, otherwise 3."
    )
    resize: Literal["fit", "crop", "stretch"] = Field(
        default="fit",
        description="fit pads and cuts nothing off, crop fills and cuts, stretch changes the aspect ratio.",
    )
    padding_value: int = Field(default=0, ge=0, le=255, description="Gray level around a fitted picture; 0 is black.")
    validation_fraction: Fraction = Field(
        default=0.1, description="Share held out to choose the best epoch, where the source has no validation set."
    )
    test_fraction: Fraction = Field(
        default=0.15, description="Share held out for the final figure, where the source has no test set."
    )
    training_per_class: int = Field(
        default=0,
        ge=0,
        description="Training pictures of each class at most, to see how few are enough; the others are for the test, "
        "or unused where the source has a test set. 0: all.",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="Seed of the split; another seed divides the pictures anew."
    )
    decoder: Literal["auto", "simplejpeg", "pillow"] = Field(
        default="auto",
        description="JPEG decoder. auto: simplejpeg where installed; both differ in the last bit of a pixel.",
    )
    max_pixels: int = Field(default=179_000_000, ge=1, description="Pictures with more pixels are refused (bombs).")
    max_bytes: int = Field(default=500_000_000, ge=1, description="Files with more bytes are refused.")
    max_seconds: float = Field(
        default=30.0, gt=0, description="Pictures that take longer to decode, in seconds, are refused."
    )
    max_refused: Fraction = Field(
        default=0.1, description="Share of refused pictures above which the run stops instead of leaving them out."
    )

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Data:
        if self.validation_fraction + self.test_fraction >= 1.0:
            raise ValueError(
                f"validation_fraction {self.validation_fraction} and test_fraction {self.test_fraction} leave nothing "
                "to train on; wanted a sum below 1."
            )
        return self


class Preprocessing(Choices):
    """Statistics of the training split, applied again at inference. Order: center, scale, decorrelate."""

    statistics: Literal["auto", "fitted", "inherited"] = Field(
        default="auto",
        description="fitted to the training split; or inherited: those that transferred weights were trained with. "
        "auto: inherited where there are such.",
    )
    center: Literal["none", "channel", "pixel"] = Field(
        default="channel", description="Subtract the training mean: one number per channel, or a mean image (pixel)."
    )
    scale: Literal["none", "channel", "pixel"] = Field(
        default="channel", description="Divide by the training standard deviation, per channel or per pixel."
    )
    decorrelate: Literal["none", "pca", "zca"] = Field(
        default="none",
        description="Whiten with the training covariance: pca in principal axes, zca turned back to pixels.",
    )
    whitening_epsilon: float = Field(
        default=1e-2,
        gt=0,
        description="Added to every variance before whitening; pixels count from 0 to 1 (or as scaled).",
    )
