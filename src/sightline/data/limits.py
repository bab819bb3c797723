"""How large a picture may be, and the refusal of one that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import DataError


class Refused(DataError):  # noqa: N818 - a verdict on one picture, not a failure of the program
    """One picture that is left out; `reason` says what was found and wanted, without the picture's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PassingRefusal(Refused):
    """A refusal that does not follow from the picture's bytes (memory, disk, time); another run may go well."""


@dataclass(frozen=True)
class Limits:
    """What a single picture may cost. The recipe's fields of the same names are where users set them.

    Attributes:
        max_pixels: width × height as the file's header states them; more are refused before anything is decoded.
        max_bytes: size of the encoded file; more are refused before it is read further.
        max_seconds: wall time of one decode; see `decode` for what can be interrupted and what cannot.
    """

    max_pixels: int = 179_000_000
    max_bytes: int = 500_000_000
    max_seconds: float = 30.0

    def check_bytes(self, size: int) -> None:
        """Raise Refused where a file of `size` bytes is over the limit."""
        if size > self.max_bytes:
            raise Refused(
                f"{size:,} bytes are more than the limit of {self.max_bytes:,}. "
                f"Shrink the picture, or raise the limit: --set data.max_bytes={size}"
            )

    def check_pixels(self, height: int, width: int) -> None:
        """Raise Refused where a picture of `height` × `width` pixels is over the limit."""
        if height * width > self.max_pixels:
            raise Refused(
                f"{width:,} × {height:,} pixels are more than the limit of {self.max_pixels:,}. "
                f"Shrink the picture, or raise the limit: --set data.max_pixels={height * width}"
            )

    def check_seconds(self, seconds: float) -> None:
        """Raise Refused where a decode took `seconds` and that is over the limit."""
        if seconds > self.max_seconds:
            raise PassingRefusal(
                f"decoding took {seconds:.1f} s, more than the limit of {self.max_seconds:g} s. "
                f"Shrink the picture, or raise the limit: --set data.max_seconds={seconds * 2:.0f}"
            )
