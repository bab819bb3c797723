"""What was found in a training: the fault, its evidence, and the change to the recipe that cures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sightline.recipe import as_overrides

Severity = Literal["error", "warning", "note"]
"""error: the training is spoiled; warning: it is worse than it need be; note: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One fault."""

    code: str
    """A short name that stays the same, such as `dead-units`."""
    severity: Severity
    says: str
    """What was found, in one sentence."""
    step: int
    """When it was seen."""
    evidence: Mapping[str, Any]
    """The numbers that it stands on, by name."""
    reason: str
    """Why it is so, for every training."""
    reference: str
    """The paper, the textbook or the lecture's topic."""
    change: Mapping[str, Any] = field(default_factory=dict)
    """The prescription: dotted fields and the values that `apply_overrides` takes; empty where no recipe cures it."""
    layer: str = ""
    """Where in the network; empty where it is all of it."""
    curve: tuple[tuple[float, float], ...] = ()
    """How the decisive number went: (step or epoch, value); empty where it is not one that changes."""
    drawn: str = ""
    """What the curve shows."""
    pictures: tuple[str, ...] = ()
    """Names of the pictures that it is about."""

    @property
    def title(self) -> str:
        """The severity in a word for a person."""
        return {"error": "Wrong", "warning": "Warning", "note": "Note"}[self.severity]

    @property
    def overrides(self) -> tuple[str, ...]:
        """The prescription as what `--set` takes."""
        return as_overrides(self.change)

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """The evidence as a person reads it: names and numbers."""
        return tuple(
            (name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in self.evidence.items()
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "overrides": list(self.overrides)}


def from_dict(values: Mapping[str, Any]) -> Finding:
    """Return the finding that a line of the log holds."""
    known = {name: values[name] for name in Finding.__dataclass_fields__ if name in values}
    known["curve"] = tuple((float(x), float(y)) for x, y in known.get("curve", ()))
    known["pictures"] = tuple(known.get("pictures", ()))
    return Finding(**known)
