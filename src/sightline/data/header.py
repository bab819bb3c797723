"""Width, height and color of an encoded picture from its header, without decoding it."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from sightline.data.formats import opened, orientation
from sightline.data.limits import Limits, Refused
from sightline.data.signatures import foreign

_SIDEWAYS = 5  # orientations from here on turn by a quarter
_GRAY = ("1", "L", "LA", "La", "F", "I")
_WITHOUT_HINT = ("PNG", "WEBP", "AVIF", "GIF", "JPEG", "MPO")
_ENTRY_BYTES = {"RGB": 3, "BGR": 3, "RGBA": 4, "RGBX": 4, "BGRX": 4}


@dataclass(frozen=True)
class Header:
    """What a picture's header says. Width and height are as seen, after the orientation that EXIF asks for."""

    width: int
    height: int
    channels: int
    """1 gray, 3 color; transparency does not count, and a palette of grays is gray."""


def probe(data: bytes, limits: Limits) -> Header:
    """Return the header of an encoded picture.

    Raises:
        Refused: it is empty, too large, or no picture that is read.
    """
    limits.check_bytes(len(data))
    reason = foreign(data)
    if reason:
        raise Refused(reason)
    with opened(data) as image:
        width, height = image.size
        limits.check_pixels(height, width)
        if _sideways(image):
            width, height = height, width
        return Header(width, height, 1 if _gray(image) else 3)


def _sideways(image: Image.Image) -> bool:
    if image.format == "TIFF":
        return False  # Pillow states a TIFF's size as it is shown
    if image.format in _WITHOUT_HINT and not {"exif", "xmp", "Raw profile type exif"} & image.info.keys():
        return False  # getexif would decode a whole PNG to look behind the pixels
    return orientation(image) >= _SIDEWAYS


def _gray(image: Image.Image) -> bool:
    if image.mode in _GRAY or image.mode.startswith("I;16"):
        return True
    if image.mode not in ("P", "PA") or image.palette is None:
        return False
    entries = bytes(image.palette.palette)
    size = _ENTRY_BYTES.get(image.palette.rawmode or image.palette.mode)
    if not entries or size is None or len(entries) % size:
        return False
    return entries[0::size] == entries[1::size] == entries[2::size]
