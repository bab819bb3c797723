"""JPEGs of both decoders, damaged, truncated and hostile files: decoded or refused, alike, and never anything else."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from sightline.data.decode import Refused, best_decoder, decode
from sightline.data.formats import calm
from sightline.data.limits import Limits

DECODERS = [
    "pillow",
    pytest.param("simplejpeg", marks=pytest.mark.skipif(best_decoder() == "pillow", reason="needs simplejpeg")),
]
needs_both = pytest.mark.skipif(best_decoder() == "pillow", reason="needs simplejpeg beside Pillow")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with calm():
        yield


@pytest.fixture(scope="module")
def bad_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = Path(__file__).resolve().parents[3] / "shared" / "data" / "bad-images.tar.gz"
    if not archive.exists():
        pytest.skip("needs ../shared/data/bad-images.tar.gz, which this machine does not have")
    folder = tmp_path_factory.mktemp("bad-images")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder


def encoded(image: Image.Image, form: str = "PNG", **save: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **save)
    return file.getvalue()


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def photograph(height: int = 427, width: int = 640, seed: int = 0) -> Image.Image:
    coarse = Image.fromarray(noise(height // 12, width // 12, 3, seed=seed))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def outcome(data: bytes, decoder: str, channels: int = 3) -> NDArray[np.uint8] | None:
    try:
        return decode(data, size=(40, 40), channels=channels, decoder=decoder)
    except Refused:
        return None


@needs_both
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("side", [40, 80, 106, 213, 300])
def test_both_decoders_give_nearly_the_same_pixels(subsampling, progressive, side):
    data = encoded(photograph(), "JPEG", quality=85, subsampling=subsampling, progressive=progressive)
    for channels in (1, 3):
        first, second = (
            decode(data, size=(side, side), channels=channels, decoder=name).astype(int)
            for name in ("simplejpeg", "pillow")
        )
        assert np.abs(first - second).max() <= 2


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("side", [24, 53, 60, 79, 80, 106, 107, 159, 160, 213, 224, 320])
@pytest.mark.parametrize("resize", ["fit", "crop", "stretch"])
def test_shrunken_decoding_is_close_to_resampling_the_whole(decoder, side, resize):
    """At least 38 dB, a root mean square difference of 3.2 levels, on a harsh texture, without a shift of edges."""
    data = encoded(photograph(), "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        whole = np.asarray(image)
    found = decode(data, size=(side, side), channels=3, resize=resize, decoder=decoder).astype(float)
    expected = decode(whole, size=(side, side), channels=3, resize=resize).astype(float)
    assert 10 * np.log10(255**2 / max(1e-9, np.mean((found - expected) ** 2))) > 38


@pytest.mark.parametrize("decoder", DECODERS)
def test_shrunken_decoding_of_real_photographs(real, decoder):
    errors = []
    for path in sorted(real("flowers").glob("*/*.jpg"))[::400]:
        data = path.read_bytes()
        with Image.open(path) as image:
            whole = np.asarray(image.convert("RGB"))
        for side in (30, 32, 50, 64):
            found = decode(data, size=(side, side), channels=3, decoder=decoder).astype(float)
            errors.append(np.mean((found - decode(whole, size=(side, side), channels=3)) ** 2))
    assert np.sqrt(np.mean(errors)) < 1.5


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_truncated_jpeg_is_refused_wherever_it_ends(decoder):
    for options in ({}, {"progressive": True}):
        data = encoded(photograph(120, 160), "JPEG", **options)
        for share in (0.05, 0.3, 0.6, 0.9, 0.99):
            assert outcome(data[: int(len(data) * share)], decoder) is None, (options, share)
        assert outcome(data, decoder) is not None


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG"])
def test_truncated_files_are_refused_whatever_pillow_is_told(form, monkeypatch):
    data = encoded(Image.fromarray(noise(60, 60, 3)), form)
    for lenient in (False, True):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
        assert outcome(data, "pillow") is not None
        for share in (0.1, 0.5, 0.8):
            assert outcome(data[: int(len(data) * share)], "pillow") is None, (lenient, share)


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded():
    data = encoded(photograph(200, 200), "JPEG", progressive=True)
    at = data.index(b"\xff\xda")
    bomb = data[:at] + data[at:-2] * 40 + data[-2:]
    with pytest.raises(Refused, match="scans"):
        decode(bomb, size=(32, 32), channels=3, limits=Limits(max_pixels=40_000))


@pytest.mark.parametrize("decoder", DECODERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_jpegs_are_decoded_or_refused(decoder, data):
    whole = bytearray(encoded(photograph(48, 64), "JPEG"))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    outcome(bytes(whole), decoder)


@needs_both
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_both_decoders_refuse_the_same_damaged_jpegs(data):
    whole = bytearray(encoded(photograph(96, 64), "JPEG", progressive=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    first, second = outcome(bytes(whole), "simplejpeg"), outcome(bytes(whole), "pillow")
    assert (first is None) == (second is None)


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_published_orientation_examples_all_look_alike(bad_images, decoder):
    for view in ("Landscape", "Portrait"):
        size = (60, 90) if view == "Landscape" else (90, 60)
        found = [
            decode(
                (bad_images / "exif-orientation" / f"{view}_{i}.jpg").read_bytes(),
                size=size,
                channels=3,
                decoder=decoder,
            ).astype(int)
            for i in range(1, 9)
        ]
        for i, other in enumerate(found[1:], 2):
            assert np.sqrt(np.mean((other - found[0]) ** 2)) < 12, f"{view}_{i}"


@pytest.mark.parametrize("folder", ["libjpeg-turbo-afl", "jpeg-decoder-crash", "pngsuite"])
def test_hostile_files_are_decoded_or_refused_by_both_decoders_alike(bad_images, folder):
    """Of the fuzzing corpus every fourth file, to be quick."""
    paths = sorted(path for path in (bad_images / folder).iterdir() if path.is_file())
    for path in paths[:: 4 if len(paths) > 1000 else 1]:
        data = path.read_bytes()
        found = outcome(data, "pillow")
        if best_decoder() == "simplejpeg":
            other = outcome(data, "simplejpeg")
            assert (found is None) == (other is None), path.name
            if found is not None and other is not None:
                assert np.abs(found.astype(int) - other).max() <= 3, path.name


def test_pngsuite_is_accepted_but_for_its_broken_files(bad_images):
    refused = set()
    for path in sorted((bad_images / "pngsuite").glob("*.png")):
        if outcome(path.read_bytes(), "pillow") is None:
            refused.add(path.name.removeprefix("png__"))
    assert all(name.startswith("x") for name in refused), refused
    assert len(refused) >= 10


@needs_both
def test_messy_real_pictures_come_out_alike(real):
    for path in sorted(real("brain-mri").glob("*/*"))[::4]:
        first, second = (outcome(path.read_bytes(), name, 1) for name in ("simplejpeg", "pillow"))
        assert first is not None, path.name
        assert second is not None, path.name
        assert np.abs(first.astype(int) - second).max() <= 2, path.name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xff\xd8\xff", "cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"nothing at all", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read"),
    ],
)
@pytest.mark.parametrize("decoder", DECODERS)
def test_what_is_no_picture_is_refused_with_the_reason(data, said, decoder):
    with pytest.raises(Refused, match=said):
        decode(data, size=(8, 8), channels=3, decoder=decoder)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_limits_are_held_against_the_header(decoder, form):
    data = encoded(Image.new("RGB", (100, 50)), form)
    for limits, said in (
        (Limits(max_pixels=4999), r"100 × 50 pixels.*data\.max_pixels=5000"),
        (Limits(max_bytes=len(data) - 1), r"data\.max_bytes"),
        (Limits(max_seconds=-1.0), r"data\.max_seconds"),
    ):
        with pytest.raises(Refused, match=said):
            decode(data, size=(8, 8), channels=3, decoder=decoder, limits=limits)
    decode(data, size=(8, 8), channels=3, decoder=decoder, limits=Limits(max_pixels=5000, max_bytes=len(data)))


def test_our_limit_of_pixels_counts_and_not_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    data = encoded(Image.new("RGB", (100, 50)))
    assert decode(data, size=(8, 8), channels=3).shape == (8, 8, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_bomb_is_refused_without_being_decoded():
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    with pytest.raises(Refused, match="400000000"):
        decode(bomb, size=(8, 8), channels=1)
