"""What a single picture may cost when it is predicted: by default what it could in the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from pydantic import JsonValue

from sightline.data import Limits, Refused


@dataclass(frozen=True)
class PredictionLimits(Limits):
    """The same limits, with the advice of the place: a prediction has no recipe in which they could be raised."""

    def check_bytes(self, size: int) -> None:
        """Raise Refused where a file of `size` bytes is over the limit."""
        if size > self.max_bytes:
            raise Refused(f"{size:,} bytes are more than the limit of {self.max_bytes:,}. {_next('max_bytes', size)}")

    def check_pixels(self, height: int, width: int) -> None:
        """Raise Refused where a picture of `height` × `width` pixels is over the limit."""
        if height * width > self.max_pixels:
            raise Refused(
                f"{width:,} × {height:,} pixels are more than the limit of {self.max_pixels:,}. "
                f"{_next('max_pixels', height * width)}"
            )

    def check_seconds(self, seconds: float) -> None:
        """Raise Refused where a decode took `seconds` and that is over the limit."""
        if seconds > self.max_seconds:
            raise Refused(
                f"decoding took {seconds:.1f} s, more than the limit of {self.max_seconds:g} s. "
                f"{_next('max_seconds', max(1, round(seconds * 2)))}"
            )


def limits_of(recipe: Mapping[str, JsonValue]) -> PredictionLimits:
    """Return the limits of a sealed recipe, and the usual ones for what it does not say or another version says."""
    chosen = recipe.get("data")
    if not isinstance(chosen, Mapping):
        return PredictionLimits()
    found = {field.name: chosen.get(field.name) for field in fields(PredictionLimits)}
    return PredictionLimits(**{name: value for name, value in found.items() if _fits(name, value)})  # type: ignore[arg-type]


def restated(limits: Limits) -> PredictionLimits:
    """Return a caller's limits with the advice of the place."""
    return PredictionLimits(limits.max_pixels, limits.max_bytes, limits.max_seconds)


def _fits(name: str, value: JsonValue) -> bool:
    kinds: tuple[type, ...] = (int, float) if name == "max_seconds" else (int,)
    return isinstance(value, kinds) and not isinstance(value, bool) and value > 0  # type: ignore[operator]


def _next(limit: str, wanted: int) -> str:
    return f"Shrink the picture; in Python, limits=Limits({limit}={wanted}) lets it pass."
