"""What is known of the data and the machine when choices are resolved and advice is given."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.recipe.network import Network


@dataclass(frozen=True)
class DataFacts:
    """Counts and sizes of a data set, after the split."""

    source: str
    classes: int
    training: int
    validation: int
    test: int
    smallest_class: int
    """Training pictures of the rarest class."""
    largest_class: int
    """Training pictures of the commonest class."""
    median_height: int
    median_width: int
    all_gray: bool
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """The device a training runs on and what it computes fast."""

    device: str
    """`cpu`, `cuda` or `mps`."""
    name: str
    threads: int
    bfloat16: bool
    """The device multiplies matrices in bfloat16 natively (AVX512-BF16, AMX, Ampere and later)."""


@dataclass(frozen=True)
class SourceFacts:
    """What is known of weights that a training begins from."""

    origin: str
    """What they are called."""
    digest: str
    network: Network
    """The section that builds the network they belong to."""
    channels: int
    """Of the pictures they were trained on."""
    image_size: tuple[int, int] | None
    """Height and width of those pictures; None where it is not known."""
    statistics: str
    """Whose statistics the pictures were standardized with, in a few words; empty where it is not known."""
    classes: tuple[str, ...]
    """Names of the classes they tell apart; empty where they are not known."""
    answers: bool
    """They have their last layers, so that the network's answers of before are known."""
