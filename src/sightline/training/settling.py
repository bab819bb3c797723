"""The fields of a recipe on their way to definite values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Settling:
    """Fields as a dict of dicts, and the reason of each that was settled."""

    fields: dict[str, dict[str, Any]]
    reasons: dict[str, str] = field(default_factory=dict)

    def settle(self, path: str, value: Any, reason: str = "") -> None:
        """Give a field that is `"auto"` a value; without a reason it is not worth showing."""
        section, name = path.split(".")
        if self.fields[section][name] == "auto":
            self.fields[section][name] = value
            if reason:
                self.reasons[path] = reason
