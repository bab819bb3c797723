"""From a file's bytes to pixels of one size: the one function that training, prediction and serving share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, features

from sightline.data import formats, jpeg
from sightline.data.limits import Limits, PassingRefusal, Refused
from sightline.data.resize import Placement, Resize, place, resample, turned, turned_box

__all__ = ["Decoder", "Refused", "best_decoder", "decode", "decoder_version", "require_decoder"]

Decoder = Literal["simplejpeg", "pillow"]


def decode(
    data: bytes | NDArray[Any] | Image.Image,
    *,
    size: tuple[int, int],
    channels: int,
    resize: Resize = "fit",
    padding_value: int = 0,
    decoder: Decoder = "pillow",
    limits: Limits | None = None,
) -> NDArray[np.uint8]:
    """Return a picture as uint8 pixels of shape (height, width, channels), by these rules:

    - Formats: JPEG, PNG, GIF, BMP, WebP, TIFF, PPM, JPEG 2000, AVIF, told by their first bytes, whatever the name.
      Of animations and pages the first is taken.
    - EXIF (or XMP) orientation is applied, so that the picture is as people see it.
    - Palettes become color. Alpha is composited over black, also where one palette entry or one color is transparent.
    - 1 bit becomes 0 and 255. 16 bits become round(value / 257): scaled, never clipped. Pillow hands out 16-bit color
      with only its high byte, which is at most one level off. Integers of 32 bits are read as 16 bits where all are
      in [0, 65535], which is what 16-bit PGM holds; floats in [0, 1] are multiplied by 255, and in [0, 255] rounded;
      other ranges are stretched from the picture's smallest value to its largest. NaN and infinity are refused.
    - CMYK becomes color without a profile; JPEG's is inverted, as Adobe writes it and Pillow assumes. Profiles are not
      applied. Gray is 0.299 R + 0.587 G + 0.114 B, JPEG's luma.
    - The size comes by `resize.place` and `resize.resample`: anti-aliased, pixels never shifted, and a picture that
      has the size already is unchanged bit by bit.
    - A JPEG is decoded at 1/8, 1/4 or 1/2 of its size where that leaves 5/4 of the pixels needed along each side.
      Against resampling the whole size, the root mean square difference is about one level of 255 on photographs.
    - Refused, whichever decoder: what is truncated or is no picture. Broken data inside a JPEG that libjpeg can mend
      and Pillow accepts is accepted.

    Size limits are held against the header, before anything is decoded. Time cannot be limited as strictly: a thread
    in C code cannot be stopped, so a decode that took too long is refused when it has ended. What bounds it beforehand
    is max_pixels, for JPEGs also the number of scans.

    Args:
        data: an encoded file; or pixels (h, w) or (h, w, c) of 1 to 4 channels, uint8, uint16, bool or float as
            above; or a Pillow image.
        size: height and width of the result.
        channels: 1 (gray) or 3 (red, green, blue).
        padding_value: 0 to 255, around a picture that `fit` leaves narrower.
        decoder: who decodes JPEGs; see `best_decoder`. Everything else goes through Pillow.
        limits: the defaults where None.

    Raises:
        Refused: this picture cannot be used; `reason` says why.
        DataError: simplejpeg is asked for and not installed.
    """
    limits = limits or Limits()
    try:
        return _decoded(data, size, channels, resize, padding_value, decoder, limits)
    except MemoryError as error:
        raise PassingRefusal("needs more memory than is free") from error


def _decoded(
    data: bytes | NDArray[Any] | Image.Image,
    size: tuple[int, int],
    channels: int,
    resize: Resize,
    padding_value: int,
    decoder: Decoder,
    limits: Limits,
) -> NDArray[np.uint8]:
    if isinstance(data, np.ndarray):
        if data.dtype == np.uint8 and data.shape in ((*size, channels), size if channels == 1 else None):
            return data.reshape(*size, channels).copy()
        source = _of_array(data, limits)
    elif isinstance(data, Image.Image):
        source = _of_pillow(data, limits)
    else:
        began = time.perf_counter()
        source = _of_file(data, size, channels=channels, resize=resize, decoder=decoder, limits=limits)
        limits.check_seconds(time.perf_counter() - began)
    return _fill(source, size, channels, resize, padding_value)


def best_decoder() -> Decoder:
    """Return what `auto` stands for: simplejpeg where it can be imported, Pillow otherwise."""
    try:
        import simplejpeg  # noqa: F401
    except ImportError:
        return "pillow"
    return "simplejpeg"


def require_decoder(decoder: Decoder) -> None:
    """Raise DataError where `decoder` is not installed; to be called before anything is read."""
    if decoder == "simplejpeg":
        jpeg.require_simplejpeg()


def decoder_version(decoder: Decoder) -> str:
    """Return the versions that decide about the last bit of a pixel, for stores and for the sealed model."""
    from importlib.metadata import version

    require_decoder(decoder)
    pillow = f"Pillow {version('pillow')} (libjpeg-turbo {features.version('libjpeg_turbo') or 'absent'})"
    return pillow if decoder == "pillow" else f"simplejpeg {version('simplejpeg')}, {pillow}"


@dataclass(frozen=True)
class _Source:
    """Pixels as stored (mode L, RGB or RGBX), the size in the header, and how the two and the shown picture relate."""

    image: Image.Image
    height: int
    width: int
    factor: int = 1
    orientation: int = 1


def _of_file(
    data: bytes, size: tuple[int, int], *, channels: int, resize: Resize, decoder: Decoder, limits: Limits
) -> _Source:
    limits.check_bytes(len(data))
    if decoder == "simplejpeg" and jpeg.is_jpeg(data):
        source = _of_jpeg(data, size, channels=channels, resize=resize, limits=limits)
        if source is not None:
            return source
    with formats.opened(data) as image:
        height, width = image.height, image.width
        limits.check_pixels(height, width)
        factor = 1
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            jpeg.check_scans(data, height, width, limits)
            needed = _needed(height, width, formats.orientation(image), size, resize)
            factor = jpeg.draft(image, by=jpeg.factor(needed, height, width), channels=channels)
        formats.loaded(image)
        if factor == 1:
            height, width = image.height, image.width  # loading a TIFF turns it
        return _Source(formats.plain(image), height, width, factor, formats.orientation(image))


def _of_jpeg(data: bytes, size: tuple[int, int], *, channels: int, resize: Resize, limits: Limits) -> _Source | None:
    found = jpeg.read_size(data)
    if found is None:
        return None
    height, width = found
    limits.check_pixels(height, width)
    jpeg.check_scans(data, height, width, limits)
    orientation = 1
    if formats.may_be_turned(jpeg.first_part(data)):
        with formats.opened(data) as file:
            orientation = formats.orientation(file)
    factor = jpeg.factor(_needed(height, width, orientation, size, resize), height, width)
    image = jpeg.shrunk(data, height=height, width=width, by=factor, channels=channels)
    return None if image is None else _Source(image, height, width, factor, orientation)


def _of_array(pixels: NDArray[Any], limits: Limits) -> _Source:
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise Refused(f"found an array of shape {pixels.shape}, wanted (h, w) or (h, w, c) with 1 to 4 channels")
    height, width = pixels.shape[:2]
    limits.check_pixels(height, width)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype == np.uint16 or pixels.dtype.kind == "f":
        pixels = formats.shade(pixels)
    elif pixels.dtype != np.uint8:
        raise Refused(f"found an array of {pixels.dtype}, wanted uint8 (0 to 255), uint16, bool or float (0 to 1)")
    return _Source(formats.plain(_image(pixels)), height, width)


def _of_pillow(image: Image.Image, limits: Limits) -> _Source:
    limits.check_pixels(image.height, image.width)
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(f"the Pillow image cannot be decoded ({error})") from error
    return _Source(formats.plain(image), image.height, image.width, 1, formats.orientation(image))


def _image(pixels: NDArray[np.uint8]) -> Image.Image:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    mode = "L" if pixels.ndim == 2 else {2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    return Image.frombuffer(mode, pixels.shape[1::-1], np.ascontiguousarray(pixels), "raw", mode, 0, 1)


def _placed(height: int, width: int, orientation: int, size: tuple[int, int], resize: Resize) -> Placement:
    return place(width, height, size, resize) if orientation >= 5 else place(height, width, size, resize)


def _needed(height: int, width: int, orientation: int, size: tuple[int, int], resize: Resize) -> float:
    placed = _placed(height, width, orientation, size, resize)
    left, upper, right, lower = placed.box
    return max(placed.height / (lower - upper), placed.width / (right - left))


def _fill(
    source: _Source, size: tuple[int, int], channels: int, resize: Resize, padding_value: int
) -> NDArray[np.uint8]:
    placed = _placed(source.height, source.width, source.orientation, size, resize)
    shown = turned(_resampled(source, placed, channels), source.orientation)
    if shown.shape[:2] == size:
        return np.array(shown, order="C")
    result = np.full((*size, channels), padding_value, np.uint8)
    result[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width] = shown
    return result


def _resampled(source: _Source, placed: Placement, channels: int) -> NDArray[np.uint8]:
    """Return the pixels of a placement, not turned yet, shape (h, w, channels)."""
    left, upper, right, lower = turned_box(placed.box, source.height, source.width, source.orientation)
    box = (left / source.factor, upper / source.factor, right / source.factor, lower / source.factor)
    high, wide = (placed.width, placed.height) if source.orientation >= 5 else (placed.height, placed.width)
    image = source.image
    if channels == 1 and image.mode != "L":
        image = image.convert("L")  # before resampling, while gray becomes color after it: one channel either way
    resampled = resample(image, box, high, wide)
    if channels == 3 and resampled.mode == "L":
        resampled = resampled.convert("RGB")
    packed = resampled.tobytes("raw", "L" if channels == 1 else "RGB")
    return np.frombuffer(packed, np.uint8).reshape(high, wide, channels)
