"""Ranges: `[low, high]` in the unit of their field, from which a number is drawn for each picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field


@dataclass(frozen=True)
class Within:
    """Refuses a range that reaches beyond `low` or `high`, or has its numbers the wrong way round."""

    low: float
    high: float

    def __call__(self, value: tuple[float, float]) -> tuple[float, float]:
        least, largest = value
        if not self.low <= least <= largest <= self.high:
            raise ValueError(
                f"found [{least:g}, {largest:g}], wanted [low, high] with {self.low:g} ≤ low ≤ high ≤ {self.high:g}."
            )
        return value


def between(low: float, high: float, *, around: float | None = None) -> Any:
    """Return the type of a range within `low` to `high`; its first number is not above its second.

    Args:
        low: least value of both numbers.
        high: largest value of both numbers.
        around: a single number x stands for `[around − x, around + x]`; without it for `[x, x]`.
    """
    return Annotated[
        tuple[float, float],
        Field(strict=False, title=f"a range [low, high] within {low:g} to {high:g}{_alone(around)}"),
        BeforeValidator(_widened(around)),
        AfterValidator(Within(low, high)),
    ]


def _alone(around: float | None) -> str:
    """Return in words what a single number stands for, nothing where that is the number itself."""
    if around is None:
        return ""
    return ", or x for [-x, x]" if around == 0 else f", or x for [{around:g} - x, {around:g} + x]"


def _widened(around: float | None) -> Callable[[Any], Any]:
    def widen(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return (value, value) if around is None else (around - value, around + value)

    return widen
