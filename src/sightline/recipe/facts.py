"""What is known of the data and the machine when choices are resolved and advice is given."""

from __future__ import annotations

from dataclasses import dataclass


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
