"""One function from bytes to pixels: its rules for modes, orientation and limits, and that nothing breaks it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.data.decode import Refused, best_decoder, decode, decoder_version
from sightline.data.formats import calm
from sightline.errors import DataError

DECODERS = [
    "pillow",
    pytest.param("simplejpeg", marks=pytest.mark.skipif(best_decoder() == "pillow", reason="needs simplejpeg")),
]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with calm():
        yield


def encoded(image: Image.Image, form: str = "PNG", **save: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **save)
    return file.getvalue()


def same_size(data: bytes | NDArray[np.generic] | Image.Image, height: int, width: int, channels: int = 3, **rest):
    return decode(data, size=(height, width), channels=channels, **rest)


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def photograph(height: int = 427, width: int = 640, seed: int = 0) -> Image.Image:
    coarse = Image.fromarray(noise(height // 12, width // 12, 3, seed=seed))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def test_eight_bits_come_through_bit_by_bit():
    color, gray = noise(5, 7, 3), noise(5, 7)
    np.testing.assert_array_equal(same_size(encoded(Image.fromarray(color)), 5, 7), color)
    np.testing.assert_array_equal(same_size(encoded(Image.fromarray(gray)), 5, 7, 1)[..., 0], gray)
    np.testing.assert_array_equal(same_size(encoded(Image.fromarray(gray)), 5, 7, 3), np.stack([gray] * 3, axis=-1))
    np.testing.assert_array_equal(same_size(color, 5, 7), color)
    np.testing.assert_array_equal(same_size(gray, 5, 7, 1)[..., 0], gray)


def test_color_to_gray_is_luma():
    color = noise(9, 9, 3)
    luma = color.astype(np.float64) @ (0.299, 0.587, 0.114)
    assert np.abs(same_size(encoded(Image.fromarray(color)), 9, 9, 1)[..., 0] - luma).max() <= 0.51


def test_sixteen_bits_of_gray_are_scaled_and_rounded():
    values = np.array([[0, 128, 129, 257, 385, 386, 32768, 65535]], dtype=np.uint16)
    expected = np.floor(values / 257 + 0.5).astype(np.uint8)
    for form in ("PNG", "TIFF"):
        np.testing.assert_array_equal(same_size(encoded(Image.fromarray(values), form), 1, 8, 1)[..., 0], expected)
    np.testing.assert_array_equal(same_size(values, 1, 8, 1)[..., 0], expected)
    pgm = b"P5 8 1 65535 " + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(same_size(pgm, 1, 8, 1)[..., 0], expected)


def test_every_sixteen_bit_value_is_rounded_to_nearest():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(
        same_size(values, 256, 256, 1)[..., 0], np.floor(values.astype(np.float64) / 257 + 0.5)
    )


def test_sixteen_bits_of_color_are_scaled_to_within_one_level():
    import struct
    import zlib

    values = np.random.default_rng(0).integers(0, 65536, (6, 5, 3)).astype(">u2")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 5, 6, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.abs(same_size(png, 6, 5) - values.astype(np.float64) / 257).max() <= 1.0


def test_floats_and_wide_integers():
    unit = np.array([[0.0, 0.25, 1.0]], dtype=np.float32)
    bytes_ = np.array([[0.0, 64.4, 255.0]], dtype=np.float32)
    wide = np.array([[-1000, 0, 1000]], dtype=np.int32)
    for values, expected in ((unit, [0, 64, 255]), (bytes_, [0, 64, 255]), (wide, [0, 128, 255])):
        tiff = encoded(Image.fromarray(values), "TIFF")
        assert same_size(tiff, 1, 3, 1).ravel().tolist() == expected
    with pytest.raises(Refused, match="finite"):
        same_size(encoded(Image.fromarray(np.array([[np.nan, 0.0]], np.float32)), "TIFF"), 1, 2, 1)


def test_alpha_is_composited_over_black():
    pixels = noise(4, 5, 4)
    expected = pixels[..., :3].astype(np.float64) * pixels[..., 3:] / 255
    assert np.abs(same_size(encoded(Image.fromarray(pixels)), 4, 5) - expected).max() <= 0.51
    assert np.abs(same_size(pixels, 4, 5) - expected).max() <= 0.51
    gray = noise(4, 5, 2)
    found = same_size(encoded(Image.frombytes("LA", (5, 4), gray.tobytes())), 4, 5, 1)
    assert np.abs(found[..., 0] - gray[..., 0].astype(np.float64) * gray[..., 1] / 255).max() <= 0.51


def test_palettes_become_color_and_their_transparency_black():
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 10, 20, 30])
    image.putdata([0, 1, 2])
    assert same_size(encoded(image), 1, 3).tolist() == [[[255, 0, 0], [0, 255, 0], [10, 20, 30]]]
    assert same_size(encoded(image, transparency=1), 1, 3).tolist() == [[[255, 0, 0], [0, 0, 0], [10, 20, 30]]]
    assert same_size(encoded(image, "GIF", transparency=0), 1, 3)[0, 0].tolist() == [0, 0, 0]


def test_a_transparent_color_becomes_black():
    gray = encoded(Image.fromarray(np.array([[7, 9]], np.uint8)), transparency=9)
    assert same_size(gray, 1, 2, 1).ravel().tolist() == [7, 0]
    deep = encoded(Image.fromarray(np.array([[257, 514]], np.uint16)), transparency=514)
    assert same_size(deep, 1, 2, 1).ravel().tolist() == [1, 0]


def test_one_bit_is_black_and_white():
    image = Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1")
    for form in ("PNG", "BMP", "TIFF"):
        assert same_size(encoded(image, form), 1, 3, 1).ravel().tolist() == [0, 255, 255]


@pytest.mark.parametrize("decoder", DECODERS)
def test_cmyk_jpegs_are_inverted_as_adobe_writes_them(decoder):
    red = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    pixels = same_size(red, 16, 16, decoder=decoder).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(pixels, (255, 0, 0), atol=4)


def test_of_animations_the_first_frame_is_taken():
    frames = [Image.new("RGB", (4, 4), color) for color in ((250, 0, 0), (0, 250, 0))]
    for form in ("GIF", "PNG", "WEBP"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100, lossless=True)
        assert same_size(data, 4, 4)[0, 0].tolist() == [250, 0, 0], form


def test_arrays_that_are_no_pictures_are_refused():
    for wrong in (np.zeros((2, 2, 5), np.uint8), np.zeros((4,), np.uint8), np.zeros((2, 2), np.complex64)):
        with pytest.raises(Refused, match="wanted"):
            decode(wrong, size=(2, 2), channels=3)


SHOWN = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.transpose(a, (1, 0, 2)), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_orientation_is_applied_exactly(orientation, form):
    pixels = noise(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    shown = SHOWN[orientation](pixels)
    np.testing.assert_array_equal(same_size(data, *shown.shape[:2]), shown)


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("resize", ["fit", "crop", "stretch"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_turned_jpeg_is_what_its_shown_twin_is(orientation, resize, decoder):
    photo = photograph(160, 240)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo, "JPEG", quality=95, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        shown = np.ascontiguousarray(SHOWN[orientation](np.asarray(image)))
    found = decode(data, size=(33, 49), channels=3, resize=resize, decoder=decoder).astype(int)
    expected = decode(shown, size=(33, 49), channels=3, resize=resize).astype(int)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 3  # turned wrongly: 60


def test_without_simplejpeg_everything_works_and_asking_for_it_is_an_error():
    program = """
import sys
sys.modules["simplejpeg"] = None
import io
from PIL import Image
from sightline.data import best_decoder, decode, decoder_version, require_decoder
from sightline.errors import DataError
file = io.BytesIO()
Image.new("RGB", (9, 9), (200, 100, 50)).save(file, "JPEG")
assert best_decoder() == "pillow"
assert decode(file.getvalue(), size=(9, 9), channels=3, decoder=best_decoder()).shape == (9, 9, 3)
assert "Pillow" in decoder_version("pillow")
require_decoder("pillow")
for asks in (
    lambda: decode(file.getvalue(), size=(9, 9), channels=3, decoder="simplejpeg"),
    lambda: decoder_version("simplejpeg"),
    lambda: require_decoder("simplejpeg"),
):
    try:
        asks()
    except DataError as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("DataError data.decoder = simplejpeg, but simplejpeg is not installed")
        assert "sightline[jpeg]" in line
        assert "data.decoder=pillow" in line


def test_versions_name_what_decides_about_pixels():
    assert decoder_version("pillow").startswith("Pillow ")
    if best_decoder() == "simplejpeg":
        assert decoder_version("simplejpeg").startswith("simplejpeg ")


def test_refusals_are_data_errors_with_a_reason():
    assert issubclass(Refused, DataError)
    assert str(Refused("because")) == Refused("because").reason == "because"


def test_results_are_the_callers_own(picture: Callable[..., bytes]):
    pixels = noise(5, 6, 3)
    for data in (picture(1), pixels, encoded(photograph(), "JPEG")):
        found = decode(data, size=(5, 6), channels=3)
        assert found.flags.writeable
        assert found.flags.c_contiguous
        assert found.dtype == np.uint8
        assert not np.shares_memory(found, pixels)
