"""Opening an encoded picture with Pillow, and bringing any of its modes to 8-bit gray or color."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from sightline.data.limits import Refused
from sightline.data.signatures import foreign

# Formats that Pillow decodes in itself and that have a signature; EPS, for one, would start a program.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")

_ORIENTATION = 0x0112
_WITH_ALPHA = {"LA": "La", "La": "La", "PA": "RGBa", "RGBA": "RGBa", "RGBa": "RGBa"}
_TO_COLOR = ("P", "CMYK", "YCbCr", "HSV", "RGBX")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def opened(data: bytes) -> ImageFile.ImageFile:
    """Return the picture that `data` holds, its header read and its pixels not.

    The plugin is chosen by the signature and called directly, since `Image.open` judges sizes by a limit of the whole
    process, and our limit is the recipe's.
    """
    Image.init()
    for name in FORMATS:
        if name not in Image.OPEN:
            continue
        factory, accepts = Image.OPEN[name]
        verdict = accepts(data[:16]) if accepts else False
        if isinstance(verdict, str) or not verdict:
            continue
        try:
            # Someone in this process may have asked Pillow to make up missing pixels; nobody asked us.
            image = factory(_Whole(data) if ImageFile.LOAD_TRUNCATED_IMAGES else io.BytesIO(data), "")
        except MemoryError:
            raise
        except Exception as error:
            raise Refused(f"has a {name} header that cannot be read ({_told(error)})") from error
        if not isinstance(image, ImageFile.ImageFile) or image.width < 1 or image.height < 1:
            raise Refused(f"has a {name} header that states no pixels")
        return image
    raise Refused(foreign(data) or f"is no picture: it begins with {data[:8]!r}. Readable are {', '.join(FORMATS)}")


def loaded(image: ImageFile.ImageFile) -> None:
    """Decode the pixels of the first frame; raise Refused where the data is truncated or broken."""
    if isinstance(image.fp, _Whole):
        image.fp.refuses_the_end = True
    try:
        image.load()
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise Refused(f"cannot be decoded as {image.format}: {_told(error)}") from error


def orientation(image: Image.Image) -> int:
    """Return the EXIF (or XMP) orientation, 1 to 8; what cannot be read counts as 1, upright."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def may_be_turned(beginning: bytes) -> bool:
    """Say whether a JPEG has, before its first scan, anything that could state an orientation for `orientation`."""
    return b"Exif\x00\x00" in beginning or b"tiff:Orientation" in beginning


def plain(image: Image.Image) -> Image.Image:
    """Return `image` in mode L or RGB by the rules that `sightline.data.decode.decode` lists."""
    image.load()
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    try:
        return _converted(image)
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(
            f"is of Pillow's mode {image.mode}, which cannot be turned into gray or color ({_told(error)})"
        ) from error


def shade(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers of more than 8 bits as 8 bits: scaled and rounded, never clipped (rules at `decode`)."""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise Refused("holds pixels that are not finite numbers")
        low, high = float(values.min()), float(values.max())
        if low >= 0.0 and high <= 1.0:
            low, high = 0.0, 1.0
        elif low >= 0.0 and high <= 255.0:
            low, high = 0.0, 255.0
    else:
        low, high = int(values.min()), int(values.max())
        if low >= 0 and high <= 65535:
            return ((values.astype(np.uint32) * 2 + 257) // 514).astype(np.uint8)
    scaled: NDArray[np.float64] = (values.astype(np.float64) - low) * (255.0 / (high - low) if high > low else 0.0)
    return np.floor(scaled + 0.5).astype(np.uint8)


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Keep Pillow's remarks on odd files off the terminal. Set in one thread, the filter holds in all."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _converted(image: Image.Image) -> Image.Image:
    mode, transparent = image.mode, image.info.get("transparency")
    if mode in (*_SIXTEEN_BITS, "I", "F"):
        values = np.asarray(image)
        pixels = shade(values)
        if isinstance(transparent, int):
            pixels[values == transparent] = 0
        return Image.fromarray(pixels)
    if transparent is not None and mode not in _WITH_ALPHA:
        image = image.convert("LA" if mode in ("1", "L") else "RGBA")
        mode = image.mode
    if mode in _WITH_ALPHA:
        if mode == "PA":
            image, mode = image.convert("RGBA"), "RGBA"
        # Multiplied by its alpha, a picture is what it looks like in front of black.
        bands = np.asarray(image.convert(_WITH_ALPHA[mode]))
        return Image.fromarray(bands[..., 0] if bands.shape[2] == 2 else np.ascontiguousarray(bands[..., :3]))
    if mode == "1":
        return image.convert("L")
    if mode in _TO_COLOR:
        return image.convert("RGB")
    if mode in ("L", "RGB"):
        return image
    raise ValueError("no rule for it")


class _Whole(io.BytesIO):
    """A file in memory that can refuse to be read past its end, which is how truncated pictures are filled up."""

    refuses_the_end = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes; raise Refused at the end where that is asked for."""
        found = super().read(size)
        if self.refuses_the_end and not found and size != 0:
            raise Refused("is truncated")
        return found


def _told(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "unknown contents"
    if isinstance(error, MemoryError):
        return "not enough memory"
    return " ".join(str(error).split())[:200] or type(error).__name__
