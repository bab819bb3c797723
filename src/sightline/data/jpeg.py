"""JPEG at a fraction of its size: most of the work of a large photograph is never done.

A JPEG stores blocks of 8 × 8 frequencies. Transforming back only the lowest 4 × 4, 2 × 2 or 1 × 1 of them gives the
picture at 1/2, 1/4 or 1/8 of its size, already low-passed, in a fraction of the time (libjpeg's scaled inverse DCT).
"""

from __future__ import annotations

from PIL import Image, JpegImagePlugin

from sightline.data.limits import Limits, Refused
from sightline.errors import DataError

SIGNATURE = b"\xff\xd8\xff"

# 5/8 to 7/8 take libjpeg-turbo longer than the whole size does, 3/8 as long as 4/8; and Pillow knows only these.
_FACTORS = (8, 4, 2)
_SMALLEST_SHRUNK = 64
_RESERVE = 1.25
_COLOR_SPACES = ("gray", "ycbcr", "rgb")
_SCANS_OF_FULL_SIZE = 16
_SCAN = 0xDA
_SMALLEST_SCAN_BYTES = 8


def is_jpeg(data: bytes) -> bool:
    """Say whether `data` begins as a JPEG does."""
    return data[:3] == SIGNATURE


def first_part(data: bytes) -> bytes:
    """Return what comes before a JPEG's first scan; everything where the segments do not follow the format."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == _SCAN:
            return data[:at]
        # A marker may be preceded by any number of fill bytes, 0xFF each.
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data


def check_scans(data: bytes, height: int, width: int, limits: Limits) -> None:
    """Raise Refused where a JPEG repeats its pixels in so many scans that decoding would take unduly long.

    The limit is 16 scans of the largest picture allowed; progressive files usually have ten, and smaller pictures may
    have more.
    """
    most = _SCANS_OF_FULL_SIZE * limits.max_pixels // (height * width)
    if len(data) // _SMALLEST_SCAN_BYTES <= most:
        return
    scans = data.count(bytes((0xFF, _SCAN)))
    if scans > most:
        raise Refused(f"has {scans:,} scans of {width:,} × {height:,} pixels, wanted {most:,} at most. Save it anew")


def factor(needed: float, height: int, width: int) -> int:
    """Return 8, 4, 2 or 1: the most by which a JPEG can be shrunk and keep 5/4 of the pixels needed along each side.

    With no more pixels than needed the result would be visibly sharper than a picture resampled from its whole size.

    Args:
        needed: pixels of the result per pixel of the picture, along the side where that is more.
        height, width: of the picture; small ones are never shrunk.
    """
    if max(height, width) < _SMALLEST_SHRUNK:
        return 1
    return next((n for n in _FACTORS if n * needed * _RESERVE <= 1), 1)


def require_simplejpeg() -> None:
    """Raise DataError where simplejpeg is not installed."""
    try:
        import simplejpeg  # noqa: F401
    except ImportError as error:
        raise DataError(
            "data.decoder = simplejpeg, but simplejpeg is not installed. Install it: pip install 'sightline[jpeg]', "
            "or decode with Pillow: --set data.decoder=pillow"
        ) from error


def read_size(data: bytes) -> tuple[int, int] | None:
    """Return height and width as simplejpeg reads them; None for CMYK and where libjpeg has a complaint.

    Raises:
        DataError: simplejpeg is not installed.
    """
    require_simplejpeg()
    import simplejpeg

    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    except (ValueError, RuntimeError):
        return None
    return (int(height), int(width)) if str(space).lower() in _COLOR_SPACES else None


def shrunk(data: bytes, *, height: int, width: int, by: int, channels: int) -> Image.Image | None:
    """Decode with simplejpeg to 1/`by` of `height` × `width`, rounded up; return an image of mode L or RGBX.

    None where libjpeg has any complaint: then Pillow judges the file, since it tells a truncated one from one that
    libjpeg can mend, and both decoders are to refuse the same files.
    """
    import simplejpeg

    high, wide = -(-height // by), -(-width // by)
    least = (0, 0) if by == 1 else (high, wide)
    # Pillow keeps color in four bytes a pixel, and takes over what comes so without a copy.
    space, mode = ("GRAY", "L") if channels == 1 else ("RGBX", "RGBX")
    try:
        pixels = simplejpeg.decode_jpeg(data, space, min_height=least[0], min_width=least[1])
    except (ValueError, RuntimeError, MemoryError):
        return None
    if pixels.shape[:2] != (high, wide):
        return None
    return Image.frombuffer(mode, (wide, high), pixels, "raw", mode, 0, 1)


def draft(image: JpegImagePlugin.JpegImageFile, *, by: int, channels: int) -> int:
    """Tell Pillow to decode to 1/`by`, as `shrunk` does; return the factor that it took."""
    height, width = image.height, image.width
    mode = "L" if channels == 1 and image.mode in ("L", "RGB") else image.mode
    if image.draft(mode, (max(1, width // by), max(1, height // by))) is None:
        return 1
    return by if image.size == (-(-width // by), -(-height // by)) else 1
